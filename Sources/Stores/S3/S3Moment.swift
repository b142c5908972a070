// A bucket as it was: where it keeps versions, what somebody removed or wrote over since is still there to be read.

internal import Platform

/// The state of a bucket at one time.
final class S3Moment: @unchecked Sendable {
    /// In seconds since 1970, by the server's clock.
    let time: Int64
    private let monitor = Monitor()
    /// The version of each name that was looked for; empty where the bucket keeps none.
    private var versions: [String: String?] = [:]

    init(_ time: Int64) { self.time = time }

    /// The objects that were there.
    func objects(below prefix: String, _ client: S3Client, subject: String) throws(StoreError) -> [StoredObject] {
        // Of a name the first version counts that was written: what came later was put in its place. No name is written again after it was
        // removed.
        var first: [String: S3Page.Entry] = [:]
        var removed: Set<String> = []
        try client.pages(
            [("versions", "")], markers: ["key-marker", "version-id-marker"], below: prefix, subject: subject
        ) { page in
            for entry in page.entries where entry.modified <= time {
                if entry.isMarker {
                    removed.insert(entry.key)
                    continue
                }
                if let known = first[entry.key], known.modified <= entry.modified { continue }
                first[entry.key] = entry
            }
        }
        for key in removed { first[key] = nil }
        monitor.withLock { for (key, entry) in first { versions[key] = .some(entry.version) } }
        return first.map {
            StoredObject(name: $0.key, length: $0.value.length, modified: $0.value.modified)
        }.sorted { $0.name < $1.name }
    }

    /// The version of a name that counts; nil where it was not there.
    func version(of key: String, _ client: S3Client, subject: String) throws(StoreError) -> String? {
        if let known = monitor.withLock({ versions[key] }) { return known }
        _ = try objects(below: key, client, subject: subject)
        return monitor.withLock {
            if let found = versions[key] { return found }
            versions[key] = .some(nil)
            return nil
        }
    }
}
