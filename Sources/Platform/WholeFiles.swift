// Small files, read and written whole. Writing is durable on return: the bytes, then the name.

internal import Glibc

/// Reads a file of at most `limit` bytes; a larger one is an error (EFBIG), so that nothing outside decides how much
/// memory is taken.
public func readWhole(_ path: BytePath, limit: Int) throws(SystemError) -> [UInt8] {
    try readWhole(Descriptor.open(path), limit: limit, named: path.description)
}

/// The bytes of a regular file. What else has its name is refused, and never waited for.
/// - Parameter followsLinks: whether it may be a link to one. What others may write to may have one that leads to what is nobody's business.
public func readRegular(_ path: BytePath, limit: Int, followsLinks: Bool = true) throws(SystemError) -> [UInt8] {
    let file: Descriptor
    do throws(SystemError) {
        file = try Descriptor.open(path, followsLinks ? .nonBlocking : [.nonBlocking, .noFollow])
    } catch {
        guard error.code == ELOOP, !followsLinks else { throw error }
        throw SystemError(ELOOP, "read", path.description, detail: "it is a link, which is not followed")
    }
    guard try file.status().kind == .file else {
        throw SystemError(EINVAL, "read", path.description, detail: "it is no file")
    }
    return try readWhole(file, limit: limit, named: path.description)
}

/// The bytes of a file, or of a pipe to which somebody writes; nobody is waited for longer than some seconds.
public func readGiven(_ path: BytePath, limit: Int) throws(SystemError) -> [UInt8] {
    let file = try Descriptor.open(path, .nonBlocking)
    if try file.status().kind == .file { return try readWhole(file, limit: limit, named: path.description) }
    var result: [UInt8] = []
    while true {
        var event = pollfd(fd: file.raw, events: Int16(POLLIN), revents: 0)
        guard try check("read", path.description, { poll(&event, 1, 5000) }) > 0 else {
            throw SystemError(ETIMEDOUT, "read", path.description, detail: "nobody writes to it")
        }
        var piece = [UInt8](repeating: 0, count: 65536)
        // One call: what has not come yet is waited for above.
        let count = try check("read", path.description) {
            piece.withUnsafeMutableBytes { CInt(read(file.raw, $0.baseAddress, $0.count)) }  // safe: of a small buffer
        }
        if count == 0 { return result }
        result.append(contentsOf: piece[..<Int(count)])
        if result.count > limit { throw SystemError(EFBIG, "read", path.description) }
    }
}

public func readWhole(_ file: Descriptor, limit: Int, named name: String) throws(SystemError) -> [UInt8] {
    var result: [UInt8] = []
    while true {
        let room = min(max(4096, result.count), limit + 1 - result.count)
        var piece = [UInt8](repeating: 0, count: room)
        let count: Int
        do { count = try file.read(intoArray: &piece) } catch { throw SystemError(error.code, error.operation, name) }
        result.append(contentsOf: piece[..<count])
        if result.count > limit { throw SystemError(EFBIG, "read", name) }
        if count < room { return result }
    }
}

/// Makes a new file that must not exist. A crash leaves none, or one that is incomplete; on return it is durable.
public func writeNew(_ path: BytePath, _ bytes: [UInt8], mode: UInt32 = 0o600) throws(SystemError) {
    let file = try Descriptor.open(path, [.write, .create, .exclusive], mode: mode)
    do throws(SystemError) {
        try file.write(bytes)
        try file.synchronize()
    } catch {
        path.withCString { _ = unlink($0) }
        throw SystemError(error.code, "write", path.description)
    }
    try synchronizeFolder(path.parent)
}

/// Replaces a file or makes it. A crash leaves the old one or the new one.
public func replaceFile(_ path: BytePath, _ bytes: [UInt8], mode: UInt32 = 0o600) throws(SystemError) {
    let temporary = BytePath(path.bytes + Array(".new".utf8))
    temporary.withCString { _ = unlink($0) }
    try writeNew(temporary, bytes, mode: mode)
    try renameFile(temporary, to: path)
}

/// Gives a file another name, replacing what has it. If the file was durable and so is the renaming, a crash leaves the
/// old file or the new one.
public func renameFile(_ path: BytePath, to newPath: BytePath, durably: Bool = true) throws(SystemError) {
    try check("rename", path.description) {
        path.withCString { old in newPath.withCString { Glibc.rename(old, $0) } }
    }
    if durably { try synchronizeFolder(newPath.parent) }
}

public func removeFile(_ path: BytePath) throws(SystemError) {
    try check("remove", path.description) { path.withCString { unlink($0) } }
}

/// Makes the names in a folder durable. A file system that cannot do that for folders says so (EINVAL), and knows no better.
public func synchronizeFolder(_ path: BytePath) throws(SystemError) {
    let folder = try Descriptor.open(path, .directory)
    do throws(SystemError) { try folder.synchronize() } catch { if error.code != EINVAL { throw error } }
}

/// Makes a folder and those above it, durably; one that exists is fine.
public func makeFolders(_ path: BytePath, mode: UInt32 = 0o700) throws(SystemError) {
    if try makeFolder(path, mode: mode) { return }
    if path.parent == path { throw noPlace(for: path) }
    try makeFolders(path.parent, mode: mode)
    // What holds it is there now. Once more is enough: where that takes no folders, it takes none the next time either.
    if try !makeFolder(path, mode: mode) { throw noPlace(for: path) }
}

/// Makes a folder, durably, in one that is there; one that exists is fine.
public func makeLastFolder(_ path: BytePath, mode: UInt32) throws(SystemError) {
    if try !makeFolder(path, mode: mode) { throw noPlace(for: path) }
}

/// - Returns: false where what would hold it is not there.
private func makeFolder(_ path: BytePath, mode: UInt32) throws(SystemError) -> Bool {
    if path.withCString({ mkdir($0, mode) }) == 0 {
        try synchronizeFolder(path.parent)
        return true
    }
    switch errno {
    case EEXIST:
        var status = stat()
        if path.withCString({ stat($0, &status) }) == 0 { return true }
        // A link that leads nowhere has the name, and is no folder.
        if errno == ENOENT { throw noPlace(for: path) }
        throw SystemError(errno, "look at", path.description)
    case ENOENT: return false
    case let code: throw SystemError(code, "make the folder", path.description)
    }
}

/// Why a folder has no place, in the words of who looks for it: errno says of the path that it is not there, which is why it was to be made.
private func noPlace(for path: BytePath) -> SystemError {
    var detail = "no folder can be made in \(path.parent)"
    var place = path
    while true {
        if let target = linkToNothing(place) {
            detail = "\(place) is a link to \(target), which is not there"
            break
        }
        if place == place.parent { break }
        place = place.parent
    }
    if place == ".", (try? HostFacts.workingFolder) == nil {
        detail = "the folder that you are in is not there any more"
    }
    return SystemError(ENOENT, "make the folder", path.description, detail: detail)
}

/// Where a link leads that leads nowhere; nil: it is none.
public func linkToNothing(_ path: BytePath) -> BytePath? {
    // What is no link, or is not there, leads nowhere that could be named.
    guard let target = try? Descriptor.open(path.parent, [.directory, .place]).readLink(path.lastComponent),
        !exists(path)
    else { return nil }
    return BytePath(target)
}

public func exists(_ path: BytePath) -> Bool { path.withCString { access($0, F_OK) } == 0 }

/// A path, or where it is not there the folder nearest to it that is.
public func nearestExisting(_ path: BytePath) -> BytePath {
    var place = path
    while !exists(place), place.parent != place { place = place.parent }
    return place
}

/// Makes a symbolic link, in place of a link or a file that has the name. A crash leaves the old one or the new one.
public func replaceLink(_ path: BytePath, to target: BytePath) throws(SystemError) {
    let temporary = BytePath(path.bytes + Array(".new".utf8))
    temporary.withCString { _ = unlink($0) }
    try check("make the link", path.description) {
        temporary.withCString { name in target.withCString { symlink($0, name) } }
    }
    try renameFile(temporary, to: path)
}
