// Folders that take two names for one: upper and lower case (FAT, NTFS, SMB, ext4 with casefold), letters that are composed and those that
// are not (HFS+, ZFS with `normalization`), a dot at the end (FAT). The name that comes second is a finding; it would take the place of the
// first. The listing decides: what a name leads to can have another inode number each time (FUSE).

internal import Glibc
internal import Platform

extension RestoreFolder {
    /// Has something by this name in it; makes sure that it is this name and not one in other letters.
    func expectSpelling(of name: [UInt8]) throws {
        guard let folder = descriptor() else { return }
        let others = try spelling.withLock { () throws(SystemError) -> Set<[UInt8]>? in
            if isFolding == nil { isFolding = try mayFold(name, in: folder) }
            guard isFolding == true, spellings?.contains(name) != true else { return nil }
            let names = try Self.names(in: folder)
            spellings = names
            return names.contains(name) ? nil : names
        }
        guard let others else { return }
        let other = others.first { Self.areAlike($0, name) }.map { ", \(printable($0))," } ?? ""
        throw FormatError(
            "another entry\(other) has this name in other letters, and the target does not tell them apart")
    }

    /// Gives a file that is whole its name; nothing in other letters is replaced.
    func give(_ name: [UInt8], to file: PartialFile, isThere: Bool, in folder: Descriptor) throws {
        func give() throws {
            try file.giveName(
                name, isThere: isThere, isShared: isShared, isReplaced: { try expectSpelling(of: name) },
                makeRoom: { try restorer.makeRoom(for: name, in: folder) })
        }
        if file.isNamed { try naming.withLock { try give() } } else { try give() }
    }

    /// Notes that an entry has got its name.
    func noteName(_ name: [UInt8]) {
        spelling.withLock {
            _ = spellings?.insert(name)
            if fileSystem?.keepsMetadata == false { given.insert(name) }
        }
    }

    /// Says where the target gave an entry another name than it was to have.
    func checkNames() {
        guard let fileSystem, let opened = descriptor() else { return }
        let wanted = spelling.withLock { given }
        // What cannot be listed was said, or will be when it is read.
        guard !wanted.isEmpty, let names = try? Self.names(in: opened) else { return }
        for name in wanted.subtracting(names) {
            // Somebody may have moved it away.
            if (try? opened.status(of: name)) != nil { fileSystem.lose(.names, path.appending(name)) }
        }
    }

    /// Names in the folder that some of the image's lead to though they are spelled otherwise.
    func folded(_ wanted: Set<[UInt8]>, in folder: Descriptor) throws(SystemError) -> Set<[UInt8]> {
        guard fileSystem?.keepsMetadata != true || spelling.withLock({ isFolding == true }) else { return [] }
        let names = try Self.names(in: folder)
        var found: Set<[UInt8]> = []
        for name in wanted.subtracting(names) {
            do throws(SystemError) {
                _ = try folder.status(of: name)
            } catch {
                if error.isAbsent { continue }
                throw error
            }
            let alike = names.filter { Self.areAlike($0, name) }
            // Which one it is cannot be told: then it may be any.
            found.formUnion(alike.isEmpty ? names : alike)
        }
        return found
    }

    private static func names(in folder: Descriptor) throws(SystemError) -> Set<[UInt8]> {
        let names = try DirectoryListing(of: folder)
        return Set((0..<names.count).map { names[$0] })
    }

    /// Whether two names are one to people, as some file systems see it.
    private static func areAlike(_ one: [UInt8], _ other: [UInt8]) -> Bool {
        func plain(_ name: [UInt8]) -> String {
            var name = name[...]
            while let last = name.last, last == UInt8(ascii: ".") || last == UInt8(ascii: " ") { name.removeLast() }
            return String(decoding: name, as: UTF8.self).lowercased()
        }
        // Strings are the same where they are canonically equivalent.
        return plain(one) == plain(other)
    }

    /// Whether names may lead to what is spelled otherwise; nil where this name has no letters to tell.
    private func mayFold(_ name: [UInt8], in folder: Descriptor) throws(SystemError) -> Bool? {
        // Of the others nobody knows what they take for the same.
        guard fileSystem?.keepsMetadata == true, folder.fileSystemType != TargetFileSystem.zfs else { return true }
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
