// An image that is copied to this machine before it is restored: a medium that fails, or is pulled, in the middle of a restore would leave
// half of the old and half of the new.

public import Platform
public import Reporting
public import Stores

public struct StagedImage {
    /// The store that has this one image.
    public let folder: BytePath

    /// Copies what an image needs into a folder, and reads all of it back from there. A copy that was interrupted is gone on with.
    /// - Parameters:
    ///   - image: its whole id.
    ///   - place: where the folder is made.
    ///   - findings: told what is damaged; the rest can be restored.
    public init(
        of image: String, from source: any ObjectStore, below place: BytePath, credentials: Credentials,
        machine: MachineState, progress: Progress, findings: Findings
    ) throws {
        folder = place.appending("staged-\(image)")
        do {
            try makeFolders(place)
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
        } catch { throw ImageError.wrapping(error, subject: "\(folder)") }
    }

    /// Removes the copy, which has served.
    public func remove() throws {
        do { try Descriptor.open(folder.parent, .directory).removeTree(folder.lastComponent) } catch {
            throw ImageError.wrapping(error, subject: "\(folder)")
        }
    }
}
