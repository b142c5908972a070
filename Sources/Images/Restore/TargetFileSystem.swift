// What a file system onto which something is restored does not keep. FAT and exFAT have no owners, NTFS and SMB may give all files one mode,
// others round times: most of them refuse nothing, so what the kernel says afterwards is compared. One finding a kind says what differs.

internal import Glibc
internal import Platform
internal import Reporting
internal import Synchronization

final class TargetFileSystem: Sendable {
    enum Aspect: String, CaseIterable {
        case names, owners, permissions, times, attributes, flags
        case hardLinks = "hard links"
        case projects = "projects of quotas"
    }

    private struct Loss {
        var entries: UInt64 = 1
        let first: BytePath
        /// What was said, where it was refused.
        let refusal: SystemError?
    }

    /// Whether it is of a type that keeps all that can be set: then only its first entries are compared, and what is odd.
    let keepsMetadata: Bool
    private let mount: UInt64
    private let compared = Atomic<Int>(0)
    private let hasLosses = Atomic<Bool>(false)
    private let losses = Mutex<[Aspect: Loss]>([:])
    private let owner = Mutex<UInt32?>(nil)

    /// Makes one of a folder on it.
    init(_ folder: Descriptor, _ status: FileStatus) {
        keepsMetadata = Self.keeping.contains(folder.fileSystemType)
        mount = status.mount
    }

    static let zfs: UInt = 0x2fc1_2fc1
    /// ext2 to ext4, XFS, btrfs, ZFS, tmpfs, F2FS, bcachefs, overlayfs.
    private static let keeping: [UInt] = [
        0xef53, 0x5846_5342, 0x9123_683e, zfs, 0x0102_1994, 0xf2f5_2010, 0xca45_1a4e, 0x794c_7630,
    ]

    // MARK: What differs

    func lose(_ aspect: Aspect, _ path: BytePath, _ refusal: SystemError? = nil) {
        hasLosses.store(true, ordering: .relaxed)
        losses.withLock { losses in
            if losses[aspect] == nil {
                losses[aspect] = Loss(first: path, refusal: refusal)
            } else {
                losses[aspect]?.entries &+= 1
            }
        }
    }

    /// Whether the file system refuses this, and not to this user or for this entry alone.
    func isRefusal(_ error: SystemError, of aspect: Aspect) -> Bool {
        if [EOPNOTSUPP, ENOSYS, ENOTTY].contains(error.code) { return true }
        if keepsMetadata { return false }
        if error.code == EINVAL { return true }
        // An owner may be set by root alone; of one's own file, mode and times by oneself.
        return [EPERM, EACCES].contains(error.code)
            && (HostFacts.isRoot || aspect == .permissions || aspect == .times)
    }

    /// Whether it is known to lose this; of a type that keeps metadata, nothing is: what differs there was changed by somebody.
    func loses(_ aspect: Aspect) -> Bool { !keepsMetadata && losses.withLock { $0[aspect] != nil } }

    /// Compares what an entry has now with what was set.
    /// - Parameter failed: what could not be set, which was said.
    func compare(_ file: Descriptor, with entry: Entry, at path: BytePath, failed: [Aspect]) throws(SystemError) {
        guard isToBeCompared(entry) else { return }
        var status = try file.status()
        let isModified = { status.modified != entry.modified && !failed.contains(.times) }
        if isModified(), !keepsMetadata, status.modified.seconds != entry.modified.seconds {
            // Some know only how to set both times, and pass over one without a word.
            try file.setTimes(seconds: entry.modified.seconds, nanoseconds: entry.modified.nanoseconds)
            status = try file.status()
        }
        if isModified() { lose(.times, path) }
        if status.user != entry.user || status.group != entry.group, !failed.contains(.owners) { lose(.owners, path) }
        if status.mode != entry.mode, entry.kind != .symbolicLink, !failed.contains(.permissions) {
            lose(.permissions, path)
        }
        guard !keepsMetadata, !entry.attributes.isEmpty, !failed.contains(.attributes) else { return }
        guard entry.kind == .file || entry.kind == .directory else { return }
        let there = try file.extendedAttributes()
        if !entry.attributes.allSatisfy(there.contains) { lose(.attributes, path) }
    }

    /// Old ones end in 2038, and begin in 1970; small ones may have no fractions of a second.
    private func isToBeCompared(_ entry: Entry) -> Bool {
        if !keepsMetadata || hasLosses.load(ordering: .relaxed) { return true }
        if !(0..<0x7fff_ffff).contains(entry.modified.seconds) { return true }
        guard compared.load(ordering: .relaxed) < 100 else { return false }
        compared.add(1, ordering: .relaxed)
        return true
    }

    /// Whether something that this user made just now may have this owner: a mount may give everything one owner, whoever makes it.
    /// - Parameter probe: makes a file there that nobody else can have made, and says who owns it.
    func isOwn(_ status: FileStatus, probe: () throws(SystemError) -> UInt32) throws(SystemError) -> Bool {
        if status.user == geteuid() { return true }
        if keepsMetadata { return false }
        return try owner.withLock { owner throws(SystemError) in
            if owner == nil { owner = try probe() }
            return owner == status.user
        }
    }

    // MARK: What is said

    /// - Parameters:
    ///   - target: where something was restored to, for messages.
    ///   - withoutOwners: nobody misses owners and permissions.
    func findings(at target: BytePath, withoutOwners: Bool) -> [Finding] {
        var losses = losses.withLock { $0 }
        if withoutOwners { for aspect in [Aspect.owners, .permissions] { losses[aspect] = nil } }
        if losses.isEmpty { return [] }
        // Only for the sentence.
        let type = (try? Mount.all().first { $0.id == mount })?.type ?? "of an unknown type"
        return Aspect.allCases.compactMap { aspect in
            guard let loss = losses[aspect] else { return nil }
            let isOne = loss.entries == 1
            let entries = isOne ? "1 entry, \(loss.first)" : "\(loss.entries) entries, \(loss.first) the first"
            let refusal = loss.refusal.map { aspect == .hardLinks ? $0.reason : $0.description }
            let reason = refusal.map { " (\($0))" } ?? ""
            let kept = "the file system (\(type)) does not keep \(aspect.rawValue) as they are in the image: "
            let instead = aspect == .hardLinks ? ": the content is there once for each name" : ""
            return Finding(.notRestored, target, kept + entries + reason + instead)
        }
    }
}

extension Restorer {
    func fileSystem(of folder: Descriptor, _ status: FileStatus) -> TargetFileSystem {
        counting.withLock {
            if let known = fileSystems[status.device] { return known }
            let made = TargetFileSystem(folder, status)
            fileSystems[status.device] = made
            return made
        }
    }

    /// Whether something that was made in a folder just now is this user's, and nobody put something else in its place.
    func isOwn(_ status: FileStatus, madeIn above: Descriptor) throws(SystemError) -> Bool {
        if status.user == geteuid() { return true }
        let fileSystem = fileSystem(of: above, try above.status())
        return try fileSystem.isOwn(status) { () throws(SystemError) in
            try Result { try PartialFile(in: above, partialNames) }
                .mapError { $0 as? SystemError ?? SystemError(EIO, "make a file in", "the folder") }
                .flatMap { file in
                    defer { file.discard() }
                    return Result { () throws(SystemError) in try file.file.status().user }
                }.get()
        }
    }

    /// Says once what a file system did not keep.
    func addLosses() {
        for (_, fileSystem) in fileSystems.sorted(by: { $0.key < $1.key }) {
            for finding in fileSystem.findings(at: request.target, withoutOwners: request.hasOwnersOfMount) {
                findings.add(finding)
            }
        }
    }
}
