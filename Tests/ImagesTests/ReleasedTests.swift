// Stores and machine states that earlier versions wrote, kept as they were: every later version reads them. A folder of
// `Testdata/released` for each issue; none is ever made anew.

import Cryptography
import Platform
import Reporting
import Testing

@testable import Images

@Suite struct ReleasedTests {
    private let scratch: Scratch
    private let folder: BytePath
    private let credentials: Credentials
    /// The machine as it was when it wrote the store.
    private let machine: MachineState

    init() throws {
        scratch = try Scratch()
        folder = scratch.file("issue-12")
        let kept = BytePath(#filePath).parent.parent.parent.appending("Testdata/released/issue-12")
        // A copy: it is written to.
        #expect(run("/bin/cp", ["-r", kept.description, folder.description]) == 0)
        credentials = Credentials(identities: [try readIdentity(folder.appending("identity.txt"))])
        machine = MachineState(state: folder.appending("machine"), cache: scratch.file("cache"))
    }

    private func open(_ purpose: Store.Purpose, _ machine: MachineState, _ credentials: Credentials) throws -> Store {
        try Store.open(folder.appending("store"), for: purpose, credentials: credentials, machine: machine)
    }

    @Test("A store and a single file of issue 12 restore, with its identity alone and on its machine")
    func restores() throws {
        for (name, machine) in [("nobody", scratch.machine()), ("own", machine)] {
            let store = try open(.read, machine, credentials)
            for image in ["one", "two"] {
                let target = scratch.file("\(name) \(image)")
                #expect(try restored(store.imageReader(image), to: target).findings == 0)
                try expectListing(of: target, folder.appending("\(image).txt"))
            }
            let report = try store.verify(image: nil, readData: true, progress: Progress(), findings: Findings())
            #expect(report.findings == 0 && report.images == 2)
        }
        let reader = try SingleFile.imageReader(
            folder.appending("image.holdfast"), credentials: credentials, machine: machine)
        #expect(try restored(reader, to: scratch.file("file")).findings == 0)
        try expectListing(of: scratch.file("file"), folder.appending("two.txt"))
    }

    @Test("A machine of issue 12 goes on writing to its store, without storing anew what is there")
    func writes() throws {
        let tree = scratch.file("tree")
        #expect(try restored(open(.read, machine, credentials).imageReader("one"), to: tree).findings == 0)
        var request = BackupRequest(sources: [tree], name: "again")
        request.series = "plc3/one"
        let report = try open(.write, machine, Credentials()).backup(
            request, progress: Progress(), findings: Findings())
        #expect(report.label.newBytes == 0 && report.label.sequence == 2)
        let store = try open(.list, machine, Credentials())
        #expect(try report.label.parent == store.find("one").id)
        #expect(try store.lostImages(store.images()).isEmpty)
        #expect(try store.images().count == 3)
    }

    @Test("A machine of issue 12 notices that its store lost an image, or a record")
    func remembers() throws {
        let store = try open(.list, machine, Credentials())
        let two = try store.find("two").name
        for copy in two.both { try removeFile(folder.appending("store/\(copy)")) }
        #expect(try store.lostImages(store.images()).count == 1)
        let newest = StoreName.record(store.chain.newest)
        for copy in [newest, newest + ".2"] { try removeFile(folder.appending("store/\(copy)")) }
        #expect(try open(.list, machine, Credentials()).findings.count == 1)
        #expect(throws: ImageError.self) { try open(.write, machine, Credentials()) }
    }

    @Test("A steward of issue 12 lists its store and opens nothing")
    func steward() throws {
        let key = try StewardKey(decoding: readWhole(folder.appending("steward.key"), limit: 1 << 16))
        let store = try open(.list, scratch.machine(), Credentials(steward: key))
        // It was issued in the second epoch, with the keys of both.
        #expect(try store.images().filter(\.counts).compactMap(\.label?.name) == ["one", "two"])
        #expect(!store.canRead)
    }
}
