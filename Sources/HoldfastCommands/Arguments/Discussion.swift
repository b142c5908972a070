// What the help of a command says below its abstract: what is to be known beyond the options, and lines that people type.

/// Composes a discussion. What shows it (help, the manual) finds the examples by their heading.
/// - Parameter examples: whole command lines, each with what it is for behind ` # `.
func discussion(_ text: String = "", examples: String...) -> String {
    let parts = examples.map { $0.split(separator: " # ", maxSplits: 1).map(String.init) }
    let width = parts.filter { $0.count == 2 }.map { $0[0].count }.max() ?? 0
    let lines = parts.map { part in
        guard part.count == 2 else { return "  " + part[0] }
        return "  " + part[0] + String(repeating: " ", count: max(0, width - part[0].count)) + "  # " + part[1]
    }
    let paragraph = ([examplesHeading] + lines).joined(separator: "\n")
    return text.isEmpty ? paragraph : text + "\n\n" + paragraph
}

let examplesHeading = "EXAMPLES:"
