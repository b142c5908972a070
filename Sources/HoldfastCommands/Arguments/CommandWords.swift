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
        guard !inner.isEmpty, found.count < words.count else { return nil }
        let word = words[found.count]
        if word.hasPrefix("-") || word == "help" { return nil }
        var meant: String?
        var least = max(1, min(word.count, 8) / 3) + 1
        for name in inner {
            let distance = distance(word, name)
            if distance < least { (meant, least) = (name, distance) }
        }
        return Unknown(word: word, meant: meant)
    }

    /// The names of the commands below these words.
    private static func names(below words: [String], in root: any ParsableCommand.Type) -> [String] {
        var command = root
        for word in words {
            guard let next = command.configuration.subcommands.first(where: { isNamed($0, word) }) else { return [] }
            command = next
        }
        return command.configuration.subcommands.map { $0._commandName }
    }

    /// How many letters have to be put in, taken out, changed or exchanged with their neighbour (optimal string alignment).
    private static func distance(_ a: String, _ b: String) -> Int {
        let (a, b) = (Array(a.lowercased().prefix(32)), Array(b))
        var rows = [[Int]](repeating: Array(0...b.count), count: a.count + 1)
        for i in 0...a.count { rows[i][0] = i }
        for i in 1..<max(1, a.count + 1) {
            for j in 1..<max(1, b.count + 1) {
                let change = rows[i - 1][j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1)
                rows[i][j] = min(rows[i - 1][j] + 1, rows[i][j - 1] + 1, change)
                if i > 1, j > 1, a[i - 1] == b[j - 2], a[i - 2] == b[j - 1] {
                    rows[i][j] = min(rows[i][j], rows[i - 2][j - 2] + 1)
                }
            }
        }
        return rows[a.count][b.count]
    }

    private static func isNamed(_ command: any ParsableCommand.Type, _ word: String) -> Bool {
        command._commandName == word || command.configuration.aliases.contains(word)
    }
}
