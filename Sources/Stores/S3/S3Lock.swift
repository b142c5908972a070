// How long a server keeps an object from being removed for good. Each new one has the bucket's own lock, which an administrator sets; here that
// of what is still needed is prolonged.

internal import Platform

extension S3Store {
    public func prolongLock(of name: String, until time: Int64, unlessUntil enough: Int64) throws(StoreError) -> Bool {
        try refuseMoment("lock", name)
        let look = try request("look at", "HEAD", name)
        let answer = try client.send(look)
        guard answer.status == 200 else { throw client.failure(answer, look) }
        // Without one, or without the right to see it, it is set anew.
        let known = answer.headers["x-amz-object-lock-retain-until-date"].flatMap(S3Time.seconds)
        if let known, known >= enough { return false }
        var mode = answer.headers["x-amz-object-lock-mode"].flatMap { LockMode(rawValue: $0) }
        if mode == nil { mode = try usualLock() }
        guard let mode else { return false }
        var request = try request("lock", "PUT", name)
        // The version that was looked at, whatever was put over it meanwhile.
        let version = answer.headers["x-amz-version-id"].map { [(name: "versionId", value: $0)] } ?? []
        request.query = [(name: "retention", value: "")] + version
        let until = Timestamp(seconds: time, nanoseconds: 0).text
        request.body = Array(
            "<Retention><Mode>\(mode.rawValue)</Mode><RetainUntilDate>\(until)</RetainUntilDate></Retention>".utf8)
        let done = try client.send(request)
        guard (200...299).contains(done.status) else { throw client.failure(done, request) }
        return true
    }

    /// How the bucket locks what is put into it; nil where it does not, or where this key may not ask.
    private func usualLock() throws(StoreError) -> LockMode? {
        try setting("object-lock") { $0.path.last == "Mode" ? LockMode(rawValue: $0.text) : nil } ?? nil
    }
}

/// In the words of S3.
private enum LockMode: String {
    case compliance = "COMPLIANCE"
    case governance = "GOVERNANCE"
}
