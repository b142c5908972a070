// A /boot that is a file system of its own, and an EFI system partition. What they hold is kept with each point, as images, so that a
// rollback brings back the kernel that belongs to the modules, and the menu that starts it.

internal import Cryptography
internal import Images
internal import Machine
internal import Platform
internal import Reporting

/// A folder that goes with the points of a tree.
struct BootPlace: Codable, Hashable, Sendable {
    /// In hexadecimal digits.
    var path: String
    /// Whether it was a file system of its own at set-up: then what is in its place while that is not mounted is not it.
    var isMount: Bool

    var pathOfFolder: BytePath { BytePath(decodeHexadecimal(path) ?? []) }

    init(_ path: BytePath) {
        self.path = hexadecimal(path.bytes)
        isMount = BootFolder.isMounted(path)
    }

    /// Those of this machine that `/` does not hold itself.
    static var ofThisMachine: [BootPlace] {
        ["/boot", "/boot/efi", "/efi"].map(BootPlace.init).filter(\.isMount)
    }
}

/// What a point knows of one of them.
public struct KeptBoot: Codable, Hashable, Sendable {
    /// The folder, in hexadecimal digits.
    var folder: String
    /// The image in the state's own store of boot images. Several points share one where nothing has changed between them.
    var image: String
    /// Over names, sizes and times of what is in it.
    var fingerprint: String
}

/// All folders that go with the points of a tree.
struct BootFolders {
    private let folders: [BootFolder]

    init(
        _ places: [BootPlace], ground: Ground = .running, state: BytePath, progress: Progress, findings: Findings
    ) {
        folders = places.enumerated().map { number, place in
            BootFolder(
                place, ground: ground, area: state.appending(number == 0 ? "boot" : "boot-\(number + 1)"),
                progress: progress,
                findings: findings)
        }
    }

    /// - Throws: where one of them is not mounted.
    func checkThere() throws {
        let missing = folders.filter { !$0.isThere }.map(\.notMounted)
        if !missing.isEmpty { throw PointError.refused(missing) }
    }

    func keep(_ points: [RestorePoint], name: String) throws -> [KeptBoot] {
        try checkThere()
        return try folders.map { try $0.keep(points, name: name) }
    }

    /// Whether all of them can be kept and brought.
    var areThere: Bool { folders.allSatisfy(\.isThere) }

    func check(_ kept: [KeptBoot]) throws { try forEach(in: kept) { try $0.check($1) } }

    /// Brings those that are there into the state that was kept; says whether that were all.
    func bring(to kept: [KeptBoot]) throws -> Bool {
        var isComplete = true
        try forEach(in: kept) { folder, kept in
            if folder.isThere { try folder.bring(to: kept) } else { isComplete = false }
        }
        return isComplete
    }

    /// Takes away what was kept for a point that was being made.
    func discard(_ id: String) throws { for folder in folders { try folder.discard(id) } }

    /// Destroys what was kept, but for what points have that stay.
    func destroy(_ kept: [KeptBoot], keeping points: [RestorePoint]) throws {
        let needed = Set(points.flatMap { $0.boot ?? [] }.map(\.image))
        try forEach(in: kept) { folder, _ in
            for kept in kept where kept.folder == folder.name && !needed.contains(kept.image) {
                try folder.destroy(kept)
            }
            try folder.tidy()
        }
    }

    private func forEach(in kept: [KeptBoot], _ body: (BootFolder, KeptBoot) throws -> Void) rethrows {
        for folder in folders {
            if let kept = kept.first(where: { $0.folder == folder.name }) { try body(folder, kept) }
        }
    }
}

final class BootFolder {
    private let folder: BytePath
    /// Where it is on the disk: a write filter may cover it.
    private let place: BytePath
    private let isMount: Bool
    private let store: LocalStore
    /// The boot loader's own parts belong to each other and to what is in front of the partitions, which no rollback touches.
    private let own: [BytePath]

    init(_ place: BootPlace, ground: Ground, area: BytePath, progress: Progress, findings: Findings) {
        folder = place.pathOfFolder
        self.place = ground.place(of: folder)
        isMount = place.isMount
        own = Self.loader(in: self.place)
        store = LocalStore(
            root: self.place, area: area, own: own, progress: progress, findings: findings, state: area.parent)
        // FAT has neither owners nor permissions: those that are seen are of the mount, which the recovery system makes otherwise. What cannot be told
        // is compared as strictly as ever.
        let mount = try? Mount.holding(Descriptor.open(self.place, .directory))
        store.hasOwnersOfMount = mount?.type == "vfat"
    }

    var name: String { hexadecimal(folder.bytes) }

    /// Whether it is there: while the machine starts it may not be mounted yet.
    var isThere: Bool { isMount ? Self.isMounted(place) : exists(place) }

    var notMounted: Preflight {
        Preflight(
            "boot-not-mounted", "\(folder) is a file system of its own and is not mounted", mend: "`mount \(folder)`",
            isRefusal: true)
    }

    /// GRUB's modules, and in an EFI system partition every loader's folder; kernels are in others, or in EFI/Linux.
    private static func loader(in folder: BytePath) -> [BytePath] {
        let grub = folder.appending("grub")
        var own = ["i386-pc", "x86_64-efi", "i386-efi", "arm64-efi", "grubenv"].map { grub.appending($0) }
        // So is the recovery system, and what the boot loader counts in: they bring back, and are not brought back.
        own += [folder.appending("holdfast"), folder.appending("boot/grub")]
        let loaders = folder.appending("EFI")
        if let names = try? DirectoryListing(of: Descriptor.open(loaders, .directory)) {
            own += (0..<names.count).map { names[$0] }.filter { $0 != Array("Linux".utf8) }.map(loaders.appending)
        }
        return own
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
        let known = points.lazy.compactMap { point in point.boot?.first { $0.folder == self.name } }
        if let known = known.last(where: { $0.fingerprint == fingerprint }) { return known }
        let (image, missed) = try store.create(name)
        if missed > 0 { throw PointError.unreadable(root: folder, findings: missed) }
        return KeptBoot(folder: self.name, image: image, fingerprint: fingerprint)
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

    func discard(_ id: String) throws { try store.discard(id) }
    func destroy(_ kept: KeptBoot) throws { try store.destroy(kept.image) }
    func tidy() throws { try store.tidy() }

    private func fingerprint() throws -> String {
        var text = ""
        for entry in try FolderListing(Descriptor.open(place, .directory), isThorough: false, own: own).entries {
            // A folder's time changes with names that come and go, as while a file is replaced.
            let time = entry.kind == .directory ? "" : "\(entry.modified.seconds).\(entry.modified.nanoseconds)"
            let rights = store.hasOwnersOfMount ? "" : "\(entry.mode) \(entry.user) \(entry.group) "
            text +=
                "\(hexadecimal(entry.path.bytes)) \(entry.kind) \(rights)"
                + "\(entry.size) \(time) \(hexadecimal(entry.target))\n"
        }
        return try Array(text.utf8).withUnsafeBytes { try SHA256.digest(of: $0) }.hex
    }
}
