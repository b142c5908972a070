// Where the tests of restore points work: a real btrfs in a file, and a folder of whatever file system the machine has.

import Cryptography
import Glibc
import Images
import Machine
import Platform
import Reporting
import RestorePoints
import TestSupport
import Testing

/// A scratch folder with a tree that can be protected; everything goes with it.
final class Place {
    let scratch: BytePath
    let kind: BackendKind
    /// The protected tree.
    let root: BytePath
    let state: BytePath

    init(_ kind: BackendKind) throws {
        self.kind = kind
        let digits = try SecureRandom.bytes(6).map { String($0, radix: 16) }.joined()
        scratch = BytePath("/tmp/holdfast-points-\(digits)")
        state = scratch.appending("state")
        try makeFolders(scratch)
        switch kind {
        case .zfs:
            let dataset = "\(Self.pool ?? "")/\(digits)"
            shell(
                "zfs create -o mountpoint=\(scratch)/mount -o xattr=sa -o acltype=posixacl \(dataset) && zfs create \(dataset)/plant"
            )
            root = scratch.appending("mount").appending("plant")
        case .btrfs:
            let image = scratch.appending("disk")
            let mount = scratch.appending("mount")
            try makeFolders(mount)
            shell("truncate -s 512M \(image) && mkfs.btrfs -q \(image) && mount -o loop \(image) \(mount)")
            root = mount.appending("plant")
            shell("btrfs -q subvolume create \(root)")
        default:
            root = scratch.appending("plant")
            try makeFolders(root)
        }
    }

    static let pool = getenv("HOLDFAST_TEST_POOL").map { String(cString: $0) }

    deinit {
        if kind == .zfs, let pool = Self.pool {
            let digits = scratch.description.split(separator: "-").last ?? ""
            shell("cd /; zfs destroy -R \(pool)/\(digits)")
        }
        shell("chattr -R -f -ia \(root) \(scratch)/state; umount \(scratch)/mount 2>/dev/null; rm -rf \(scratch)")
    }

    func setUp() throws -> ProtectedTree {
        try ProtectedTree.setUp(root: root, state: state, kind: kind, progress: Progress(), findings: Findings())
    }

    func open() throws -> ProtectedTree {
        try ProtectedTree.open(state: state, progress: Progress(), findings: Findings())
    }

    /// Everything about the tree, as tools that know nothing of Holdfast tell it: kinds, modes, owners, sizes, times, content,
    /// attributes, access lists and shared inodes.
    func look() -> String {
        shell(
            """
            cd \(root) && find . -mindepth 1 -printf '%p %y %m %U %G %s %T@ %l %n\\n' | sed -E 's/^(.* d [0-7]+ [0-9]+ [0-9]+) [0-9]+ (.*) [0-9]+$/\\1 \\2/' | sort
            find . -type f -print0 | sort -z | xargs -0r sha256sum
            find . -print0 | sort -z | xargs -0r getfattr -h -d -m - 2>/dev/null
            find . -print0 | sort -z | xargs -0r getfacl -P 2>/dev/null
            find . -type f -printf '%i %p\\n' | sort | awk '{ if ($1 in first) print "same", first[$1], $2; else first[$1] = $2 }'
            """)
    }

    /// Puts a text in a file of the tree.
    func write(_ name: String, _ text: String) {
        shell("mkdir -p $(dirname \(root)/\(name)); printf %s '\(text)' > \(root)/\(name)")
    }
}

/// The codes for which a rollback is refused; carrying it out throws then, each has a mend, and the file stays as it is.
func refusals(_ tree: ProtectedTree, to point: RestorePoint, _ place: Place) throws -> [String] {
    let plan = try tree.planRollback(to: point, discardNewer: false)
    let refusals = plan.findings.filter(\.isRefusal)
    if !refusals.isEmpty {
        #expect(throws: PointError.self) { try tree.carryOut(plan, user: "test") }
        #expect(refusals.allSatisfy { $0.mend != nil })
    }
    #expect(shell("cat \(place.root)/file") == "bad")
    return refusals.map(\.code)
}
