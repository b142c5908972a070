// What a drill restores, opened as a command opens it.

internal import Cryptography
internal import Images
internal import Platform
internal import Reporting
internal import Stewardship

extension Session {
    /// What a file of keys holds that a job names for its drills.
    func keys(of key: DrillSettings.Key, for job: String) throws -> IdentityFile.Keys {
        var bytes = try key.read(job: job)
        defer { erase(&bytes) }
        do { return try IdentityFile.keys(&bytes, named: key.words) } catch {
            throw DrillError.badKey(job: job, reason: Problem(error).message)
        }
    }

    /// An image of a store that is there, with what was found when it was opened.
    func drillSource(_ image: String, _ filter: ImageFilter, in argument: StoreArgument) throws -> DrillSource {
        let place = try place(argument)
        if try !Store.exists(objects(place)) { throw absence(of: place) }
        let store = try open(argument, for: .read)
        let told = ToldFindings(findings)
        let reader = try store.imageReader(image, filter, findings: told.findings)
        let findings = store.findings.filter { $0.kind != .note }.map(\.description) + told.all
        return DrillSource(store: store, place: place.words, reader: reader, findings: findings)
    }
}

/// The keys of a drill that nobody is there for.
struct SessionDrillKeys: DrillKeys {
    let session: Session
    let keys: IdentityFile.Keys

    var recipients: [String] { keys.identities.map(\.recipient.string) }

    func newest(of series: String, in store: String, rate: UInt64?) throws -> DrillSource {
        guard var argument = StoreArgument(argument: store) else { throw Problem.usage("a store has no name") }
        argument.rate = rate
        return try session.using(keys) {
            try session.drillSource("latest", ImageFilter(series: series), in: argument)
        }
    }
}

/// Findings in words, and handed on.
private final class ToldFindings: @unchecked Sendable {
    private let monitor = Monitor()
    private var words: [String] = []
    private(set) var findings = Findings()

    init(_ outer: Findings) {
        findings = Findings { [weak self] finding in
            if finding.kind != .note { self?.add(finding.description) }
            outer.add(finding)
        }
    }

    private func add(_ text: String) { monitor.withLock { words.append(text) } }
    var all: [String] { monitor.withLock { words } }
}
