// What opens an image: a passphrase, which the command itself asks for; a file of keys; a key that is typed from paper. And for whom a new one is
// made.

internal import Cryptography
internal import Glibc
internal import Images
internal import Machine
internal import Platform

extension Menu {
    /// Has a key chosen, and keeps it as long as `body` lasts.
    /// - Parameters:
    ///   - root: where files of keys are looked for; nil: nowhere.
    ///   - body: gets the options that a command takes for it.
    func withKey<R>(lookingIn root: BytePath?, _ body: ([ProgramWord]) throws -> R) throws -> R {
        let files = try root.map { try MenuContent.identities(below: $0) } ?? []
        let choice = try terminal.choose(
            MenuWord.whichKey.text(terminal.language),
            [MenuWord.passphraseOrOwnKey.text(terminal.language)]
                + files.map { MenuWord.keyFile.text(terminal.language, ["\($0)"]) }
                + [MenuWord.otherKeyFile, .typedKey].map { $0.text(terminal.language) })
        switch choice {
        case 0: return try body([])
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

    /// For whom a new single file is made: those whom a file on the stick names, or else whoever knows a passphrase.
    /// - Returns: the options, and what the label says of it.
    func recipients(lookingIn root: BytePath?) throws -> (options: [ProgramWord], words: String) {
        guard let root, let names = try MenuContent.recipients(in: root) else {
            terminal.say(.noRecipients)
            return (["--passphrase"], "passphrase")
        }
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

/// A key that was typed, as a file that only memory holds and only its owner reads.
final class MenuKeyFile {
    let path: BytePath

    init(_ identity: AgeIdentity) throws {
        let folder = try Self.folder()
        Self.clear(folder)
        path = folder.appending("\(Self.start)\(getpid())-\(hexadecimal(try SecureRandom.bytes(8)))")
        var bytes = IdentityFile.contents(identity)
        defer { Cryptography.erase(&bytes) }
        try writeNew(path, bytes, mode: 0o600)
    }

    /// A folder in memory. What a key was written to on a disk could be found there later.
    private static func folder() throws -> BytePath {
        var folders: [BytePath] = ["/dev/shm", HostFacts.environment("XDG_RUNTIME_DIR") ?? "/run"]
        if HostFacts.isRoot {
            try makeFolders(Places.runtime, mode: 0o700)
            folders.insert(Places.runtime, at: 0)
        }
        for folder in folders {
            // A folder that is not there is none in memory.
            guard let opened = try? Descriptor.open(folder, .directory), let mount = try Mount.holding(opened) else {
                continue
            }
            if mount.isInMemory { return folder }
        }
        throw Problem.refused(
            "there is no folder in memory that a typed key could be kept in meanwhile",
            hint: "give the key as a file")
    }

    private static let start = "holdfast-key-"

    /// Erases what a menu has left that was killed.
    private static func clear(_ folder: BytePath) {
        for name in BlockDevice.names(in: folder.description) where name.hasPrefix(start) {
            let rest = name.dropFirst(start.count)
            guard let process = pid_t(rest.prefix { $0 != "-" }), kill(process, 0) != 0, errno == ESRCH else {
                continue
            }
            erase(folder.appending(name))
        }
    }

    /// Its bytes are zeros before its name is gone.
    func erase() { Self.erase(path) }

    private static func erase(_ path: BytePath) {
        // Where it is gone already, nothing is left to erase.
        if let file = try? Descriptor.open(path, [.write, .noFollow]), let size = try? file.status().size {
            try? file.write([UInt8](repeating: 0, count: Int(clamping: min(size, 1 << 16))))
        }
        try? removeFile(path)
    }

    deinit { erase() }
}
