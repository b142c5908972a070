// A /boot that is a file system of its own. What it holds is kept with each point, as an image, so that a rollback brings back the
// kernel that belongs to the modules, and the menu that starts it.

internal import Cryptography
internal import Images
internal import Platform

/// What a point knows of /boot.
public struct KeptBoot: Codable, Hashable, Sendable {
    /// The image in the state's own store of boot images. Several points share one where nothing has changed between them.
    var image: String
    /// Over names, sizes and times of what is in it.
    var fingerprint: String
}

final class BootFolder {
    private let folder: BytePath
    private let store: LocalStore
    /// The boot loader's own modules belong to what is in front of the partitions, which no rollback touches.
    private let own: [BytePath]

    init(_ folder: BytePath, state: BytePath, progress: Progress, findings: Findings) {
        self.folder = folder
        let loader = folder.appending("grub")
        own = ["i386-pc", "x86_64-efi", "i386-efi", "arm64-efi", "grubenv"].map { loader.appending($0) }
        store = LocalStore(
            root: folder, area: state.appending("boot"), own: own, progress: progress, findings: findings)
    }

    /// Whether it is there: while the machine starts it may not be mounted yet.
    var isThere: Bool {
        // Somebody may give any folder; one in / has to be mounted.
        folder.parent == "/" ? Self.isMounted(folder) : exists(folder)
    }

    /// Whether a folder is on another file system than the one above it.
    static func isMounted(_ folder: BytePath) -> Bool {
        guard let here = try? Descriptor.open(folder, .directory).status(),
            let above = try? Descriptor.open(folder.parent, .directory).status()
        else { return false }
        return here.device != above.device
    }

    /// Keeps what it holds now; where nothing has changed since one of these points, that is a look at each file.
    func keep(_ points: [RestorePoint], name: String) throws -> KeptBoot {
        let fingerprint = try fingerprint()
        if let known = points.last(where: { $0.boot?.fingerprint == fingerprint })?.boot { return known }
        let (image, missed) = try store.create(name)
        if missed > 0 { throw PointError.unreadable(root: folder, findings: missed) }
        return KeptBoot(image: image, fingerprint: fingerprint)
    }

    /// Brings it into a state that was kept. Idempotent, and next to nothing where it is in it.
    func bring(to kept: KeptBoot) throws {
        if try fingerprint() == kept.fingerprint { return }
        let missed = try store.restore(kept.image, known: nil)
        if missed > 0 { throw PointError.bootNotBrought(folder: folder, findings: missed) }
    }

    /// Throws where bringing it could not come to its end.
    func check(_ kept: KeptBoot) throws {
        if try fingerprint() != kept.fingerprint { try store.check(kept.image, known: nil) }
    }

    func clear(keeping points: [RestorePoint]) throws {
        try store.clear(keeping: Set(points.compactMap(\.boot?.image)))
    }

    private func fingerprint() throws -> String {
        var text = ""
        for entry in try FolderListing(Descriptor.open(folder, .directory), isThorough: false, own: own).entries {
            // A folder's time changes with names that come and go, as while a file is replaced.
            let time = entry.kind == .directory ? "" : "\(entry.modified.seconds).\(entry.modified.nanoseconds)"
            text +=
                "\(hexadecimal(entry.path.bytes)) \(entry.kind) \(entry.mode) \(entry.user) \(entry.group) "
                + "\(entry.size) \(time) \(hexadecimal(entry.target))\n"
        }
        return try Array(text.utf8).withUnsafeBytes { try SHA256.digest(of: $0) }.hex
    }
}
