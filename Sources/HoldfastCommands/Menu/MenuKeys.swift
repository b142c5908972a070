// What opens an image: a passphrase, which the command itself asks for; a file of keys; a key that is typed from paper. And for whom a new one is
// made.

internal import Cryptography
internal import Images
internal import Platform

extension Menu {
    /// Has a key chosen, and keeps it as long as `body` lasts.
    /// - Parameters:
    ///   - source: the words that name what it opens.
    ///   - root: where files of keys are looked for; nil: nowhere.
    ///   - body: gets the options that a command takes for it.
    func withKey<R>(
        to source: [ProgramWord], lookingIn root: BytePath?, _ body: ([ProgramWord]) throws -> R
    ) throws -> R {
        let files = try root.map { try MenuContent.identities(below: $0) } ?? []
        let choice = try terminal.choose(
            MenuWord.whichKey.text(terminal.language),
            [MenuWord.passphraseOrOwnKey.text(terminal.language)]
                + files.map { MenuWord.keyFile.text(terminal.language, ["\($0)"]) }
                + [MenuWord.otherKeyFile, .typedKey].map { $0.text(terminal.language) })
        switch choice {
        case 0: return try withPassphrase(of: source, body)
        case let number where (1..<files.count + 1).contains(number):
            return try body(["--identity", ProgramWord(files[choice - 1])])
        case files.count + 1:
            return try body(["--identity", ProgramWord(try terminal.askPath(.typeKeyFile, mustExist: true))])
        default:
            let file = try typedKey()
            defer { file.erase() }
            return try body(["--identity", ProgramWord(file.path)])
        }
    }

    private static let attempts = 3

    /// Has a passphrase typed, and looks whether it opens what it is for; a mistyped one is asked for again.
    private func withPassphrase<R>(of source: [ProgramWord], _ body: ([ProgramWord]) throws -> R) throws -> R {
        // The menu was told of a file that has it.
        if session.global.passphraseFile != nil { return try body([]) }
        for attempt in 0..<Self.attempts {
            guard let typed = try terminal.secret(attempt == 0 ? .typePassphrase : .passphraseAgain) else {
                if attempt == 0 { return try body([]) }
                break
            }
            let file = try MenuKeyFile(passphrase: typed)
            defer { file.erase() }
            let options: [ProgramWord] = ["--passphrase-file", ProgramWord(file.path)]
            let status = try start(["holdfast", "images"] + source + options)
            if [0, 3].contains(status) { return try body(options) }
            if status == 130 { break }
            tell(status: status)
        }
        throw MenuTerminal.Back()
    }

    /// A passphrase for what is about to be made, typed twice.
    func newPassphrase() throws -> MenuKeyFile {
        for _ in 0..<Self.attempts {
            guard let first = try terminal.secret(.newPassphrase) else { break }
            guard let second = try terminal.secret(.sameAgain) else { break }
            if first == second { return try MenuKeyFile(passphrase: first) }
            terminal.say(.passphrasesDiffer)
        }
        throw MenuTerminal.Back()
    }

    private func typedKey() throws -> MenuKeyFile {
        terminal.say(.howToTypeKey)
        while let typed = try terminal.secret(.typeKey) {
            do {
                let identities = try typed.withUnsafeBytes { try AgeIdentity.identities(inFile: $0) }
                return try MenuKeyFile(identities[0])
            } catch let error as CryptographyError { tell(error) }
        }
        throw MenuTerminal.Back()
    }

    /// For whom a new single file is made: those whom a file beside it names.
    /// - Returns: the options, and what the label says of it; nil: whoever knows a passphrase.
    func recipients(lookingIn root: BytePath) throws -> (options: [ProgramWord], words: String)? {
        guard let names = try MenuContent.recipients(in: root) else { return nil }
        var options: [ProgramWord] = []
        for (line, name) in names {
            do { _ = try RecipientArgument(name) } catch {
                throw said(.badRecipient, MenuContent.recipientsName, "\(line)", Text.safe(Text.withoutKeys(name)))
            }
            options += ["--recipient", ProgramWord(name)]
        }
        if options.isEmpty { throw said(.emptyRecipients, MenuContent.recipientsName) }
        terminal.say(.recipientsOf, MenuContent.recipientsName, names.map(\.name).joined(separator: ", "))
        return (options, names.map(\.name).joined(separator: ", "))
    }
}
