// A plant compared with its policy. Each line rests on what a store or a signed file shows, and is made of that and the time alone, so that the same
// evidence gives the same lines.

internal import Images
internal import Platform
internal import Reporting

public struct PolicyCheck {
    let policy: Policy
    let evidence: PolicyEvidence
    /// Each series with the stores that have an image of it.
    let series: [SeriesView]
    /// Of each series the newest drill, and the newest that nobody gave a key for.
    let drills: [ExactText: DrillEvidence]
    let unattendedDrills: [ExactText: DrillEvidence]
    var lines: [PolicyLine] = []

    /// A series in all the stores that were looked at.
    struct SeriesView {
        var name: String
        /// In the order of the stores.
        var places: [(store: Int, found: SeriesEvidence)] = []
    }

    /// By how much a clock may be wrong before its word is not believed.
    static let slack: Int64 = 300

    init(_ policy: Policy, _ evidence: PolicyEvidence) {
        self.policy = policy
        self.evidence = evidence
        var all: [ExactText: SeriesView] = [:]
        for (number, store) in evidence.stores.enumerated() {
            for found in store.evidence?.series ?? [] {
                all[ExactText(found.name), default: SeriesView(name: found.name)].places.append((number, found))
            }
        }
        // What never came to its end says nothing, for or against.
        drills = Self.newestDrills(evidence) { $0.verdict != DrillReport.Verdict.notCompleted.rawValue }
        unattendedDrills = Self.newestDrills(evidence) { $0.unattendedKey != nil }
        series = all.sorted { $0.key < $1.key }.map(\.value)
    }

    /// All lines: of stores first, then table by table, then of what no table knows.
    public static func run(_ policy: Policy, _ evidence: PolicyEvidence) -> PolicyResult {
        var check = PolicyCheck(policy, evidence)
        check.lookAtStores()
        for table in policy.tables {
            let stores = check.stores(of: table)
            for series in check.series where table.isFor(series: series.name) {
                check.judge(series, table, stores)
            }
            check.missSeries(table, stores)
            check.missMachines(table, stores)
            check.countRecipients(table, stores)
            check.judgeMedia(table, stores)
            check.findOverdue(table, stores)
        }
        check.nameStrangers()
        check.nameDoubts()
        check.nameDeviations()
        return PolicyResult(lines: check.lines, time: evidence.time)
    }

    /// The places of a table's stores among those that were looked at.
    private func stores(of table: PolicyRules) -> [Int] {
        evidence.stores.indices.filter { table.stores.contains(evidence.stores[$0].name) }
    }

    // MARK: Words

    func name(_ store: Int) -> String { evidence.stores[store].name }

    /// Whether it was looked at; else nobody knows what is there.
    func isSeen(_ store: Int) -> Bool { evidence.stores[store].evidence != nil }

    func evidence(_ store: Int, _ image: PruneImage?) -> PolicyLine.Evidence {
        PolicyLine.Evidence(store: name(store), image: image?.id.image, time: image?.time)
    }

    /// `nas (2 h old)`
    func age(_ time: Int64?) -> String {
        guard let time else { return "of a time that nobody knows" }
        let age = evidence.time.subtracting(saturating: time)
        return age < -Self.slack ? "of a time that lies ahead" : "\(spanWords(max(0, age))) old"
    }

    /// Whether an image is no older than that. A time that lies ahead proves nothing.
    func isFresh(_ time: Int64?, _ limit: Int64) -> Bool {
        guard let time else { return false }
        let age = evidence.time.subtracting(saturating: time)
        return age >= -Self.slack && age <= limit
    }

    func list(_ stores: [Int]) -> String {
        let names = stores.map(name)
        return names.count > 8
            ? names.prefix(8).joined(separator: ", ") + " and \(names.count - 8) more" : names.joined(separator: ", ")
    }
}

/// `26 h`, `3 d`, `2 w`: as a rule is written, in its largest unit that fits; below two days in hours.
public func spanWords(_ seconds: Int64) -> String {
    switch seconds {
    case ..<60: "\(seconds) s"
    case ..<3600: "\(seconds / 60) min"
    case ..<172_800: "\(seconds / 3600) h"
    default: "\(seconds / 86_400) d"
    }
}

func counted(_ number: Int, _ one: String, _ many: String) -> String { "\(number) \(number == 1 ? one : many)" }

// MARK: - What no table asks for

extension PolicyCheck {
    fileprivate mutating func lookAtStores() {
        for store in evidence.stores {
            guard case .found(let found) = store.look else {
                if case .failed(let reason) = store.look {
                    lines.append(
                        PolicyLine(.store, nil, store.name, required: "it can be looked at", found: reason, .unknown))
                }
                continue
            }
            let count = found.series.reduce(0) { $0 + $1.images.count }
            let words = "\(counted(count, "image", "images")) of \(counted(found.series.count, "series", "series"))"
            lines.append(
                PolicyLine(.store, nil, store.name, required: "it can be looked at", found: words, .holds))
            if found.sealed > 0 || found.limitation != nil {
                lines.append(
                    PolicyLine(
                        .store, nil, store.name, required: "all of it can be looked at",
                        found: found.limitation
                            ?? "\(counted(found.sealed, "image", "images")) that the keys at hand do not open", .unknown
                    ))
            }
            for image in found.others.prefix(Self.mostNamed) { nameOther(image, store.name) }
            if found.others.count > Self.mostNamed {
                let more = found.others.count - Self.mostNamed
                lines.append(
                    PolicyLine(
                        .store, nil, store.name, required: "what lies among the images is one",
                        found: "\(more) more that count for nothing", .fails))
            }
            for finding in found.findings.prefix(Self.mostNamed) {
                lines.append(
                    PolicyLine(
                        .store, nil, store.name, required: "nothing that was there is missing",
                        found: "\(finding.subject): \(finding.reason)", .fails))
            }
        }
    }

    private static var mostNamed: Int { 100 }

    private mutating func nameOther(_ image: PruneImage, _ store: String) {
        lines.append(
            PolicyLine(
                .store, nil, store, required: "what lies among the images is one",
                found:
                    "\(image.id.image.description.prefix(8)) counts for nothing: \(image.problem ?? "it cannot be read")",
                evidence: [PolicyLine.Evidence(store: store, image: image.id.image, time: image.time)], .fails))
    }

    /// Reports and certificates that nobody can believe: what they would say is not known.
    fileprivate mutating func nameDoubts() {
        var doubts: [(PolicyLine.Rule, String, String)] = []
        if case .items(_, let refused) = evidence.drills { doubts += refused.map { (.drilled, "reports", $0) } }
        if case .items(_, let refused) = evidence.certificates {
            doubts += refused.map { (.media, "certificates", $0) }
        }
        for (rule, subject, reason) in doubts.prefix(Self.mostNamed) {
            lines.append(
                PolicyLine(rule, nil, subject, required: "each is signed by whom it may be", found: reason, .unknown))
        }
    }

    /// Series that no table is for, machine by machine.
    fileprivate mutating func nameStrangers() {
        if policy.tables.isEmpty { return }
        var strangers: [ExactText: [SeriesView]] = [:]
        for view in series where !policy.tables.contains(where: { $0.isFor(series: view.name) }) {
            strangers[ExactText(PolicyRules.machine(of: view.name)), default: []].append(view)
        }
        for (machine, views) in strangers.sorted(by: { $0.key < $1.key }) {
            let places = views.flatMap(\.places)
            // A copy of an image is no other one.
            let images = Set(places.flatMap { $0.found.images.map(\.id.image) }).count
            let stores = Set(places.map(\.store)).sorted()
            let newest = places.compactMap { place in place.found.images.last.map { (place.store, $0) } }
                .max { ($0.1.time ?? .min) < ($1.1.time ?? .min) }
            let first = places.compactMap { $0.found.images.compactMap(\.time).min() }.min()
            let writer = newest.map { $0.1.writerName } ?? ""
            let names = views.prefix(3).map(\.name).joined(separator: ", ")
            let more = views.count > 3 ? " and \(views.count - 3) more series" : ""
            lines.append(
                PolicyLine(
                    .unknownMachine, nil, machine.text,
                    required: "each machine in a store is one that the policy knows",
                    found:
                        "\(counted(images, "image", "images")) of \(names)\(more) in \(list(stores)), written by \(writer)",
                    evidence: newest.map { [evidence($0.0, $0.1)] } ?? [], .fails, since: first))
        }
    }
}
