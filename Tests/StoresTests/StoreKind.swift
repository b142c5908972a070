// The stores that the suite of behaviours runs against, each in a fresh place of its own. A new kind of store is one case more.

import Glibc
import Platform
import Stores
import Synchronization
import TestSupport
import Testing

enum StoreKind: String, CaseIterable, Sendable, CustomTestStringConvertible {
    case disk, tmpfs, fuse, medium, retrying, logging, pacing, slow
    /// OpenSSH's server, run directly; behind sshd; behind sshd with an account that may only create.
    case sftp, ssh, createOnly
    /// Our own strict server, which enforces the condition under which objects are created, refuses to know it, or ignores it.
    case s3, s3Refusing, s3Ignoring
    case ceph, rclone

    var testDescription: String { rawValue }

    /// Those that can be tried here.
    static let present = allCases.filter { kind in
        switch kind {
        case .fuse: hasFUSE
        case .medium: HostFacts.isRoot
        case .sftp: hasSFTP
        case .ssh, .createOnly: hasSSHD
        case .ceph: exists("/usr/bin/radosgw")
        // It comes over the network.
        case .rclone: runsAll
        default: true
        }
    }

    /// A call takes milliseconds, or a sync of a disk that others use as well.
    var isSlow: Bool {
        [.fuse, .medium, .slow, .disk, .ssh, .createOnly, .s3, .s3Refusing, .s3Ignoring, .ceph, .rclone].contains(self)
    }

    /// Whether its objects are files in a folder of this machine.
    var hasFolder: Bool { ![.s3, .s3Refusing, .s3Ignoring, .ceph, .rclone].contains(self) }

    /// Whether the second of two creators of a name is refused; where it is not, whether a look before it sees the first.
    var refusesSecond: Bool { ![.s3Ignoring, .rclone].contains(self) }
    var refusesRace: Bool { refusesSecond && self != .s3Refusing }

    /// Whether a name below that of an object is another name. rclone keeps both in folders, and removes the object with what is "in" it, or
    /// fails; no name of the format is below another one.
    var hasFlatNames: Bool { self != .rclone }

    /// Whether who writes may remove, and so may make something to learn the time.
    var allowsRemoval: Bool { self != .createOnly }

    func place() throws -> StorePlace {
        switch self {
        case .disk: return StorePlace(try ScratchFolder())
        case .tmpfs: return StorePlace(try ScratchFolder(tmpfs: "64m"))
        case .fuse: return StorePlace(try ScratchFolder(pauseOfFUSE: 2))
        case .medium:
            // Mounted a second time, where the tests look into its folder.
            let medium = try LoopMedium("suite", bytes: 256 << 20)
            let scratch = try ScratchFolder(mounting: medium)
            return StorePlace(scratch, store: try medium.open("/store", writing: true))
        // What wraps a store is tried in memory.
        case .logging: return StorePlace(try ScratchFolder(in: "/dev/shm")) { LoggingStore($0) { _ in } }
        case .pacing: return StorePlace(try ScratchFolder(in: "/dev/shm")) { PacingStore($0, bytesPerSecond: 1 << 30) }
        case .sftp: return try StorePlace(sftp: ScratchFolder(in: "/dev/shm"))
        case .ssh, .createOnly:
            let scratch = try placeOfNobody()
            let folder = scratch.path.appending("store")
            let store = try SSHServer.shared.get().store(folder, self == .ssh ? .plain : .createOnly)
            return StorePlace(scratch, folder, store: self == .ssh ? store : PreparedStore(store, folder))
        case .s3: return try S3Server.enforcing.get().place()
        case .s3Refusing: return try S3Server.refusing.get().place()
        case .s3Ignoring: return try S3Server.ignoring.get().place()
        case .ceph: return try S3Server.ceph.get().place()
        case .rclone: return try S3Server.rclone.get().place()
        case .slow: return StorePlace(try ScratchFolder(in: "/dev/shm")) { SlowStore($0, milliseconds: 5) }
        case .retrying:
            // Every second call fails before its effect; a thread can be the unlucky one several times.
            return StorePlace(try ScratchFolder(in: "/dev/shm")) {
                RetryingStore(StumblingStore($0), attempts: 100) { _ in }
            }
        }
    }
}

private final class StumblingStore: InterposedStore, @unchecked Sendable {
    private let isFailing = Atomic<Bool>(false)

    override func around<R>(
        _ number: Int, _ call: StoreCall, _ body: () throws(StoreError) -> R
    ) throws(StoreError) -> R {
        // Appends are not repeated, so a thread that appends must not meet the failure: what returns nothing passes.
        if R.self != Void.self, number % 2 == 1, isFailing.exchange(true, ordering: .relaxed) == false {
            throw StoreError(.unreachable, "reach", subject)
        }
        isFailing.store(false, ordering: .relaxed)
        return try body()
    }
}

let hasFUSE = shell("test -c /dev/fuse && /usr/bin/python3 -c 'import fusepy' && echo yes").hasPrefix("yes")

/// A store, and where its files are.
final class StorePlace: Sendable {
    let scratch: ScratchFolder
    let store: any ObjectStore
    let folder: BytePath

    /// - Parameter name: of the store's folder in the scratch folder, where there are several.
    init(
        _ scratch: ScratchFolder, name: String = "store", _ wrap: (any ObjectStore) -> any ObjectStore = { $0 }
    ) {
        self.scratch = scratch
        folder = scratch.path.appending(name)
        store = wrap(FolderStore(folder))
    }

    init(_ scratch: ScratchFolder, _ folder: BytePath? = nil, store: any ObjectStore) {
        self.scratch = scratch
        self.folder = folder ?? scratch.path.appending("store")
        self.store = store
    }
}

/// A folder that goes with the test, with what is mounted on it.
final class ScratchFolder: Sendable {
    let path: BytePath
    private let isMounted: Bool
    private let medium: LoopMedium?

    init(in folder: String = "/tmp") throws {
        path = try Self.fresh(in: folder)
        isMounted = false
        medium = nil
    }

    init(tmpfs size: String) throws {
        path = try Self.fresh()
        isMounted = true
        medium = nil
        shell("mount -t tmpfs -o size=\(size) holdfast-test '\(path)'")
        try #require(shell("stat -fc %T '\(path)'") == "tmpfs\n")
    }

    init(pauseOfFUSE milliseconds: Int) throws {
        path = try Self.fresh()
        isMounted = true
        medium = nil
        let program = BytePath(#filePath).parent.appending("slow-folder.py")
        shell(
            """
            mkdir '\(path).behind'
            setsid /usr/bin/python3 '\(program)' '\(path).behind' '\(path)' \(milliseconds) < /dev/null > '\(path).log' 2>&1 &
            for i in $(seq 200); do mountpoint -q '\(path)' && break; sleep 0.05; done
            """)
        try #require(shell("stat -fc %T '\(path)'").hasPrefix("fuse"), "\(shell("cat '\(path).log'"))")
    }

    init(mounting medium: LoopMedium) throws {
        path = try Self.fresh()
        isMounted = true
        self.medium = medium
        shell("mount '\(medium.device)' '\(path)'")
        try #require(shell("mountpoint -q '\(path)' && echo yes") == "yes\n")
    }

    deinit {
        if isMounted { shell("umount -l '\(path)'") }
        shell("rm -rf --one-file-system '\(path)' '\(path).behind' '\(path).log'")
    }

    private static func fresh(in folder: String = "/tmp") throws -> BytePath {
        var template = Array("\(folder)/holdfast-stores-XXXXXX".utf8CString)
        try #require(mkdtemp(&template) != nil)
        return BytePath(template.dropLast().map { UInt8(bitPattern: $0) })
    }
}

/// Writes a file without making anything durable.
func plant(_ path: BytePath, _ text: String) throws {
    try Descriptor.open(path, [.write, .create, .exclusive]).write(bytes(text))
}

func plantFolder(_ path: BytePath) { _ = path.withCString { mkdir($0, 0o755) } }

func plantLink(_ path: BytePath, to target: BytePath) {
    _ = path.withCString { path in target.withCString { symlink($0, path) } }
}

/// The reason for which a call fails; nil where it does not.
func reason(_ call: () throws -> Void) -> StoreError.Reason? {
    do {
        try call()
        return nil
    } catch { return (error as? StoreError)?.reason }
}

func bytes(_ text: String) -> [UInt8] { Array(text.utf8) }

/// Runs the bodies at the same time, each in a thread of its own.
func together(_ bodies: (@Sendable () -> Void)...) {
    bodies.map { WorkerThread($0) }.forEach { $0.join() }
}
