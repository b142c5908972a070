// Folders that do not tell upper and lower case apart (FAT, NTFS, SMB, ext4 with casefold): two names of an image may be one
// there. The one that comes second is a finding; it would take the place of the first.

internal import Glibc
internal import Platform

extension RestoreFolder {
    /// Has something by this name in it; makes sure that it is this name and not one in other letters.
    func expectSpelling(of name: [UInt8]) throws {
        guard let folder = descriptor() else { return }
        let isHere = try spelling.withLock { () throws(SystemError) -> Bool in
            if isFolding == nil { isFolding = try Self.folds(name, in: folder) }
            guard isFolding == true else { return true }
            if spellings == nil {
                let names = try DirectoryListing(of: folder)
                spellings = Set((0..<names.count).map { names[$0] })
            }
            return spellings?.contains(name) ?? true
        }
        if !isHere {
            throw FormatError("another entry has this name in other letters, and the target does not tell them apart")
        }
    }

    /// Notes that an entry has got its name.
    func noteName(_ name: [UInt8]) { spelling.withLock { _ = spellings?.insert(name) } }

    /// Whether a name in other letters leads to the same; nil where it has no letters to tell.
    private static func folds(_ name: [UInt8], in folder: Descriptor) throws(SystemError) -> Bool? {
        let other = name.map { byte -> UInt8 in
            let isLetter = (0x41...0x5a).contains(byte & 0xdf) && byte < 0x80
            return isLetter ? byte ^ 0x20 : byte
        }
        if other == name { return name.allSatisfy { $0 < 0x80 } ? nil : true }
        do throws(SystemError) {
            return FileIdentity(try folder.status(of: other)) == FileIdentity(try folder.status(of: name))
        } catch {
            if error.isAbsent { return false }
            throw error
        }
    }
}
