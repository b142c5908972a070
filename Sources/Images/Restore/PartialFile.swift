// A file that is not whole yet, and how it gets its name.
//
// Where the file system can, it has no name until it is whole, so a crash leaves nothing. Where a name is to be replaced (a
// name can be moved over another one, a file without one cannot), and on file systems without such files, it has a
// random name for a while, and a crash may leave it. A later run knows it by what its name says of its inode: a record
// that no file of a user has by chance, and that a copy of a leftover does not have either. FAT numbers its files
// anew at each mount: what a crash leaves there stays until somebody removes it.

internal import Cryptography
internal import Glibc
public import Platform

/// The names of files under way, in one restore.
struct PartialNames: Sendable {
    fileprivate static let prefix = Array(".holdfast-partial-".utf8)
    /// Which restore it is: its own files are none of its leftovers.
    private let run = UInt64.random(in: 0...(.max))

    private static func digits(_ number: UInt64) -> [UInt8] {
        let text = String(number, radix: 16)
        return Array((String(repeating: "0", count: 16 - text.count) + text).utf8)
    }

    /// What ties a name to an inode. It is no secret: it tells leftovers from other files, and nothing rests on it.
    private static func tie(_ text: [UInt8], inode: UInt64) throws -> [UInt8] {
        let bytes = text + digits(inode)
        let digest = try bytes.withUnsafeBytes { try SHA256.digest(of: $0) }.bytes
        return digits(digest.prefix(8).reduce(0) { $0 << 8 | UInt64($1) })
    }

    /// A name for a file that has none, or another one.
    func name(inode: UInt64) throws -> [UInt8] {
        let text = Self.prefix + Self.digits(run) + Self.digits(UInt64.random(in: 0...(.max)))
        return text + (try Self.tie(text, inode: inode))
    }

    /// A name for a file that does not exist yet, and whose inode is not known.
    func firstName() -> [UInt8] {
        Self.prefix + Self.digits(run) + Self.digits(UInt64.random(in: 0...(.max))) + Self.digits(0)
    }

    /// Whether this restore gave the name.
    func isOwn(_ name: [UInt8]) -> Bool { name.starts(with: Self.prefix + Self.digits(run)) }

    private static func isLeftover(_ name: [UInt8], _ status: FileStatus) -> Bool {
        guard name.count == prefix.count + 48, name.starts(with: prefix), status.kind != .directory else {
            return false
        }
        // Without a digest it is none, and stays.
        return (try? tie(Array(name.dropLast(16)), inode: status.inode)) == Array(name.suffix(16))
    }

    /// Removes what interrupted restores left in a folder. What another one is at work on is locked, and stays.
    func clear(_ folder: Descriptor) throws(SystemError) {
        let names = try DirectoryListing(of: folder)
        for index in 0..<names.count where names[index].starts(with: Self.prefix) && !isOwn(names[index]) {
            let name = names[index]
            do throws(SystemError) {
                let there = try folder.status(of: name)
                guard Self.isLeftover(name, there) else { continue }
                guard there.kind == .file else {
                    // A second name of a link or a node, which was about to get its own.
                    try folder.remove(name)
                    continue
                }
                let file = try folder.open(name, .nonBlocking)
                let status = try file.status()
                guard Self.isLeftover(name, status), file.tryLock() else { continue }
                if let flags = file.flags, flags & Descriptor.protectingFlags != 0 { continue }
                try folder.remove(name)
            } catch {
                // Somebody else has just dealt with it.
                if error.code != ENOENT { throw error }
            }
        }
    }
}

extension BytePath {
    /// Whether it has the name of a file that a restore is making, or has left.
    public var isPartialFile: Bool { lastComponent.starts(with: PartialNames.prefix) }
}

/// A file under way.
final class PartialFile {
    let file: Descriptor
    private let folder: Descriptor
    private let names: PartialNames
    /// Asked for only where it has a name for the time being: most files never have.
    private lazy var status = Result { () throws(SystemError) in try file.status() }
    /// Whether the file system has no files without a name.
    let isNamed: Bool
    /// The name that it has for the time being.
    private var name: [UInt8]?

    init(in folder: Descriptor, _ names: PartialNames) throws {
        self.folder = folder
        self.names = names
        if let unnamed = try folder.openUnnamed() {
            file = unnamed
            isNamed = false
        } else {
            isNamed = true
            let first = names.firstName()
            file = try folder.open(first, [.write, .create, .exclusive])
            name = first
        }
        guard let first = name else { return }
        _ = file.tryLock()
        let tied = try names.name(inode: status.get().inode)
        try folder.rename(first, to: tied)
        name = tied
    }

    /// Gives it its name, in place of what has it.
    /// - Parameter isThere: whether something is known to have the name.
    /// - Parameter isShared: whether others may write in the folder, and swap names.
    /// - Parameter isReplaced: asked when something has the name that was not known to have it.
    /// - Parameter makeRoom: takes away what no file can replace.
    func giveName(
        _ wanted: [UInt8], isThere: Bool, isShared: Bool, isReplaced: () throws -> Void,
        makeRoom: () throws -> Void
    ) throws {
        if name == nil, !isThere {
            do throws(SystemError) {
                return try file.giveName(wanted, in: folder)
            } catch {
                guard error.code == EEXIST else { throw error }
            }
            try isReplaced()
        }
        if name == nil {
            _ = file.tryLock()
            let tied = try names.name(inode: status.get().inode)
            try file.giveName(tied, in: folder)
            name = tied
        }
        guard let name else { return }
        if isNamed, !isThere, try has(wanted) { try isReplaced() }
        if isShared { try expect(name) }
        do throws(SystemError) {
            try folder.rename(name, to: wanted)
        } catch {
            guard [EPERM, EISDIR, EEXIST, ENOTEMPTY].contains(error.code) else {
                // The name that it has for the time being says nothing to anybody.
                throw SystemError(error.code, "give a file the name", printable(wanted))
            }
            try makeRoom()
            try folder.rename(name, to: wanted)
        }
        self.name = nil
        if isShared { try expect(wanted) }
    }

    /// Gives it a name that must be free (EEXIST): nothing is replaced, whoever is quicker.
    func giveFreeName(_ wanted: [UInt8]) throws {
        if let name {
            try expect(name)
            do throws(SystemError) {
                try folder.move(name, to: wanted, in: folder)
            } catch {
                // Some file systems cannot be told to replace nothing.
                guard [EINVAL, ENOSYS, EOPNOTSUPP].contains(error.code) else { throw error }
                try claim(wanted, from: name)
            }
            self.name = nil
        } else {
            try file.giveName(wanted, in: folder)
        }
        try expect(wanted)
    }

    /// A link is refused where something has the name. Where there are no links, an empty file of our own claims it first; a crash in
    /// between leaves that.
    private func claim(_ wanted: [UInt8], from name: [UInt8]) throws(SystemError) {
        do throws(SystemError) {
            try folder.makeLink(wanted, to: name, in: folder)
        } catch {
            guard [EPERM, EINVAL, ENOSYS, EOPNOTSUPP, EMLINK].contains(error.code) else { throw error }
            _ = try folder.open(wanted, [.write, .create, .exclusive])
            return try folder.rename(name, to: wanted)
        }
        try folder.remove(name)
    }

    /// Takes away the name that it was given, if it still has it.
    func takeBack(_ given: [UInt8]) {
        name = given
        discard()
    }

    // nil where it cannot be looked at.
    var identity: FileIdentity? { (try? status.get()).map { FileIdentity($0) } }

    private func has(_ name: [UInt8]) throws(SystemError) -> Bool {
        do throws(SystemError) {
            _ = try folder.status(of: name)
            return true
        } catch {
            if error.isAbsent { return false }
            throw error
        }
    }

    private func expect(_ name: [UInt8]) throws {
        guard FileIdentity(try folder.status(of: name)) == FileIdentity(try status.get()) else {
            throw FormatError("somebody put another file in its place while it was written")
        }
    }

    /// Takes away the name that it has for the time being; the file goes with its descriptor.
    func discard() {
        // What cannot be looked at stays, and a later restore clears it.
        guard let name, let there = try? folder.status(of: name),
            let own = try? status.get(),  // As above.
            FileIdentity(there) == FileIdentity(own)
        else { return }
        // As above.
        try? folder.remove(name)
        self.name = nil
    }
}
