// Columns for people.

internal import Platform

struct Table {
    enum Alignment { case left, right }

    private let alignments: [Alignment]
    private let lessNeeded: [Int]
    private var rows: [[String]]

    /// - Parameter lessNeeded: columns that are left out where a terminal is too narrow, the first of them first.
    init(_ columns: [(title: String, alignment: Alignment)], lessNeeded: [Int] = []) {
        alignments = columns.map(\.alignment)
        self.lessNeeded = lessNeeded
        rows = [columns.map(\.title)]
    }

    mutating func add(_ cells: [String]) { rows.append(cells) }

    /// The lines, without blanks at their ends; where standard output is a terminal, no longer than its own.
    var text: String {
        let columns = terminalColumns(1)
        return text(columns: columns > 0 ? columns : .max)
    }

    /// The same on a terminal of so many columns: the last column gives way.
    func text(columns: Int) -> String {
        let widths = alignments.indices.map { column in rows.map { Text.width($0[column]) }.max() ?? 0 }
        var shown = Array(alignments.indices)
        for column in lessNeeded where shown.reduce(0, { $0 + widths[$1] + 2 }) - 2 > columns {
            shown.removeAll { $0 == column }
        }
        return rows.map { row in
            var line = ""
            for column in shown {
                let cell = row[column]
                let padding = String(repeating: " ", count: widths[column] - Text.width(cell))
                if column != shown.first { line += "  " }
                line += alignments[column] == .left ? cell + padding : padding + cell
            }
            while line.last == " " { line.removeLast() }
            return Text.shortened(line, to: columns) + "\n"
        }.joined()
    }
}
