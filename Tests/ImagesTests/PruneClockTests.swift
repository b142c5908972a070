// Prune with nothing shifted: the clocks are those of this machine and of real servers, and all that has to pass does. The program has no
// grace below a day, so it is the engine that is asked for one of seconds.

import Cryptography
import Glibc
import Platform
import Reporting
import Stores
import Synchronization
import TestSupport
import Testing

@testable import Images

@Suite struct PruneClockTests {
    enum Medium: String, CaseIterable, Sendable, CustomTestStringConvertible {
        case folder, sshd, ceph

        static let present = allCases.filter { medium in
            switch medium {
            case .folder: true
            case .sshd: exists("/usr/sbin/sshd") && exists("/usr/bin/ssh")
            case .ceph: exists("/usr/bin/radosgw")
            }
        }

        var testDescription: String { rawValue }
    }

    @Test(
        "Beside a machine at work all that nothing names goes by the true clocks, and nothing else",
        arguments: Medium.present)
    func byTrueClocks(medium: Medium) throws {
        let yard = try ClockYard(medium)
        let idle = yard.scratch.machine("idle")
        try yard.join(idle, "idle")
        for number: UInt64 in 1...3 { try yard.backup(number, on: idle, "idle") }
        try yard.leaveCutRun(of: idle)

        let busy = yard.scratch.machine("busy")
        try yard.join(busy, "busy")
        let isOver = Atomic(false)
        let made = Mutex<[ObjectID]>([])
        let problem = Mutex<(any Error)?>(nil)
        let writer = WorkerThread {
            do {
                var number: UInt64 = 100
                while !isOver.load(ordering: .relaxed) {
                    let id = try yard.backup(number, on: busy, "busy")
                    made.withLock { $0.append(id) }
                    number += 1
                    usleep(400_000)
                }
            } catch { problem.withLock { $0 = error } }
        }
        func end() {
            isOver.store(true, ordering: .relaxed)
            writer.join()
        }
        defer { end() }
        var reports: [PruneReport] = []
        for _ in 0..<2 {
            yard.waitAGrace()
            reports.append(try yard.prune())
        }
        end()
        problem.withLock { #expect($0 == nil, "\($0.map { "\($0)" } ?? "")") }
        let count = made.withLock(\.count)
        #expect(count > 3)
        // The first says what goes, the second does it.
        #expect(reports[0].images > 2 && reports[0].condemned.objects > 0 && reports[0].removed.objects == 0)
        #expect(reports[1].images > 0 && reports[1].removed.objects > 0)

        // Nobody writes any more: what goes last is said, waits, and is gone.
        for _ in 0..<2 {
            yard.waitAGrace()
            reports.append(try yard.prune())
        }
        #expect(reports.flatMap(\.findings).isEmpty, "\(reports.flatMap(\.findings))")
        #expect(reports.reduce(0) { $0 + $1.images } == 2 + count - 1)
        let images = try yard.owned().images()
        #expect(images.count == 2 && images.allSatisfy(\.counts))
        #expect(images.contains { $0.id == made.withLock { $0.last } })
        for image in images { try yard.expectRestores(image.id) }
        try yard.owned().expectNothingElse()
        #expect(try yard.plan().isEmpty)
    }
}

/// A store on a real medium, its owner and steward, and the tree of each image.
private final class ClockYard: Sendable {
    let scratch: Scratch
    private let objects: any ObjectStore
    private let server: TestServer?
    private let owner: AgeIdentity
    private let steward: StewardKey

    /// Seconds; writers look at the tombstones right before they commit, and need less.
    private static let grace: Int64 = 3

    init(_ medium: PruneClockTests.Medium) throws {
        scratch = try Scratch()
        switch medium {
        case .folder:
            server = nil
            objects = FolderStore(scratch.file("store"))
        case .sshd:
            let sshd = try TestServer("sshd")
            server = sshd
            objects = SFTPStore(
                try SFTPLocation(Array("sftp://plain\(sshd["FOLDER"])/clock".utf8)),
                ssh: ["ssh", "-F", ProgramWord(sshd["CONFIG"])])
        case .ceph:
            let ceph = try TestServer("ceph")
            server = ceph
            let file = try Descriptor.open(scratch.file("key"), [.write, .create, .exclusive], mode: 0o600)
            try file.write(
                Array("aws_access_key_id = \(ceph["ACCESS_KEY"])\naws_secret_access_key = \(ceph["SECRET_KEY"])\n".utf8)
            )
            let url = "s3://\(ceph["PLAIN_BUCKET"])/clock?endpoint=\(ceph["ENDPOINT"])&region=\(ceph["REGION"])"
            var settings = TransportSettings()
            settings.noProxy = "*"
            objects = S3Store(
                try S3Location(Array(url.utf8)), credentials: .file(scratch.file("key")), settings: settings)
        }
        owner = try AgeIdentity.generate()
        let office = scratch.machine("office")
        _ = try Store.create(
            objects, recipients: [.age(owner.recipient)], JoinRequest(group: "office", series: ["office/"]),
            machine: office)
        steward = try Store.open(
            objects, for: .read, credentials: Credentials(identities: [owner]), machine: office
        ).issueSteward(name: "steward")
    }

    func join(_ machine: MachineState, _ name: String) throws {
        _ = try Store.join(
            objects, JoinRequest(group: "line", series: ["\(name)/"]),
            credentials: Credentials(identities: [owner]), machine: machine)
    }

    func owned() throws -> Store {
        try Store.open(
            objects, for: .read, credentials: Credentials(identities: [owner]), machine: scratch.machine("office"))
    }

    /// Of two machines some is the same, and some of every two images of one.
    @discardableResult
    func backup(_ number: UInt64, on machine: MachineState, _ name: String) throws -> ObjectID {
        let tree = scratch.file("\(name) tree")
        try put(tree.appending("common"), SplitMix64.of(77, 400_000))
        try put(tree.appending("lasting"), SplitMix64.of(number / 2, 60_000))
        try put(tree.appending("own"), SplitMix64.of(number, 60_000))
        let store = try Store.open(objects, for: .write, credentials: Credentials(), machine: machine)
        let findings = Findings()
        let report = try store.backup(
            BackupRequest(sources: [tree], name: "plc"), progress: Progress(), findings: findings)
        #expect(report.findings == 0)
        run("/bin/cp", ["-a", tree.description, scratch.file("tree of \(report.id)").description])
        return report.id
    }

    /// A volume that was stored, and its run was cut.
    func leaveCutRun(of machine: MachineState) throws {
        let key = try #require(try machine.writerKey(of: StoreHeader.read(objects).store))
        let cut = try makeObject(.dataVolume, id: .random(), run: .random(), writer: key) { _ in }
        let name = ObjectName(.volume, group: key.group.id, writer: key.writer, id: cut.summary.id)
        try objects.put(name.text, cut.bytes)
    }

    func plan() throws -> PrunePlan { try plan(opened(), Set(owned().images().map(\.id))) }

    /// Of each series the newest stays, and what comes meanwhile.
    func prune() throws -> PruneReport {
        let store = try opened()
        return try store.prune(plan(store, Set(owned().images().map(\.id))), progress: Progress())
    }

    private func opened() throws -> Store {
        try Store.open(
            objects, for: .prune, credentials: Credentials(steward: steward), machine: scratch.machine("desk"))
    }

    private func plan(_ store: Store, _ known: Set<ObjectID>) throws -> PrunePlan {
        var settings = PruneSettings(tool: "test", grace: Self.grace)
        // Two days are added to the longest run; with this they are as many seconds as the grace.
        settings.longestRun = Self.grace - PruneSettings.condemnAge
        return try store.planPrune(
            settings, progress: Progress(), choose: { PruneYard.keep(1)($0.filter { known.contains($0.id.image) }) })
    }

    /// What was written until now is as old as the grace, by clocks of whole seconds.
    func waitAGrace() { sleep(UInt32(Self.grace + 2)) }

    func expectRestores(_ id: ObjectID) throws {
        let target = scratch.file("restored \(id)")
        let report = try Images.restore(
            owned().imageReader(id.description), RestoreRequest(target: target), progress: Progress(),
            findings: Findings())
        #expect(report.findings == 0)
        try expectSameTree(target, scratch.file("tree of \(id)"))
    }
}
