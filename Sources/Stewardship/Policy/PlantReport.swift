// One page of a plant for people who look rather than read: what each machine has, how old, how proven, and what needs a hand, first of all.

internal import Images
internal import Platform

public struct PlantReport {
    private let check: PolicyCheck
    private let result: PolicyResult

    /// A series and what is to be said of it.
    private struct Row {
        var series: PolicyCheck.SeriesView
        var table: PolicyRules?
        var newest: (store: Int, image: PruneImage)?
        var wrong: [PolicyLine] = []

        var fails: Int { wrong.lazy.filter { $0.verdict == .fails }.count }
        /// What needs a hand first: rules that fail, then what could not be looked at, then the oldest.
        var urgency: (Int, Int, Int64) {
            let time = newest?.image.time ?? .min
            return (fails, wrong.count, time == .min ? .max : -max(time, -.max))
        }
    }

    private struct Group {
        var title: String
        var rows: [Row] = []
        /// Of machines that no table is for.
        var isStrange = false
        var wrong: Int { isStrange ? rows.count : rows.lazy.filter { !$0.wrong.isEmpty }.count }
    }

    /// More than anybody reads; a hostile store can have any number of series.
    private static let mostRows = 5000

    public init(_ policy: Policy, _ evidence: PolicyEvidence) {
        check = PolicyCheck(policy, evidence)
        result = PolicyCheck.run(policy, evidence)
    }

    /// The lines that the page shows.
    public var lines: PolicyResult { result }

    public func page(tool: String) -> [UInt8] {
        var page = Page("Plant", subtitle: "Looked at \(Page.time(result.time)) · \(tool)")
        page.add(
            "<p class=\"verdict \(result.verdict.mark)\">\(Page.escaped(verdict))</p>\n<p class=\"soft\">\(Page.escaped(sums))</p>\n"
        )
        addCommon(to: &page)
        var left = Self.mostRows
        for group in groups {
            add(group, most: left, to: &page)
            left = max(0, left - group.rows.count)
        }
        return page.bytes
    }

    private var verdict: String {
        if check.policy.isEmpty {
            return result.verdict == .holds
                ? "No policy is set: nothing is asked for."
                : "No policy is set, and something of the stores needs a look."
        }
        return result.sentence
    }

    private var sums: String {
        let machines = Set(check.series.map { ExactText(PolicyRules.machine(of: $0.name)) }).count
        let seen = check.evidence.stores.compactMap(\.evidence)
        let images = seen.reduce(0) { $0 + $1.series.reduce(0) { $0 + $1.images.count } }
        return
            "\(counted(machines, "machine", "machines")), \(check.series.count) series, \(counted(images, "image", "images")) in "
            + "\(counted(seen.count, "store", "stores"))"
    }

    // MARK: What is of no series

    private func addCommon(to page: inout Page) {
        let series = Set(check.series.map { ExactText($0.name) })
        let own = result.lines.filter { $0.verdict != .holds && !series.contains(ExactText($0.subject)) }
        if own.isEmpty { return }
        page.add("<h2>Needs a hand</h2>\n<ul>\n")
        for line in own.prefix(200) {
            page.add(
                "<li><b class=\"\(line.verdict.mark)\">\(line.rule.rawValue)</b> \(Page.escaped(line.subject)): \(Page.escaped(line.found))"
                    + " <span class=\"soft\">(required: \(Page.escaped(line.required))\(since(line)))</span></li>\n")
        }
        page.add("</ul>\n")
        if own.count > 200 { page.add("<p class=\"soft\">and \(own.count - 200) more</p>\n") }
    }

    private func since(_ line: PolicyLine) -> String { line.since.map { "; since \(Page.time($0))" } ?? "" }

    // MARK: Machines

    /// By site and line; those with something wrong first.
    private var groups: [Group] {
        let wrong = Dictionary(grouping: result.lines.filter { $0.verdict != .holds }) { ExactText($0.subject) }
        var groups: [ExactText: Group] = [:]
        for view in check.series {
            let table = check.policy.tables.first { $0.isFor(series: view.name) }
            var row = Row(series: view, table: table)
            row.newest = view.places.compactMap { place in place.found.whole.map { (place.store, $0) } }
                .max { ($0.1.time ?? .min) < ($1.1.time ?? .min) }
            row.wrong = wrong[ExactText(view.name)] ?? []
            let title = table.map { [$0.site, $0.line ?? $0.name].compactMap { $0 }.joined(separator: " · ") }
            let key = title ?? (check.policy.isEmpty ? "All machines" : "Not in the policy")
            let isStrange = title == nil && !check.policy.isEmpty
            groups[ExactText(key), default: Group(title: key, isStrange: isStrange)].rows.append(row)
        }
        return groups.sorted { $0.key < $1.key }.map { _, group in
            var group = group
            group.rows.sort { a, b in
                let (first, second) = (a.urgency, b.urgency)
                return first != second ? first > second : ExactText(a.series.name) < ExactText(b.series.name)
            }
            return group
        }.enumerated().sorted { ($1.element.wrong, $0.offset) < ($0.element.wrong, $1.offset) }.map(\.element)
    }

    private func add(_ group: Group, most: Int, to page: inout Page) {
        let wrong = group.wrong
        let words =
            wrong > 0 ? "\(wrong) of \(group.rows.count) need a hand" : "\(group.rows.count), all as it has to be"
        page.add(
            "<h2>\(Page.escaped(group.title))</h2>\n<p class=\"soft\">\(check.policy.isEmpty ? "\(group.rows.count)" : words)</p>\n"
        )
        page.add(
            "<table><thead><tr><th>Machine</th><th>Newest</th><th>Goal</th><th>In</th><th>Read whole</th><th>Drill</th>"
                + "<th>Size</th><th>Over time</th><th>Policy</th></tr></thead>\n")
        for row in group.rows.prefix(most) { page.add(markup(row)) }
        page.add("</table>\n")
        if group.rows.count > most { page.add("<p class=\"soft\">and \(group.rows.count - most) more</p>\n") }
    }

    private func markup(_ row: Row) -> String {
        let image = row.newest?.image
        let stores = row.series.places.filter { $0.found.whole != nil }.map { check.name($0.store) }
        let goal = row.table?.age.map { spanWords($0) } ?? "–"
        var newest = "<b class=\"fails\">none that is whole</b>"
        if let image {
            newest = "<b>\(check.age(image.time))</b><br><span class=\"soft\">\(Page.time(image.time))</span>"
        }
        let size = image.map { Page.size($0.contentBytes) } ?? "–"
        var cells = "<tr><td><b>\(Page.escaped(row.series.name))</b></td><td data-l=\"Newest\">\(newest)</td>"
        cells +=
            "<td data-l=\"Goal\">\(goal)</td><td data-l=\"In\">\(Page.escaped(stores.joined(separator: ", ")))</td>"
        cells += "<td data-l=\"Read whole\">\(proof(row))</td><td data-l=\"Drill\">\(drill(row))</td>"
        cells += "<td data-l=\"Size\">\(size)</td>"
        cells += "<td>\(chart(row))</td><td data-l=\"Policy\">\(policy(row))</td></tr>\n"
        return cells
    }

    /// When it was read whole last, or found damaged.
    private func proof(_ row: Row) -> String {
        var newest: PruneImage.Proof?
        for place in row.series.places {
            for proof in place.found.images.lazy.compactMap(\.proof) where check.counts(proof) {
                if newest.map({ $0.time < proof.time }) ?? true { newest = proof }
            }
        }
        guard let newest else { return "–" }
        let when = "\(spanWords(max(0, result.time.subtracting(saturating: newest.time)))) ago"
        return newest.result == .damaged ? "<b class=\"fails\">damaged</b>, \(when)" : when
    }

    private func drill(_ row: Row) -> String {
        guard let drill = check.drills[ExactText(row.series.name)] else { return "–" }
        let when = "\(spanWords(max(0, result.time.subtracting(saturating: drill.time)))) ago"
        let words = "\(Page.escaped(drill.kind, most: 40)), \(when)"
        return drill.hasPassed ? words : "<b class=\"fails\">\(Page.escaped(drill.verdict, most: 100))</b>, \(words)"
    }

    private func policy(_ row: Row) -> String {
        if row.table == nil { return check.policy.isEmpty ? "–" : "<b class=\"fails\">unknown machine</b>" }
        if row.wrong.isEmpty { return "<span class=\"holds\">holds</span>" }
        let words = row.wrong.prefix(4).map { line in
            "<b class=\"\(line.verdict.mark)\">\(line.rule.rawValue)</b> \(Page.escaped(line.found, most: 160))\(since(line))"
        }
        return words.joined(separator: "<br>") + (row.wrong.count > 4 ? "<br>and \(row.wrong.count - 4) more" : "")
    }

    /// Sizes of the newest images over their times, of the store that has most of them.
    private func chart(_ row: Row) -> String {
        let most = row.series.places.max { $0.found.images.count < $1.found.images.count }
        let points = (most?.found.images ?? []).compactMap { image in image.time.map { ($0, image.contentBytes) } }
            .sorted { $0.0 < $1.0 }
        guard points.count > 1, let first = points.first?.0, let last = points.last?.0, last > first,
            let largest = points.map(\.1).max(), largest > 0
        else { return "" }
        // As many as can be told apart in so small a picture.
        let step = max(1, points.count / 24)
        let shown = stride(from: points.count - 1, through: 0, by: -step).reversed().map { points[$0] }
        let length = Double(last) - Double(first)
        let drawn = shown.map { time, bytes in
            let x = Int(((Double(time) - Double(first)) / length * 86 + 2).rounded())
            let y = Int((22 - Double(bytes) / Double(largest) * 20).rounded())
            return "\(x),\(y)"
        }
        let label = "\(points.count) images, \(Page.size(points[0].1)) to \(Page.size(points[points.count - 1].1))"
        return
            "<svg viewBox=\"0 0 90 24\" role=\"img\" aria-label=\"\(label)\"><polyline points=\"\(drawn.joined(separator: " "))\"/></svg>"
    }
}
