// A store whose calls end once somebody has asked the work to stop, and wait while it is to rest: whatever is read or written, Ctrl-C and
// SIGTERM end it within a call, and a hold of the plant has no other begin.

public import Reporting

/// Passes every call on until a stop is asked for. Removals pass: they clear what is left behind. So does an upload that has begun: who
/// writes it looks for a stop between two of its parts.
public final class StoppingStore: ForwardingStore, @unchecked Sendable {
    private let stop: Stop

    public init(_ store: any ObjectStore, _ stop: Stop) {
        self.stop = stop
        super.init(store)
    }

    public override func around<R>(
        _ call: StoreCall, _ body: () throws(StoreError) -> R
    ) throws(StoreError) -> R {
        switch call.verb {
        case .list, .open, .read, .create, .put, .lock, .time, .capacity:
            stop.rest()
            guard stop.isStopRequested else { break }
            stop.noteInterruption()
            throw StoreError(.interrupted, call.verb.rawValue, call.name)
        case .append, .commit, .abandon, .remove: break
        }
        return try body()
    }
}
