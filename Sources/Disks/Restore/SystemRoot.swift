// The root of a restored system that nobody runs, as it is changed before its first start.

internal import Glibc
internal import Platform

/// The root of a system that nobody runs. Nothing is followed: what lies there may be anybody's.
struct SystemRoot {
    let folder: Descriptor
    /// What was done, in sentences.
    private(set) var done: [String] = []
    /// What could not be done, in sentences.
    private(set) var failed: [String] = []

    init(_ folder: Descriptor) { self.folder = folder }

    /// The folder of a path, and its last name; nil where a folder on the way is not there, or leads elsewhere: it holds nothing of this system.
    private func place(_ path: String) throws(SystemError) -> (folder: Descriptor, name: [UInt8])? {
        let path = BytePath(path)
        do throws(SystemError) { return (try folder.openFolder(of: path), path.lastComponent) } catch {
            if error.isAbsent || error.code == ELOOP { return nil }
            throw error
        }
    }

    /// Removes a file; one that is not there is as good.
    mutating func remove(_ path: String, _ what: String) {
        do throws(SystemError) {
            guard let place = try place(path) else { return }
            try place.folder.remove(place.name)
            done.append("\(what): \(path) removed")
        } catch {
            if error.isAbsent { return }
            failed.append("\(what): \(path) could not be removed: \(error.reason)")
        }
    }

    /// Removes a folder with all that is in it.
    mutating func removeAll(_ path: String, _ what: String) {
        do throws(SystemError) {
            guard let place = try place(path), try isThere(place) else { return }
            try place.folder.removeTree(place.name)
            done.append("\(what): \(path) removed")
        } catch {
            if error.isAbsent { return }
            failed.append("\(what): \(path) could not be removed: \(error.reason)")
        }
    }

    private func isThere(_ place: (folder: Descriptor, name: [UInt8])) throws(SystemError) -> Bool {
        do throws(SystemError) { _ = try place.folder.status(of: place.name) } catch {
            if error.isAbsent { return false }
            throw error
        }
        return true
    }

    /// Removes the files of a folder whose names are so.
    mutating func remove(in path: String, _ what: String, where isMeant: (String) -> Bool) {
        do throws(SystemError) {
            guard let place = try place(path + "/x") else { return }
            let names = try DirectoryListing(of: place.folder)
            for index in 0..<names.count {
                let name = String(decoding: names[index], as: UTF8.self)
                guard isMeant(name), Array(name.utf8) == names[index],
                    try place.folder.status(of: names[index]).kind != .directory
                else { continue }
                try place.folder.remove(names[index])
                done.append("\(what): \(path)/\(printable(names[index])) removed")
            }
        } catch {
            if !error.isAbsent { failed.append("\(what): \(path) could not be cleared: \(error.reason)") }
        }
    }

    /// Writes a file in the place of what was there, whatever that was.
    mutating func write(_ text: String, to path: String, mode: UInt32 = 0o644, _ what: String) {
        do throws(SystemError) {
            guard let place = try place(path) else { return failed.append("\(what): \(path) has no folder") }
            if try isThere(place) { try place.folder.remove(place.name) }
            let file = try place.folder.open(place.name, [.write, .create, .exclusive], mode: mode)
            try file.write(Array(text.utf8))
            try file.synchronize()
            done.append("\(what): \(path) written")
        } catch { failed.append("\(what): \(path) could not be written: \(error.reason)") }
    }

    /// Makes a symbolic link in the place of what was there; its folders are made where they are missing.
    mutating func link(_ path: String, to target: String, _ what: String) {
        do throws(SystemError) {
            _ = try folder.makeFolders(BytePath(path).parent.bytes)
            let found = try place(path)
            guard let found else { return failed.append("\(what): \(path) has no folder") }
            if try isThere(found) { try found.folder.remove(found.name) }
            try found.folder.makeSymbolicLink(found.name, target: Array(target.utf8))
        } catch { failed.append("\(what): \(path) could not be made: \(error.reason)") }
    }

    func text(of path: String) -> String? {
        // What cannot be read is not changed.
        guard let place = try? place(path), let file = try? place.folder.open(place.name, .nonBlocking),
            let status = try? file.status(), status.kind == .file, status.size <= 1 << 20  // As above.
        else { return nil }
        var bytes = [UInt8](repeating: 0, count: Int(status.size))  // safe: compared
        guard let count = try? file.read(intoArray: &bytes), count == bytes.count else { return nil }  // As above.
        return String(decoding: bytes, as: UTF8.self)
    }

    func exists(_ path: String) -> Bool {
        // What cannot be looked at is treated as nothing.
        guard let place = try? place(path) else { return false }
        return (try? place.folder.status(of: place.name)) != nil  // As above.
    }

    /// The folders in a folder, by their names.
    func folders(in path: String) -> [String] {
        // What cannot be listed has none that anybody could use.
        guard let place = try? folder.openBeneath(Array(path.utf8), .directory),
            let names = try? DirectoryListing(of: place)
        else { return [] }
        return (0..<names.count).filter { (try? place.status(of: names[$0]))?.kind == .directory }  // As above.
            .map { String(decoding: names[$0], as: UTF8.self) }.sorted()
    }

    /// Copies a file of at most 64 MiB within the system.
    mutating func copy(_ path: String, to other: String, _ what: String) {
        do throws(SystemError) {
            let source = try folder.openBeneath(Array(path.utf8), .nonBlocking)
            let size = try source.status().size
            guard size <= 64 << 20 else { return failed.append("\(what): \(path) is larger than any loader") }
            var bytes = [UInt8](repeating: 0, count: Int(size))  // safe: compared
            guard try source.read(intoArray: &bytes) == bytes.count else {
                return failed.append("\(what): \(path) could not be read whole")
            }
            _ = try folder.makeFolders(BytePath(other).parent.bytes)
            guard let place = try place(other) else { return failed.append("\(what): \(other) has no folder") }
            let file = try place.folder.open(place.name, [.write, .create, .exclusive], mode: 0o644)
            try file.write(bytes)
            try file.synchronize()
            done.append("\(what): \(other) is a copy of \(path)")
        } catch { failed.append("\(what): \(path) could not be copied: \(error.reason)") }
    }
}
