// An image that is copied to this machine before it is restored: a medium that fails, or is pulled, in the middle of a restore would leave
// half of the old and half of the new.

internal import Glibc
public import Platform
public import Reporting
public import Stores

public struct StagedImage {
    /// The store that has this one image.
    public let folder: BytePath
    /// Held as long as the copy is used: what nobody holds was left by a process that was killed.
    private let lock: Descriptor

    /// Copies what an image needs into a folder, and reads all of it back from there. What a process that was killed has copied of it is
    /// gone on with; of another image it is removed. Where this fails, nothing is left behind.
    /// - Parameters:
    ///   - image: its whole id.
    ///   - place: where the folder is made.
    ///   - findings: told what is damaged; the rest can be restored.
    public init(
        of image: String, from source: any ObjectStore, below place: BytePath, credentials: Credentials,
        machine: MachineState, progress: Progress, findings: Findings
    ) throws {
        do {
            try makeFolders(place)
            (folder, lock) = try Self.claimed(image, below: place)
        } catch { throw ImageError.wrapping(error, subject: "\(place)") }
        do {
            Self.clear(place)
            let copy = FolderStore(folder)
            // It is no store that this machine has to remember.
            var machine = machine
            machine.isReadOnly = true
            _ = try Store.replicate(
                source, to: copy, images: [image], credentials: credentials, machine: machine, progress: progress,
                findings: findings)
            let store = try Store.open(copy, for: .verify, credentials: credentials, machine: machine)
            _ = try store.verify(
                image: image, readData: true, identities: [], progress: progress, findings: findings)
        } catch {
            // What cannot be removed now goes the next time.
            try? remove()
            let reason = ImageError.wrapping(error, subject: "\(folder)")
            let noRoom: (any Explained)? = NoRoomForCopy(reason, at: place)
            throw noRoom ?? reason
        }
    }

    /// Removes the copy, which has served.
    public func remove() throws {
        do { try Descriptor.open(folder.parent, .directory).removeTree(folder.lastComponent) } catch {
            throw ImageError.wrapping(error, subject: "\(folder)")
        }
    }

    private static let prefix = "staged-"

    /// A folder that no other process uses: two may restore the same image at once.
    private static func claimed(_ image: String, below place: BytePath) throws(SystemError) -> (BytePath, Descriptor) {
        for number in 1...100 {
            let folder = place.appending(prefix + image + (number == 1 ? "" : "-\(number)"))
            try makeLastFolder(folder, mode: 0o700)
            let lock = try Descriptor.open(folder, [.directory, .noFollow])
            // Between the two calls somebody may have removed it as left behind.
            if lock.tryLock(), exists(folder), try lock.status().linkCount > 0 { return (folder, lock) }
        }
        throw SystemError(EBUSY, "make a copy in", place.description, detail: "its folders there are all in use")
    }

    /// Removes what processes have left that were killed.
    private static func clear(_ place: BytePath) {
        // What cannot be looked at or removed now goes the next time.
        guard let folder = try? Descriptor.open(place, .directory), let names = try? DirectoryListing(of: folder) else {
            return
        }
        for name in names where name.starts(with: prefix.utf8) {
            // As above.
            guard let left = try? folder.open(name, .directory), left.tryLock() else { continue }
            try? folder.removeTree(name)  // As above.
        }
    }
}

/// That there is no room for a copy: the medium need not be larger for that.
private struct NoRoomForCopy: Explained {
    let description: String
    let mend: String?
    let exitStatus: Int32

    /// nil where an error has another reason.
    init?(_ error: any Explained, at place: BytePath) {
        switch error as? ImageError {
        case .full, .noRoom: break
        case .store(let error) where error.reason == .full: break
        default: return nil
        }
        description = error.description
        mend = "free some space there; or have the cache, now \(place), elsewhere; or restore without --copy-first"
        exitStatus = error.exitStatus
    }
}
