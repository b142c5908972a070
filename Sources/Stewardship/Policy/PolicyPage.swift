// What `policy check` found as a page.

internal import Images
internal import Platform

extension PolicyResult {
    /// As many lines as anybody reads; the JSON document has all.
    private static var mostShown: Int { 5000 }

    /// What it comes to, in a sentence.
    public var sentence: String {
        let fails = count(.fails), unknown = count(.unknown), holds = count(.holds)
        if lines.isEmpty { return "Nothing is asked for: the configuration has no policy." }
        if fails == 0, unknown == 0 { return "All \(holds) rules hold." }
        var parts: [String] = []
        if fails > 0 { parts.append("\(fails) \(fails == 1 ? "rule fails" : "rules fail")") }
        if unknown > 0 { parts.append("\(unknown) could not be looked at") }
        if holds > 0 { parts.append("\(holds) \(holds == 1 ? "holds" : "hold")") }
        return parts.joined(separator: ", ") + "."
    }

    public func page(tool: String) -> [UInt8] {
        var page = Page("Policy", subtitle: "Looked at \(Page.time(time)) · \(tool)")
        page.add("<p class=\"verdict \(verdict.mark)\">\(Page.escaped(sentence))</p>\n")
        for (verdict, title) in [
            (PolicyLine.Verdict.fails, "What fails"), (.unknown, "What could not be looked at"), (.holds, "What holds"),
        ] {
            let own = lines.filter { $0.verdict == verdict }
            if own.isEmpty { continue }
            page.add(
                "<h2>\(title)</h2>\n<table><thead><tr><th>Rule</th><th>Of</th><th>Required</th><th>Found</th><th>Evidence</th>"
            )
            page.add(verdict == .holds ? "</tr></thead>\n" : "<th>Since</th></tr></thead>\n")
            for line in own.prefix(Self.mostShown) { page.add(row(line)) }
            page.add("</table>\n")
            if own.count > Self.mostShown {
                page.add("<p class=\"soft\">and \(own.count - Self.mostShown) more</p>\n")
            }
        }
        return page.bytes
    }

    private func row(_ line: PolicyLine) -> String {
        let table = line.table.map { " <span class=\"soft\">(\(Page.escaped($0)))</span>" } ?? ""
        return "<tr><td class=\"state \(line.verdict.mark)\">\(line.rule.rawValue)</td>"
            + "<td data-l=\"Of\">\(Page.escaped(line.subject))\(table)</td>"
            + "<td data-l=\"Required\">\(Page.escaped(line.required))</td><td data-l=\"Found\">\(Page.escaped(line.found))</td>"
            + "<td data-l=\"Evidence\">\(line.evidence.map { Page.escaped($0.words) }.joined(separator: "<br>"))</td>"
            + (line.verdict == .holds ? "" : "<td data-l=\"Since\">\(line.since.map { Page.time($0) } ?? "")</td>")
            + "</tr>\n"
    }
}

extension PolicyLine.Evidence {
    /// `nas: 4f2a01bc, 2026-11-20 08:56 UTC`
    public var words: String {
        let what = [image.map { String($0.description.prefix(8)) }, time.map { Page.time($0) }, text].compactMap { $0 }
            .joined(separator: ", ")
        return store.map { what.isEmpty ? $0 : "\($0): \(what)" } ?? what
    }
}
