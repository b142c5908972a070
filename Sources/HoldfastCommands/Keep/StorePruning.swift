// What `prune` and `retire` have in common where a store is meant: the plan, what is shown of it, and what came of it.

internal import Images
internal import Machine
internal import Platform
internal import Reporting
internal import Stewardship

struct StorePruning {
    let store: Store
    let occasion: PruneOccasion
    /// Which images go.
    let choose: @Sendable ([PruneImage]) -> PruneChoice
    /// What it is chosen by, for programs.
    let members: [(String, JSON?)]
    /// Refuses a plan; told whether somebody has named it by its id.
    var check: (PrunePlan, Bool) throws -> Void = { _, _ in }
    /// What is said where the plan that was named is another one.
    var misfit: Problem?
    var question: String?
    var verb = ApprovedVerb.prune
}

extension Session {
    func prune(_ pruning: StorePruning, _ options: PlanOptions) throws -> Outcome {
        let store = pruning.store
        let settings = try store.pruneSettings(for: pruning.occasion, tool: Version.tool)
        let plan = try working { try store.planPrune(settings, progress: progress, choose: pruning.choose) }
        plan.remarks.forEach(findings.add)
        do { try plan.require(options.plan) } catch { throw pruning.misfit ?? error }
        let shown = PruneDisplay(plan, grace: settings.grace)
        // Of a hundred thousand images as little as is shown: a program's document, or a line after the other.
        var members = pruning.members + (console.isJSON ? shown.members : [])
        if options.dryRun {
            members += refusal { try pruning.check(plan, $0) }
        } else {
            try pruning.check(plan, options.plan != nil)
        }
        if plan.isEmpty, !options.dryRun {
            show(members + [("plan", .text(plan.id))] + console.findingMembers, summary: shown.sums)
            return outcome(0)
        }
        // What only frees what was decided on before is asked of nobody.
        let count = Text.counted(UInt64(plan.going.count), "image", "images")
        let question = plan.going.isEmpty ? nil : pruning.question ?? "Remove \(count)? They cannot be restored then."
        if !console.isJSON, !console.isQuiet {
            shown.forEachLine { line in
                if options.dryRun { console.result(Text.safe(line) + "\n") } else { console.note(line) }
            }
        }
        guard
            try agree(
                to: plan, options, lines: shown.sums, members: members, question: question, guarded: pruning.verb,
                signed: ["of the store \(store.identifier)"] + shown.goingLines + shown.sums)
        else {
            return outcome(0)
        }
        let report = try working { try store.prune(plan, progress: progress) }
        report.findings.forEach(findings.add)
        show(
            members + [("plan", .text(plan.id)), ("done", .object(PruneDisplay.members(report)))]
                + console.findingMembers,
            summary: PruneDisplay.lines(report))
        return outcome(0)
    }
}

extension Session {
    /// Says why a plan would be refused that is looked at.
    /// - Parameter check: refuses it; told whether somebody has named it by its id.
    /// - Returns: the same for programs, with each series of which half or more goes.
    func refusal(_ check: (Bool) throws -> Void) -> [(String, JSON?)] {
        do {
            try check(false)
            return []
        } catch {
            let sentence = Problem(error).message
            let isNamedAlone = (try? check(true)) != nil
            console.warning("\(isNamedAlone ? "without --plan it" : "it") would be refused: \(sentence)")
            guard case KeepError.removesTooMuch(_, _, let halved, _) = error else {
                return [("refusal", .text(sentence))]
            }
            let series = halved.map { one in
                JSON.object([
                    ("series", .text(one.name.text)), ("removed", .number(UInt64(one.removed))),
                    ("kept", .number(UInt64(one.kept))),
                ])
            }
            return [("refusal", .text(sentence)), ("halved", .list(series))]
        }
    }
}

/// A plan and a report of pruning, for people and for programs.
struct PruneDisplay {
    private let plan: PrunePlan
    private let grace: Int64

    init(_ plan: PrunePlan, grace: Int64) {
        self.plan = plan
        self.grace = grace
    }

    // MARK: For people

    /// Image by image: those that go and those that stay, both of which are in the order of series and sequence.
    func forEachLine(_ body: (String) -> Void) {
        var going = plan.going[...]
        for image in plan.staying {
            while let other = going.first, other.isBefore(image) { body(line(going.removeFirst(), stays: false)) }
            body(line(image, stays: true))
        }
        for image in going { body(line(image, stays: false)) }
    }

    /// Image by image, those that go: what somebody signs for.
    var goingLines: [String] { plan.going.map { line($0, stays: false) } }

    private func line(_ image: PruneImage, stays: Bool) -> String {
        let time = image.time.map { Text.time(Timestamp(seconds: $0, nanoseconds: 0)) } ?? "an unknown time"
        let doubt = image.isTimeDoubtful ? " (its machine says \(Text.time(image.machineTime)))" : ""
        let series = image.series.isEmpty ? "" : " \(Text.safe(image.series))"
        let words = "\(image.id.image.description.prefix(8))\(series) of \(time)\(doubt)"
        if stays { return "\(words) stays: \(Text.safe(reasons(image).joined(separator: ", ")))" }
        return image.isRevoked ? "\(words) goes: its writer was revoked" : "\(words) goes"
    }

    private func reasons(_ image: PruneImage) -> [String] {
        var reasons = plan.reasons[image.id] ?? []
        if let problem = image.problem { reasons.append(problem) }
        if image.isUnfinished { reasons.append("unfinished") }
        if image.isPinned, !reasons.contains("pinned") { reasons.append("pinned") }
        return reasons.isEmpty ? ["no rule is for it"] : reasons
    }

    private var groupLines: [String] {
        plan.groups.flatMap { group in
            let name =
                "the group \(group.id.description.prefix(8)) (\(Text.safe(group.writers.joined(separator: ", "))))"
            if let reason = group.standsStill { return ["\(name) stands still: \(Text.safe(reason))"] }
            if group.heldBack.isEmpty { return [] }
            return [
                "\(name): nothing is removed of \(Text.counted(UInt64(group.heldBack.count), "writer", "writers")) that cannot all be read"
            ]
        }
    }

    /// What it comes to.
    var sums: [String] { groupLines + [sum] }

    private var sum: String {
        let images = Text.counted(UInt64(plan.going.count + plan.staying.count), "image", "images")
        var parts = ["\(plan.going.count) of \(images) go"]
        let revoked = plan.going.count { $0.isRevoked }
        if revoked > 0 { parts.append("\(revoked) of these of a writer that was revoked") }
        func add(_ amount: PruneAmount, _ words: String) {
            if amount.objects > 0 { parts.append("\(Text.size(amount.bytes)) \(words)") }
        }
        add(plan.sum(\.condemnedNow), "free again after a grace of \(grace / 86_400) d")
        add(plan.sum(\.waiting), "wait\(until(plan.groups.compactMap(\.waitsUntil).min()))")
        add(plan.sum(\.removable), "free at once")
        add(plan.sum(\.young), "may belong to a backup under way")
        let locks = plan.groups.reduce(0) { $0 + $1.locks }
        if locks > 0 { parts.append("the locks of \(Text.counted(UInt64(locks), "copy", "copies")) are looked at") }
        return parts.joined(separator: "; ")
    }

    private func until(_ time: Int64?) -> String { Self.until(time) }

    private static func until(_ time: Int64?) -> String {
        time.map { ", the first until \(Text.time(Timestamp(seconds: $0, nanoseconds: 0)))" } ?? ""
    }

    static func lines(_ report: PruneReport) -> [String] {
        var lines = ["removed \(Text.counted(UInt64(report.images), "image", "images"))"]
        func add(_ amount: PruneAmount, _ words: String) {
            if amount.objects > 0 { lines.append("\(words): \(Text.size(amount.bytes))") }
        }
        add(report.removed, "freed")
        add(report.condemned, "condemned, and freed by a later prune")
        if report.waiting.objects > 0 { add(report.waiting, "wait\(until(report.waitsUntil))") }
        if report.locked > 0 {
            let words = report.lock.map { ": " + Text.safe($0) } ?? ""
            lines.append("\(Text.counted(UInt64(report.locked), "object is", "objects are")) still locked\(words)")
        }
        if report.prolonged > 0 {
            lines.append("\(Text.counted(UInt64(report.prolonged), "lock", "locks")) prolonged")
        }
        if report.notProlonged > 0 {
            let words = report.lockRefusal.map { ": " + Text.safe($0) } ?? ""
            lines.append(
                "\(Text.counted(UInt64(report.notProlonged), "lock", "locks")) could not be prolonged\(words)")
        }
        return lines
    }

    // MARK: For programs

    var members: [(String, JSON?)] {
        [
            ("remove", .list(plan.going.map { .object(member($0)) })),
            (
                "keep",
                .list(
                    plan.staying.map { image in
                        .object(member(image) + [("reasons", .list(reasons(image).map(JSON.text)))])
                    })
            ),
            ("groups", .list(plan.groups.map { .object(member($0)) })), ("grace", .seconds(grace)),
            ("storeTime", Self.time(plan.time)), ("remarks", .list(plan.remarks.map(JSON.finding))),
        ]
    }

    private func member(_ image: PruneImage) -> [(String, JSON?)] {
        [
            ("image", .id(image.id.image)), ("series", .text(image.series)), ("sequence", .number(image.sequence)),
            ("time", Self.time(image.time)), ("machineTime", .time(image.machineTime)),
            ("timeDoubtful", .flag(image.isTimeDoubtful)), ("name", .text(image.name)), ("host", .text(image.host)),
            ("writer", .text(image.writerName)), ("contentBytes", .number(image.contentBytes)),
            ("pinned", .flag(image.isPinned)), ("problem", image.problem.map(JSON.text)),
        ]
    }

    private func member(_ group: PruneGroup) -> [(String, JSON?)] {
        [
            ("group", .text(group.id.description)), ("writers", .list(group.writers.map(JSON.text))),
            ("standsStill", group.standsStill.map(JSON.text)),
            ("heldBack", .list(group.heldBack.map { .text($0.description) })),
            ("stored", Self.amount(group.stored)), ("freed", Self.amount(group.freed)),
            ("condemned", Self.amount(group.condemnedNow)), ("young", Self.amount(group.young)),
            ("waiting", Self.amount(group.waiting)), ("waitsUntil", Self.time(group.waitsUntil)),
            ("removable", Self.amount(group.removable)), ("leftovers", Self.amount(group.leftovers)),
            ("locks", .number(UInt64(group.locks))),
        ]
    }

    static func members(_ report: PruneReport) -> [(String, JSON?)] {
        [
            ("images", .number(UInt64(report.images))), ("condemned", amount(report.condemned)),
            ("removed", amount(report.removed)), ("leftovers", amount(report.leftovers)),
            ("waiting", amount(report.waiting)), ("waitsUntil", time(report.waitsUntil)),
            ("locked", .number(UInt64(report.locked))), ("lock", report.lock.map(JSON.text)),
            ("locksProlonged", .number(UInt64(report.prolonged))),
            ("locksNotProlonged", .number(UInt64(report.notProlonged))),
            ("lockRefusal", report.lockRefusal.map(JSON.text)),
        ]
    }

    private static func amount(_ amount: PruneAmount) -> JSON {
        .object([("objects", .number(UInt64(amount.objects))), ("bytes", .number(amount.bytes))])
    }

    private static func time(_ time: Int64?) -> JSON? { time.map { .time(Timestamp(seconds: $0, nanoseconds: 0)) } }
}

extension PruneImage {
    fileprivate func isBefore(_ other: PruneImage) -> Bool {
        let names = (ExactText(series), ExactText(other.series))
        return names.0 == names.1 ? sequence < other.sequence : names.0 < names.1
    }
}
