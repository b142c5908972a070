// Where a key sheet may be put: in no folder that a backup takes along, over nothing that was not asked about, and never by way of a link.

internal import Cryptography
internal import Glibc
public import Platform
internal import Reporting

public struct KeySheetPlace {
    /// In the kernel's words.
    public let path: BytePath
    private let folder: Descriptor
    private let name: [UInt8]
    /// Whether a file is there.
    public let isThere: Bool

    /// - Throws: `KeySheetError.noFile` where something else than a file has the name.
    public init(_ path: BytePath) throws {
        let absolute = path.isAbsolute ? path : try HostFacts.workingFolder.appending(path.bytes)
        folder = try Descriptor.open(absolute.parent, .directory)
        name = absolute.lastComponent
        self.path = BytePath(try folder.pathNow()).appending(name)
        do throws(SystemError) {
            guard try folder.status(of: name).kind == .file else {
                throw SystemError(ELOOP, "write", "\(path)")
            }
            isThere = true
        } catch {
            if error.code == ELOOP { throw KeySheetError.noFile(place: "\(path)") }
            guard error.isAbsent else { throw error }
            isThere = false
        }
    }

    /// Refuses a place that a source takes along: below it, and on its file system, which a backup does not leave.
    /// - Parameter by: what takes the source: "the job plant".
    /// - Throws: `KeySheetError.inSource`
    public func refuse(below source: BytePath, by: String) throws {
        let opened: Descriptor
        do throws(SystemError) { opened = try Descriptor.open(source, .directory) } catch {
            // What is not there, or is a single file, takes no folder along. What cannot be looked at may.
            if error.isAbsent || error.code == ENOTDIR { return }
            throw error
        }
        let real = BytePath(try opened.pathNow())
        guard try path.isBelow(real) || real == "/" || isBelow(FileIdentity(opened.status())) else { return }
        guard try opened.status().device == folder.status().device else { return }
        throw KeySheetError.inSource(place: "\(path)", source: "\(source)", by: by)
    }

    /// Whether a folder on the way to it is that very one, by whatever name.
    private func isBelow(_ other: FileIdentity) throws -> Bool {
        try foldersAbove.contains { try FileIdentity(Descriptor.open($0, .directory).status()) == other }
    }

    /// Refuses the folder of a store: its images may lie where others read, and are copied with all that is there.
    /// - Throws: `KeySheetError.inSource`
    public func refuseStores() throws {
        guard let store = foldersAbove.first(where: { exists($0.appending("HOLDFAST")) }) else { return }
        throw KeySheetError.inSource(place: "\(path)", source: "\(store)", by: "the store there")
    }

    /// From the innermost to `/`.
    private var foldersAbove: [BytePath] {
        var folders = [path.parent]
        while let last = folders.last, last != "/" { folders.append(last.parent) }
        return folders
    }

    /// Writes the page, for its owner alone. What was there is replaced, and was to be asked about.
    public func write(_ bytes: [UInt8]) throws {
        let temporary = Array(".holdfast-sheet-\(hexadecimal(try SecureRandom.bytes(8)))".utf8)
        let file = try folder.open(temporary, [.write, .create, .exclusive], mode: 0o600)
        do {
            try file.write(bytes)
            try file.synchronize()
            // Not even of a file that came meanwhile, where none was when it was looked at.
            if isThere {
                try folder.rename(temporary, to: name)
            } else {
                try moveNew(temporary)
            }
        } catch {
            // It is ours, and has a key in it.
            try? folder.remove(temporary)
            throw error
        }
        do throws(SystemError) { try folder.synchronize() } catch { if error.code != EINVAL { throw error } }
    }

    private func moveNew(_ temporary: [UInt8]) throws {
        do throws(SystemError) { try folder.move(temporary, to: name, in: folder) } catch {
            // A file system that knows no such step: it was looked at just now.
            guard error.code == EINVAL else {
                throw error.isPresent ? KeySheetError.noFile(place: "\(path)") : error
            }
            try folder.rename(temporary, to: name)
        }
    }
}
