// Which command the words of a command line name, told by the tree of commands itself.

internal import ArgumentParser
internal import Reporting

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

    /// Whether the words name a command that only groups others.
    static func isGroup(_ words: [String], in root: any ParsableCommand.Type) -> Bool {
        !names(below: words, in: root).isEmpty
    }

    /// Every command that does something, by its words.
    static func all(in root: any ParsableCommand.Type) -> [[String]] {
        root.configuration.subcommands.flatMap { command -> [[String]] in
            let own = [command._commandName]
            let inner = all(in: command).map { own + $0 }
            return inner.isEmpty ? [own] : inner
        }
    }

    /// A word that should name a command and does not.
    struct Unknown {
        var word: String
        /// The command that was meant, most likely.
        var meant: String?
    }

    /// The first word of a command line that should name a command and does not.
    static func unknown(_ arguments: [String], in root: any ParsableCommand.Type) -> Unknown? {
        let words = arguments.first == "help" ? Array(arguments.dropFirst()) : arguments
        let found = find(words, in: root)
        let inner = names(below: found, in: root)
        guard !inner.isEmpty, found.count < words.count, !hasDefault(found, in: root) else { return nil }
        let word = words[found.count]
        if word.hasPrefix("-") || word == "help" { return nil }
        let meant = found.isEmpty ? foreign[word] ?? mostLike(word, among: inner) : mostLike(word, among: inner)
        return Unknown(word: word, meant: meant)
    }

    /// What people type who come from other tools.
    private static let foreign = [
        "list": "status", "ls": "status", "points": "status", "snapshots": "images", "snapshot": "create",
        "tag": "create", "save": "create", "delete": "destroy", "remove": "destroy", "rm": "destroy",
        "forget": "prune",
        "revert": "rollback", "reset": "factory-reset", "check": "verify", "extract": "restore", "init": "setup",
        "enable": "filter enable", "disable": "filter disable", "commit": "filter commit", "discard": "filter discard",
        "shred": "wipe", "erase": "wipe",
    ]

    /// The names of the commands below these words.
    private static func names(below words: [String], in root: any ParsableCommand.Type) -> [String] {
        command(words, in: root)?.configuration.subcommands.map { $0._commandName } ?? []
    }

    /// Whether what these words name does something also without a further command: what follows may be meant for that.
    private static func hasDefault(_ words: [String], in root: any ParsableCommand.Type) -> Bool {
        command(words, in: root)?.configuration.defaultSubcommand != nil
    }

    private static func command(
        _ words: [String], in root: any ParsableCommand.Type
    ) -> (any ParsableCommand.Type)? {
        var command = root
        for word in words {
            guard let next = command.configuration.subcommands.first(where: { isNamed($0, word) }) else { return nil }
            command = next
        }
        return command
    }

    private static func isNamed(_ command: any ParsableCommand.Type, _ word: String) -> Bool {
        command._commandName == word || command.configuration.aliases.contains(word)
    }
}
