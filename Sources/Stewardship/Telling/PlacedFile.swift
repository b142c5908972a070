// Files for others to read: in a folder of theirs perhaps, where they may put links.

internal import Glibc
public import Platform

/// Writes a file or replaces one. A reader sees the file of before or this one. Its folder may belong to another user: nothing on the way is a
/// link, so that it is written there and nowhere else.
/// - Parameters:
///   - isDurable: whether it is on the disk on return; a crash leaves the old file or the new one.
///   - isOurs: whether what begins so may be replaced; nil: any file may. A mistyped path is that of a key or a store, too.
public func replaceWithoutLinks(
    _ path: BytePath, _ bytes: [UInt8], isDurable: Bool = true, isOurs: (([UInt8]) -> Bool)? = nil
) throws(SystemError) {
    let folder: Descriptor
    do throws(SystemError) { folder = try Descriptor.openWithoutLinks(path.parent, .directory) } catch {
        if error.code == ELOOP {
            throw SystemError(
                error.code, "open", path.parent.description,
                detail: "a symbolic link leads there: give the folder itself")
        }
        throw error
    }
    let name = Array(path.lastComponent)
    do throws(SystemError) {
        guard try folder.status(of: name).kind == .file else {
            throw SystemError(EEXIST, "write", path.description, detail: "something that is no file is there")
        }
        if let isOurs {
            var start = [UInt8](repeating: 0, count: 64)
            let count = try folder.open(name, [.noFollow, .nonBlocking]).read(intoArray: &start)
            guard isOurs(Array(start[..<count])) else {
                throw SystemError(
                    EEXIST, "write", path.description,
                    detail: "what is there was not written as a status of jobs: give another path, or remove it")
            }
        }
    } catch { if !error.isAbsent { throw error } }
    let temporary = Array(".holdfast-\(String(UInt64.random(in: .min ... .max), radix: 16))".utf8)
    let file = try folder.open(temporary, [.write, .create, .exclusive], mode: 0o644)
    do throws(SystemError) {
        try file.write(bytes)
        try file.setMode(0o644)
        if isDurable { try file.synchronize() }
        try folder.rename(temporary, to: name)
        if isDurable { try folder.synchronize() }
    } catch {
        // It is this call's own; where it stays, nobody reads it.
        try? folder.remove(temporary)
        throw error
    }
}
