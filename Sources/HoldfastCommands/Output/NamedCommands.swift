// Commands that a text names in backquotes can be typed as they stand: where another state was given, they have it, too.

internal import ArgumentParser
internal import Boot
internal import Platform

struct NamedCommands: Sendable {
    /// ` --state /opt/state`
    private let option: String
    /// What takes it.
    private let verbs: Set<String>

    /// nil where nothing has to be added.
    init?(_ command: any HoldfastCommand, in root: any ParsableCommand.Type) {
        guard let given = (command as? any StatefulCommand)?.state.state, let state = try? given.absolute else {
            return nil
        }
        let isPlain = state.isPlainInScripts
        // A quote in it would want more than people read; then the commands stand as they are.
        guard isPlain || !state.bytes.contains(UInt8(ascii: "'")) else { return nil }
        option = " --state " + (isPlain ? state.description : "'\(state)'")
        verbs = Set(root.configuration.subcommands.filter { Self.takesState($0) }.map { $0._commandName })
    }

    private static func takesState(_ command: any ParsableCommand.Type) -> Bool {
        (command as? any StatefulCommand.Type) != nil
            || command.configuration.subcommands.contains { takesState($0) }
    }

    func completing(_ text: String) -> String {
        var parts = text.split(separator: "`", omittingEmptySubsequences: false).map(String.init)
        // Every second part is in backquotes.
        for index in stride(from: 1, to: parts.count - 1, by: 2) {
            let words = parts[index].split(separator: " ")
            if words.count > 1, words[0] == "holdfast", verbs.contains(String(words[1])), !words.contains("--state") {
                parts[index] += option
            }
        }
        return parts.joined(separator: "`")
    }
}
