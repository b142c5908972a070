// Whether this machine is what it was, as its own jobs have noted it: each line says when that was, since a comparison of long ago tells nothing of now.

internal import Platform

extension PolicyCheck {
    mutating func nameDeviations() {
        for look in evidence.integrity {
            let (found, verdict) = judge(look)
            let time = look.record.map { $0.tells ? $0.lastCompared ?? $0.time : $0.time }
            lines.append(
                PolicyLine(
                    .integrity, nil, look.job, required: "the machine is as in its past",
                    found: found,
                    evidence: time.map { [PolicyLine.Evidence(time: $0, text: "as this machine has noted")] } ?? [],
                    verdict, since: verdict == .fails ? look.record?.since : nil))
        }
    }

    private func judge(_ look: IntegrityLook) -> (found: String, verdict: PolicyLine.Verdict) {
        guard let record = look.record else { return ("it was not compared yet", .unknown) }
        let obstacle = record.obstacle.map {
            "the comparison that was tried \(ago(record.time)) came to nothing: \($0)"
        }
        let base = record.base ?? "past"
        // What was found stands until a comparison finds nothing, however old it is.
        if record.deviations > 0 {
            let names = record.names.prefix(5).joined(separator: ", ")
            let words = "\(counted(Int(clamping: record.deviations), "deviation", "deviations")) from the \(base)"
            let when = record.lastCompared.map { ", compared \(ago($0))" } ?? ""
            return ("\(words)\(when): \(names)\(obstacle.map { "; \($0)" } ?? "")", .fails)
        }
        if let obstacle {
            return ("\(obstacle)\(record.lastCompared.map { "; the last that did was \(ago($0))" } ?? "")", .unknown)
        }
        let isRecent = look.limit.map { isFresh(record.time, $0) } ?? true
        let limit = look.limit.map { ", and it is to be no older than \(spanWords($0))" } ?? ""
        return ("as in the \(base), compared \(ago(record.time))\(isRecent ? "" : limit)", isRecent ? .holds : .unknown)
    }

    /// `3 d ago`
    private func ago(_ time: Int64) -> String {
        let age = evidence.time.subtracting(saturating: time)
        return age < -Self.slack ? "at a time that lies ahead" : "\(spanWords(max(0, age))) ago"
    }
}
