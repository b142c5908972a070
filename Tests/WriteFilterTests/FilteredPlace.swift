// Where the tests of the write filter work: a folder with a filter, and what tools that know nothing of Holdfast say of it.

import Cryptography
import Glibc
import Images
import Machine
import Platform
import Reporting
import RestorePoints
import TestSupport
import Testing
import WriteFilter

/// A scratch folder with a protected tree; everything goes with it.
final class FilteredPlace {
    let scratch: BytePath
    let root: BytePath
    let state: BytePath
    let filter: WriteFilter

    init() throws {
        scratch = BytePath("/tmp/holdfast-filter-\(try SecureRandom.bytes(6).map { String($0, radix: 16) }.joined())")
        root = scratch.appending("plant")
        state = scratch.appending("state")
        filter = WriteFilter(state: state)
        try makeFolders(root, mode: 0o755)
    }

    deinit {
        leave()
        shell("chattr -R -f -ia \(state); rm -rf \(scratch)")
    }

    /// What a power cut leaves of the mounts: nothing.
    func leave() {
        let base = FilterMounts.base(of: root)
        shell(
            """
            for place in $(awk '{print $2}' /proc/self/mounts | grep -e '^\(root)' -e '^\(base)' | tac); do umount -l $place; done; rm -rf \(base)
            """)
    }

    func setUp() throws {
        _ = try ProtectedTree.setUp(
            root: root, state: state, kind: .tree, progress: Progress(), findings: Findings())
    }

    @discardableResult
    func enable(size: UInt64 = 64 << 20) throws -> WriteFilter.Enabled {
        var request = WriteFilter.Request()
        request.path = root
        request.size = size
        return try filter.enable(
            request, user: "test", progress: Progress(), findings: Findings(), holding: filter.lock())
    }

    func commit(_ paths: [BytePath]?, findings: Findings = Findings()) throws -> WriteFilter.Committed {
        try filter.commit(paths, in: root, progress: Progress(), findings: findings, holding: filter.lock())
    }

    func start(findings: Findings = Findings()) throws -> [String] {
        try filter.start(findings: findings, holding: filter.lock())
    }

    var status: WriteFilter.Status {
        get throws { try #require(filter.status().first) }
    }

    /// The folder as it is on the disk.
    var lower: BytePath { FilterMounts.base(of: root).appending("lower") }

    /// Everything about a folder: kinds, modes, owners, sizes, times, content, attributes and access lists. Shared inodes are left
    /// out, since an overlay parts them.
    func look(_ folder: BytePath? = nil, times: Bool = true) -> String {
        let time = times ? "%T@" : ""
        return shell(
            """
            cd \(folder ?? root) && find . -mindepth 1 \\( -type d -printf '%p %y %m %U %G \(time)\\n' -o -printf '%p %y %m %U %G %s \(time) %l\\n' \\) | sort
            find . -type f -print0 | sort -z | xargs -0r sha256sum
            find . -mindepth 1 -print0 | sort -z | xargs -0r getfattr -h -d -m '^user|^security' 2>/dev/null
            find . -mindepth 1 -print0 | sort -z | xargs -0r getfacl -P 2>/dev/null
            """)
    }
}

extension WriteFilter {
    func discard(_ place: BytePath?, holding lock: borrowing MachineLock) throws -> (
        now: [BytePath], later: [(path: BytePath, users: [TreeUse])]
    ) {
        // A program of the test that is about to end may go between the two; then it is planned once more, as people would.
        do { return try discard(planDiscard(place), findings: Findings(), holding: lock) } catch is StalePlan {
            return try discard(planDiscard(place), findings: Findings(), holding: lock)
        }
    }

    func disable(
        _ place: BytePath, holding lock: borrowing MachineLock
    ) throws -> (isWritable: Bool, users: [TreeUse]) {
        do { return try disable(planDisable(place), findings: Findings(), holding: lock) } catch is StalePlan {
            return try disable(planDisable(place), findings: Findings(), holding: lock)
        }
    }
}
