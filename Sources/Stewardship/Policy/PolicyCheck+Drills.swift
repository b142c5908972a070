// Whether somebody has restored a series for trial, as signed reports say, and where the key was that nobody gave.

internal import Images
internal import Platform

extension PolicyCheck {
    /// Of each series the newest report that is meant; one of a time that lies ahead is nobody's.
    static func newestDrills(
        _ evidence: PolicyEvidence, _ isMeant: (DrillEvidence) -> Bool
    ) -> [ExactText: DrillEvidence] {
        guard case .items(let items, _) = evidence.drills else { return [:] }
        var result: [ExactText: DrillEvidence] = [:]
        // A series of the same name in another plant's store is another one. Where a store is away, it may be that one's.
        let stores = Set(evidence.stores.compactMap { $0.evidence?.store })
        let areAllSeen = evidence.stores.allSatisfy { $0.evidence != nil }
        for drill in items where drill.time <= evidence.time.adding(saturating: slack) {
            guard isMeant(drill) else { continue }
            if let store = drill.store, areAllSeen, !stores.contains(store) { continue }
            let series = ExactText(drill.series)
            if result[series].map({ $0.time <= drill.time }) ?? true { result[series] = drill }
        }
        return result
    }

    mutating func judgeDrill(_ look: SeriesLook) {
        guard let limit = look.table.drilled else { return }
        func add(
            _ found: String, _ verdict: PolicyLine.Verdict, _ evidence: [PolicyLine.Evidence] = [], since: Int64? = nil
        ) {
            lines.append(
                PolicyLine(
                    .drilled, look.table.name, look.series, required: "a drill that passed within \(spanWords(limit))",
                    found: found, evidence: evidence, verdict, since: since))
        }
        switch evidence.drills {
        case nil: add("no folder of reports is named", .unknown)
        case .failed(let reason): add(reason, .unknown)
        case .items(_, let refused):
            guard let drill = drills[ExactText(look.series)] else {
                let doubt =
                    refused.isEmpty
                    ? "" : "; \(counted(refused.count, "report is", "reports are")) not believed: \(refused[0])"
                return add("none\(doubt)", .fails)
            }
            let when = "\(spanWords(max(0, evidence.time.subtracting(saturating: drill.time)))) ago"
            let line = [PolicyLine.Evidence(time: drill.time, text: "\(drill.file), of image \(drill.image.prefix(8))")]
            let isGood = drill.hasPassed && isFresh(drill.time, limit)
            add(
                "\(drill.kind): \(drill.verdict), \(when)", isGood ? .holds : .fails, line,
                since: drill.hasPassed ? drill.time.adding(saturating: limit) : drill.time)
        }
    }

    /// Who breaks into a machine that can read its own images has all that they ever held: that is for the policy to say, and not for the machine.
    /// It is told of the newest drill that nobody gave a key for, also of one that was refused: the key is there.
    mutating func judgeKeyPlace(_ look: SeriesLook) {
        guard let drill = unattendedDrills[ExactText(look.series)], let key = drill.unattendedKey else { return }
        let isAllowed = key.isOnMachine && look.table.allowsKeyOnMachine
        lines.append(
            PolicyLine(
                .keyOnMachine, look.table.name, look.series,
                required: isAllowed ? PolicyLine.keyIsAllowed : "no key that opens its images is on the machine",
                found: "\(key.from), on \(key.host)" + (key.isOnMachine ? "" : ", which is another machine"),
                evidence: [
                    PolicyLine.Evidence(time: drill.time, text: "\(drill.file), of image \(drill.image.prefix(8))")
                ], key.isOnMachine && !isAllowed ? .fails : .holds))
    }
}
