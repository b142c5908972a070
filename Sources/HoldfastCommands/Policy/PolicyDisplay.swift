// The lines of a policy, for people and for programs.

internal import Images
internal import Platform
internal import Stewardship

struct PolicyDisplay {
    private let result: PolicyResult
    private let evidence: PolicyEvidence

    /// What a person reads of one kind before the rest is counted.
    private static let mostShown = 200

    init(_ result: PolicyResult, _ evidence: PolicyEvidence) {
        self.result = result
        self.evidence = evidence
    }

    func show(in session: Session) {
        if session.console.isJSON { return session.console.document(document) }
        var summary: [String] = []
        for verdict in [PolicyLine.Verdict.fails, .unknown] + (session.console.isVerbose ? [.holds] : []) {
            let lines = result.lines.filter { $0.verdict == verdict }
            let limit = session.console.isVerbose ? Int.max : Self.mostShown
            summary += lines.prefix(limit).map { Self.words($0) }
            if lines.count > limit {
                summary.append(
                    "and \(Text.counted(UInt64(lines.count - limit), "more", "more")), which --verbose tells")
            }
        }
        session.show([], summary: summary + [result.sentence])
        for rule in PolicyLine.Rule.allCases
        where result.lines.contains(where: { $0.rule == rule && $0.verdict == .fails }) {
            if let mend = Self.mend(rule) { session.console.note("\(rule.rawValue): \(mend)") }
        }
        // What the policy allows is said all the same.
        if !session.console.isVerbose {
            for line in result.lines where line.required == PolicyLine.keyIsAllowed {
                session.console.note("a key that opens \(line.subject) is on the machine: \(line.found)")
            }
        }
        if evidence.stores.contains(where: { $0.evidence == nil }) {
            session.console.note(
                "a store is opened with --identity FILE, a steward's key or an identity, once it is there")
        }
    }

    /// What brings a rule back that fails; nil where its line says it.
    private static func mend(_ rule: PolicyLine.Rule) -> String? {
        switch rule {
        case .copies, .apart, .offsite: "`holdfast copy --from STORE --to STORE` brings copies up to date"
        case .age: "`holdfast schedule status` on the machine says when it backs up, and what keeps it from it"
        case .proven: "`holdfast verify --from STORE --identity FILE --read-data --share` reads images, and notes it"
        case .drilled:
            "`holdfast drill IMAGE --from STORE --report FILE` proves that one restores; FILE goes into the folder of drills"
        case .keyOnMachine:
            "have another machine make the drills, or allow it with `key_on_machine = true` in [policy.NAME]"
        case .recipients: "`holdfast key add age1… --to STORE` lets another identity open it"
        case .missingMachine, .unknownMachine:
            "machines and series stand in [policy.NAME]; `holdfast images --from STORE` lists what is there"
        case .store, .retention, .media, .integrity, .uncoveredMounts: nil
        }
    }

    /// `fails: age of press-01/plc (line3): required an image not older than 26 h; the newest is 3 d old, in nas [nas: 4f2a01bc, 2026-11-20 08:56 UTC]`
    private static func words(_ line: PolicyLine) -> String {
        let table = line.table.map { " (\($0))" } ?? ""
        let evidence = line.evidence.map(\.words).joined(separator: "; ")
        let since = line.since.map { ", since \(Text.time(Timestamp(seconds: $0, nanoseconds: 0)))" } ?? ""
        return
            "\(line.verdict.rawValue): \(line.rule.rawValue) of \(line.subject)\(table): required: \(line.required); "
            + "found: \(line.found)\(evidence.isEmpty ? "" : " [\(evidence)]")\(since)"
    }

    private var document: JSON {
        .object([
            ("verdict", .text(result.verdict.rawValue)), ("time", Self.time(result.time)),
            ("fails", .number(UInt64(result.count(.fails)))), ("unknown", .number(UInt64(result.count(.unknown)))),
            ("holds", .number(UInt64(result.count(.holds)))),
            ("stores", .list(evidence.stores.map(Self.member))),
            ("lines", .list(result.lines.map(Self.member))),
        ])
    }

    private static func member(_ store: StoreView) -> JSON {
        var reason: String?
        if case .failed(let why) = store.look { reason = why }
        let found = store.evidence
        let images = found.map { $0.series.reduce(0) { $0 + $1.images.count } }
        var medium: JSON?
        if case .facts(let facts) = store.medium {
            medium = .object([
                ("kind", .text(facts.kind)), ("fileSystem", facts.fileSystem.map(JSON.text)),
                ("capacity", facts.capacity.map(JSON.number)), ("serials", .list(facts.serials.map(JSON.text))),
            ])
        }
        return .object([
            ("name", .text(store.name)), ("site", store.site.map(JSON.text)), ("offsite", .flag(store.isOffsite)),
            ("lookedAt", .flag(found != nil)), ("reason", reason.map(JSON.text)),
            ("store", found.map { .text($0.store) }),
            ("series", found.map { .number(UInt64($0.series.count)) }), ("images", images.map { .number(UInt64($0)) }),
            ("medium", medium),
        ])
    }

    private static func member(_ line: PolicyLine) -> JSON {
        .object([
            ("rule", .text(line.rule.rawValue)), ("table", line.table.map(JSON.text)), ("subject", .text(line.subject)),
            ("required", .text(line.required)), ("found", .text(line.found)), ("verdict", .text(line.verdict.rawValue)),
            ("since", time(line.since)),
            (
                "evidence",
                .list(
                    line.evidence.map { one in
                        .object([
                            ("store", one.store.map(JSON.text)), ("image", one.image.map(JSON.id)),
                            ("time", time(one.time)),
                            ("text", one.text.map(JSON.text)),
                        ])
                    })
            ),
        ])
    }

    private static func time(_ time: Int64?) -> JSON? { time.map { .time(Timestamp(seconds: $0, nanoseconds: 0)) } }
}
