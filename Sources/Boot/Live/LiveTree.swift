// The files of a live system while they are gathered, in a folder of our own.

internal import Glibc
internal import Platform

/// All paths are absolute as they will be in the live system, and below `/usr` where Debian has them there (`/bin`, `/lib`).
struct LiveTree {
    let root: BytePath
    private let folder: Descriptor
    private var placed: Set<BytePath> = []

    /// - Parameter root: a folder that is there, empty, and nobody else's.
    init(_ root: BytePath) throws {
        self.root = root
        folder = try Descriptor.open(root, .directory)
        for name in [
            "usr/bin", "usr/sbin", "usr/lib", "usr/lib64", "etc", "proc", "sys", "dev", "run", "tmp", "mnt", "root",
            "var",
        ] {
            _ = try folder.makeFolders(Array(name.utf8))
        }
        for name in ["bin", "sbin", "lib", "lib64"] { try putLink(BytePath("/\(name)"), to: BytePath("usr/\(name)")) }
    }

    /// Where a path of this machine is in the live system: with `/lib/x` and `/usr/lib/x` one and the same.
    private static func merged(_ path: BytePath) -> BytePath {
        let moved: [BytePath] = ["/bin", "/sbin", "/lib", "/lib64"]
        return moved.contains { path.isBelow($0) && path != $0 }
            ? BytePath("/usr").appending(path.bytes.dropFirst()) : path
    }

    /// The folder of a file of the live system, made where it is not there.
    private func place(_ path: BytePath) throws -> Descriptor {
        try folder.makeFolders(path.parent.bytes.drop { $0 == UInt8(ascii: "/") })
    }

    func holds(_ path: BytePath) -> Bool { placed.contains(Self.merged(path)) }

    /// A file of this machine, under its own path or another one. What is there already stays.
    mutating func put(_ file: BytePath, at path: BytePath? = nil) throws {
        let wanted = Self.merged(path ?? file)
        guard placed.insert(wanted).inserted else { return }
        let source = try Descriptor.open(file)
        let status = try source.status()
        let copy = try place(wanted).open(
            wanted.lastComponent, [.write, .create, .exclusive], mode: status.mode & 0o755)
        guard try source.copyContent(to: copy, size: status.size) else {
            throw SystemError(EIO, "read", file.description, detail: "it became shorter meanwhile")
        }
    }

    mutating func put(_ text: String, at path: BytePath, mode: UInt32 = 0o644) throws {
        let path = Self.merged(path)
        placed.insert(path)
        let file = try place(path).open(path.lastComponent, [.write, .create, .exclusive], mode: mode)
        try file.write(Array(text.utf8))
    }

    mutating func putLink(_ path: BytePath, to target: BytePath) throws {
        guard placed.insert(path).inserted else { return }
        try place(path).makeSymbolicLink(path.lastComponent, target: target.bytes)
    }

    /// A program with all that it loads.
    mutating func putProgram(_ file: BytePath, at path: BytePath? = nil, _ libraries: SharedLibraries) throws {
        try put(file, at: path)
        for library in try libraries.needed(by: file) { try put(library) }
        if let interpreter = try SharedLibraries.interpreter(of: file), !holds(interpreter), exists(interpreter) {
            try put(interpreter)
            for library in try libraries.needed(by: interpreter) { try put(library) }
        }
    }

    /// A folder of this machine with all files that are wanted, by their paths below it.
    mutating func putFolder(_ folder: BytePath, at path: BytePath? = nil, _ isWanted: (String) -> Bool = { _ in true })
        throws
    {
        let walk = try TreeWalk(Descriptor.open(folder, .directory))
        while let step = walk.next() {
            guard case .entry(let entry) = step, entry.status.kind == .file else { continue }
            guard isWanted(String(decoding: entry.path, as: UTF8.self)) else { continue }
            try put(folder.appending(entry.path), at: (path ?? folder).appending(entry.path))
        }
    }
}
