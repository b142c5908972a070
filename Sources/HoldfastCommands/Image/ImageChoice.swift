// Which of a store's images somebody means who names none: a numbered list, the newest first.

internal import Images
internal import Platform
internal import Reporting

/// As many as one sees at once on a terminal of 24 lines.
private let shownAtOnce = 20

extension Session {
    /// Has an image chosen of those that can be restored.
    /// - Parameter place: the store as it was typed, for the command that lists all.
    func chooseImage(of store: Store, _ filter: ImageFilter, at place: StoreArgument) throws -> ImageSummary {
        let all = try store.images()
        let images = Array(all.filter { $0.problem == nil && $0.label.map(filter.holds) ?? false }.reversed())
        try store.lostImages(all, filter).forEach(findings.add)
        if images.isEmpty {
            throw Problem.usage(
                "\(store.subject) has no image that could be restored",
                hint: "`holdfast images --from \(place)` lists all")
        }
        let shown = Array(images.prefix(shownAtOnce))
        let digits = idDigits(images)
        var table = Table([
            ("", .right), ("ID", .left), ("TIME (\(Text.zone))", .left), ("HOST", .left), ("SERIES", .left),
        ])
        for (index, image) in shown.enumerated() {
            guard let label = image.label else { continue }
            table.add([
                "\(index + 1)", String(image.id.description.prefix(digits)), Text.localMinute(label.time),
                Text.safe(label.host), image.remark + Text.safe(label.series),
            ])
        }
        var lines = table.text(columns: columnsOfTerminal).split(separator: "\n").map(String.init)
        if images.count > shown.count {
            let older = Text.counted(UInt64(images.count - shown.count), "older image", "older images")
            lines.append(
                "… and \(older): `holdfast images --from \(place)` lists all, `holdfast restore ID …` takes one")
        }
        let names = shown.map { String($0.id.description.prefix(digits)) }
        return shown[try choose("Restore which image?", from: lines, names: names)]
    }

    var columnsOfTerminal: Int { [1, 2, 0].map(terminalColumns).first { $0 > 0 } ?? 80 }
}

extension ImageSummary {
    /// What has to be known before it is chosen, with a blank after it; empty where there is nothing.
    var remark: String {
        var notes: [String] = []
        if isDamaged { notes.append("damaged") }
        if isUnfinished { notes.append("unfinished") }
        if let label, label.findings > 0 { notes.append(Text.counted(label.findings, "finding", "findings")) }
        return notes.isEmpty ? "" : "(\(notes.joined(separator: ", "))) "
    }
}

/// As many digits of the ids as tell all of them apart, and at least eight.
func idDigits(_ images: [ImageSummary]) -> Int {
    let ids = images.map(\.id.description).sorted()
    let shared = zip(ids, ids.dropFirst()).map { zip($0, $1).prefix { $0 == $1 }.count }.max() ?? 0
    return max(8, shared + 1)
}
