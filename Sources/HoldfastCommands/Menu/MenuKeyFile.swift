// A key or a passphrase that was typed, as a file that only memory holds and only its owner reads: commands are given its name, never what is in it.

internal import Cryptography
internal import Glibc
internal import Machine
internal import Platform

final class MenuKeyFile {
    let path: BytePath

    convenience init(_ identity: AgeIdentity) throws {
        var bytes = IdentityFile.contents(identity)
        defer { Cryptography.erase(&bytes) }
        try self.init(bytes)
    }

    convenience init(passphrase: Secret) throws {
        var bytes = passphrase.withUnsafeBytes { Array($0) }
        defer { Cryptography.erase(&bytes) }
        try self.init(bytes)
    }

    private init(_ bytes: [UInt8]) throws {
        let folder = try MenuMemory.folder()
        Self.clear(folder)
        path = folder.appending("\(Self.start)\(getpid())-\(hexadecimal(try SecureRandom.bytes(8)))")
        try writeNew(path, bytes, mode: 0o600)
    }

    private static let start = "holdfast-key-"

    /// Erases what a menu has left that was killed.
    private static func clear(_ folder: BytePath) {
        for name in MenuMemory.abandoned(in: folder, start) { erase(folder.appending(name)) }
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

/// What is kept in memory alone as long as a menu needs it.
enum MenuMemory {
    /// A folder in memory. What a key was written to on a disk could be found there later.
    static func folder() throws -> BytePath {
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

    /// Names, each of a beginning and a process's number, of processes that are gone.
    static func abandoned(in folder: BytePath, _ start: String) -> [String] {
        BlockDevice.names(in: folder.description).filter { name in
            guard name.hasPrefix(start), let process = pid_t(name.dropFirst(start.count).prefix { $0 != "-" }) else {
                return false
            }
            return kill(process, 0) != 0 && errno == ESRCH
        }
    }

    /// Bytes that can be put into a folder in memory without the machine running short of it.
    static func room(in folder: BytePath) -> UInt64 {
        // What cannot be asked has no room.
        guard let text = try? readWhole("/proc/meminfo", limit: 1 << 16),
            let free = try? Descriptor.open(folder, .directory).space().free
        else { return 0 }
        var facts: [Substring: UInt64] = [:]
        for line in String(decoding: text, as: UTF8.self).split(separator: "\n") {
            let words = line.split(separator: " ")
            if words.count > 1, let kilobytes = UInt64(words[1]) { facts[words[0]] = kilobytes << 10 }
        }
        let available = facts["MemAvailable:"] ?? 0
        // A restore works with some, and so does what else is there.
        let kept = max(384 << 20, (facts["MemTotal:"] ?? 0) / 8)
        return min(free, available - min(available, kept))
    }
}
