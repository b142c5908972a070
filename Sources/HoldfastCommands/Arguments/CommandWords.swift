// Which command the words of a command line name, told by the tree of commands itself.

internal import ArgumentParser

enum CommandWords {
    /// The command that the first words name, below `root`, and how many words that takes: `key add`, but `create` of `create NAME`.
    static func find(_ words: some Collection<String>, in root: any ParsableCommand.Type) -> [String] {
        var (found, command): ([String], any ParsableCommand.Type) = ([], root)
        for word in words {
            guard let next = command.configuration.subcommands.first(where: { isNamed($0, word) }) else { break }
            found.append(word)
            command = next
        }
        return found
    }

    /// Every command that does something, by its words.
    static func all(in root: any ParsableCommand.Type) -> [[String]] {
        root.configuration.subcommands.flatMap { command -> [[String]] in
            let own = [command._commandName]
            let inner = all(in: command).map { own + $0 }
            return inner.isEmpty ? [own] : inner
        }
    }

    private static func isNamed(_ command: any ParsableCommand.Type, _ word: String) -> Bool {
        command._commandName == word || command.configuration.aliases.contains(word)
    }
}
