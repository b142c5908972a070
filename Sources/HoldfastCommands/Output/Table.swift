// Columns for people.

struct Table {
    enum Alignment { case left, right }

    private let alignments: [Alignment]
    private var rows: [[String]]

    init(_ columns: [(title: String, alignment: Alignment)]) {
        alignments = columns.map(\.alignment)
        rows = [columns.map(\.title)]
    }

    mutating func add(_ cells: [String]) { rows.append(cells) }

    /// The lines, without blanks at their ends.
    var text: String { text(columns: .max) }

    /// The same on a terminal of so many columns: the last column gives way.
    func text(columns: Int) -> String {
        let widths = alignments.indices.map { column in rows.map { Text.width($0[column]) }.max() ?? 0 }
        return rows.map { row in
            var line = ""
            for (column, cell) in row.enumerated() {
                let padding = String(repeating: " ", count: widths[column] - Text.width(cell))
                if column > 0 { line += "  " }
                line += alignments[column] == .left ? cell + padding : padding + cell
            }
            line = Text.shortened(line, to: columns)
            while line.last == " " { line.removeLast() }
            return line + "\n"
        }.joined()
    }
}
