// What is on a stick, or in a folder: images, stores, files of keys. At most two folders deep, and so many names at most: a medium may hold
// anything.

internal import Cryptography
internal import Images
internal import Platform

enum MenuContent {
    /// Public keys, for whom backups onto the stick are made.
    static let recipientsName = "recipients.txt"
    /// What an image is called.
    static let ending = ".hf"
    private static let mostNames = 5000

    /// A single-file image.
    struct Image {
        var path: BytePath
        /// Of all its parts.
        var size: UInt64
        /// The parts behind the first.
        var more: [BytePath]
        var modified: Timestamp
        /// What is written beside it; nobody vouches for that.
        var label: MenuLabel?
    }

    /// The images, the newest first.
    static func images(below root: BytePath) throws -> [Image] {
        var sizes: [BytePath: FileStatus] = [:]
        try eachFile(below: root) { sizes[$0] = $1 }
        let first = sizes.filter { isImageName($0.key.lastComponent) }
        return first.map { path, status in
            var size = status.size
            var more: [BytePath] = []
            func next() -> BytePath { BytePath(path.bytes + Array(".\(more.count + 2)".utf8)) }
            while let part = sizes[next()] {
                size.add(saturating: part.size)
                more.append(next())
            }
            return Image(
                path: path, size: size, more: more, modified: status.modified, label: MenuLabel(beside: path))
        }
        .sorted { one, other in
            if one.modified != other.modified { return one.modified > other.modified }
            return one.path.bytes.lexicographicallyPrecedes(other.path.bytes)
        }
    }

    private static func isImageName(_ name: [UInt8]) -> Bool {
        let text = String(decoding: name, as: UTF8.self).lowercased()
        return text.hasSuffix(ending) && text.count > ending.count && !text.hasPrefix(".")
    }

    /// Folders that are stores.
    static func stores(below root: BytePath) throws -> [BytePath] {
        var found: [BytePath] = []
        for folder in [root] + (try folders(below: root)) where isStore(folder) { found.append(folder) }
        return found
    }

    private static func isStore(_ folder: BytePath) -> Bool {
        // What cannot be looked at is no store that could be offered.
        (try? Descriptor.open(folder.appending("HOLDFAST"), .place).status().kind) == .file
    }

    /// Files that begin like age identities. They are opened to be looked at, and nothing of them is kept.
    static func identities(below root: BytePath) throws -> [BytePath] {
        var found: [BytePath] = []
        try eachFile(below: root) { path, status in
            if status.size < 1 << 16, !isImageName(path.lastComponent), isIdentity(path) { found.append(path) }
        }
        return found.sorted { $0.bytes.lexicographicallyPrecedes($1.bytes) }
    }

    private static func isIdentity(_ path: BytePath) -> Bool {
        // What cannot be read is no key that could be used.
        guard var bytes = try? readRegular(path, limit: 1 << 16, followsLinks: false) else { return false }
        defer { erase(&bytes) }
        let mark = Array("AGE-SECRET-KEY-1".utf8)
        return bytes.split(whereSeparator: { $0 == 0x0a || $0 == 0x0d }).contains { line in
            line.count < 256 && line.map { (0x61...0x7a).contains($0) ? $0 & ~0x20 : $0 }.starts(with: mark)
        }
    }

    /// The lines of the file of recipients that say something, with their numbers; nil: there is no such file.
    static func recipients(in root: BytePath) throws -> [(line: Int, name: String)]? {
        let path = root.appending(recipientsName)
        let bytes: [UInt8]
        do throws(SystemError) { bytes = try readRegular(path, limit: 1 << 16, followsLinks: false) } catch {
            if error.isAbsent { return nil }
            throw error
        }
        // Windows' editors write a mark first.
        let text = String(decoding: bytes, as: UTF8.self).drop { $0 == "\u{feff}" }
        return text.split(omittingEmptySubsequences: false, whereSeparator: \.isNewline).enumerated().compactMap {
            let line = $0.element.prefix { $0 != "#" }.filter { $0 != " " && $0 != "\t" }
            return line.isEmpty ? nil : ($0.offset + 1, String(line))
        }
    }

    // MARK: Looking

    /// The files in it, and in its folders.
    private static func eachFile(below root: BytePath, _ body: (BytePath, FileStatus) -> Void) throws {
        for folder in [root] + (try folders(below: root, levels: 1)) {
            try eachName(in: folder) { path, status in if status.kind == .file { body(path, status) } }
        }
    }

    /// Folders in it, and in those.
    private static func folders(below root: BytePath, levels: Int = 2) throws -> [BytePath] {
        var all: [BytePath] = []
        var level = [root]
        for _ in 0..<levels {
            var next: [BytePath] = []
            for folder in level {
                try eachName(in: folder) { path, status in
                    // A store has hundreds of folders, and none that is looked for.
                    if status.kind == .directory, !isStore(folder) { next.append(path) }
                }
            }
            level = Array(next.prefix(mostNames))
            all += level
        }
        return Array(all.prefix(mostNames))
    }

    private static func eachName(in folder: BytePath, _ body: (BytePath, FileStatus) -> Void) throws {
        let opened: Descriptor
        do throws(SystemError) { opened = try Descriptor.open(folder, .directory) } catch {
            if error.isAbsent || error.isPermission { return }
            throw error
        }
        for name in try DirectoryListing(of: opened).prefix(mostNames) {
            // Gone since it was listed.
            guard let status = try? opened.status(of: Array(name)) else { continue }
            body(folder.appending(Array(name)), status)
        }
    }
}
