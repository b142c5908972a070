// A store that tells what is done to it: what a person sees with --verbose, and what tests count.

/// Passes every call on and reports it.
public final class LoggingStore: ForwardingStore, @unchecked Sendable {
    private let report: @Sendable (StoreCall) -> Void

    /// - Parameter report: called after each call by the thread that made it, also by several at once.
    public init(_ store: any ObjectStore, report: @escaping @Sendable (StoreCall) -> Void) {
        self.report = report
        super.init(store)
    }

    public override func around<R>(
        _ call: StoreCall, _ body: () throws(StoreError) -> R
    ) throws(StoreError) -> R {
        do throws(StoreError) {
            let result = try body()
            report(call)
            return result
        } catch {
            var call = call
            call.error = error
            report(call)
            throw error
        }
    }
}
