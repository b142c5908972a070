// A plant that is right has no finding; of one that is not, what is wrong is named with its evidence, and nothing else.

import Cryptography
import Platform
import Reporting
import Sanitization
import TestSupport
import Testing

@testable import Images
@testable import Stewardship

@Suite struct PolicyCheckTests {
    struct Fault: Sendable {
        var name: String
        var expected: [String]
        var change: @Sendable (inout PolicyYard) -> Void

        init(_ name: String, _ expected: [String], _ change: @escaping @Sendable (inout PolicyYard) -> Void) {
            (self.name, self.expected, self.change) = (name, expected, change)
        }
    }
    private static let day = PolicyYard.day
    private static let now = PolicyYard.now

    @Test("A plant that is right keeps each rule, and has nothing that could not be looked at")
    func right() {
        let result = PolicyYard().run()
        #expect(result.verdict == .holds, "\(result.lines.filter { $0.verdict != .holds })")
        // Each rule was asked for and is told; that nothing is looked at would pass, too.
        let rules = Set(result.lines.map(\.rule))
        #expect(
            rules.isSuperset(of: Set(PolicyLine.Rule.allCases).subtracting([.unknownMachine, .integrity])),
            "\(rules)")
        #expect(result.lines.allSatisfy { $0.since == nil })
    }

    private static let faults: [Fault] = copyFaults + proofFaults + keyFaults + mediaFaults

    private static let copyFaults: [Fault] = [
        Fault("a copy is missing", ["copies of press-01/plc", "apart of press-01/plc"]) { yard in
            yard.change("office") { $0.series.removeAll { ExactText($0.name) == ExactText("press-01/plc") } }
        },
        Fault("a copy is behind", ["copies of press-01/plc", "apart of press-01/plc"]) { yard in
            yard.change(series: "press-01/plc", in: "office") { series in
                series.images.removeLast(3)
                series.whole = series.images.last
            }
        },
        Fault("a copy is behind where no age is named", ["copies of press-01/plc", "apart of press-01/plc"]) { yard in
            (yard.policy.tables[0].age, yard.policy.tables[0].copyAge) = (nil, nil)
            yard.change(series: "press-01/plc", in: "office") { series in
                series.images.removeLast(1)
                series.whole = series.images.last
            }
        },
        Fault("a copy lacks a volume", ["copies of press-02/plc", "apart of press-02/plc"]) { yard in
            yard.change(series: "press-02/plc", in: "office") { series in
                series.broken = series.images.reversed()
                series.whole = nil
            }
        },
        Fault("a copy is too near", ["apart of press-01/plc", "apart of press-02/plc"]) { yard in
            yard.evidence.stores[1].site = "site of nas"
        },
        Fault("nothing is offsite", ["offsite of press-01/plc", "offsite of press-02/plc"]) { yard in
            yard.evidence.stores[2].isOffsite = false
        },
        Fault("a machine is gone", ["age of press-01/plc"]) { yard in age(&yard, "press-01/plc", by: 5) },
        Fault("a portable machine has one copy less", ["copies of press-02/plc"]) { yard in
            yard.policy.tables[0].portable = [NamePattern("press-02")]
        },
        Fault("a stranger", ["unknown machine of thief"]) { yard in
            yard.change("nas") { $0.series.append(PolicyYard.series("thief/plc")) }
        },
        Fault("a machine never came", ["missing machine of press-03"]) { yard in
            yard.policy.tables[0].machines.append("press-03")
        },
        Fault("a mount is in no image", ["uncovered mounts of press-01/plc"]) { yard in
            yard.evidence.mounts[ExactText("press-01/plc")] = .missing(["/data", "/mnt/nas"], image: .zero)
        },
    ]

    private static let proofFaults: [Fault] = [
        Fault("a drill is overdue", ["drilled of press-01/plc"]) { drill(&$0) { $0.time = now - 100 * day } },
        Fault("a drill has failed", ["drilled of press-01/plc"]) { drill(&$0) { $0.hasPassed = false } },
        Fault("a drill lies ahead", ["drilled of press-01/plc"]) { drill(&$0) { $0.time = now + 100 * day } },
        Fault("a drill is of another series", ["drilled of press-01/plc"]) {
            drill(&$0) { $0.series = "press-01/PLC" }
        },
        Fault("nothing was proven for long", ["proven of press-01/plc"]) { prove(&$0, .seed, age: 40 * day) },
        Fault("lists alone were read", ["proven of press-01/plc"]) {
            prove(&$0, .whole, isOfEveryChunk: false, age: day)
        },
        Fault("one was found damaged", ["proven of press-01/plc"]) { prove(&$0, .damaged, age: day) },
        Fault("a proof lies ahead", ["proven of press-01/plc"]) { prove(&$0, .seed, age: -90 * day) },
        Fault("retention is exceeded", ["retention of press-01/plc"]) { yard in
            yard.change(series: "press-01/plc", in: "nas") { $0.images[0].time = now - 400 * day }
        },
        Fault("too little is kept", ["retention of press-01/plc"]) { yard in
            yard.change(series: "press-01/plc") { $0.images.removeFirst(5) }
        },
        Fault("what was condemned is there", ["retention of bank"]) { yard in
            yard.change("bank") { $0.overdue = OverdueRemoval(since: now - 60 * day, objects: 3, bytes: 3) }
        },
    ]

    private static let keyFaults: [Fault] = [
        Fault("one recipient only", ["recipients of nas"]) { yard in
            yard.change("nas") { $0.readers.removeLast() }
        },
        Fault("a key file is missing", ["recipients of nas"]) { yard in
            yard.change("nas") { $0.lostReaders = [$0.readers[0]] }
        },
        Fault("an identity is lost", ["recipients of nas"]) { yard in
            yard.policy.tables[0].lostRecipients = ["age1three"]
            yard.change("nas") { $0.readers.append(StoreReader(name: "age1three", governs: false)) }
        },
        Fault("an image that was seen is gone", ["store of nas"]) { yard in
            yard.change("nas") { $0.findings = [Finding(.damaged, subject: "nas", "3 images are gone")] }
        },
        Fault("a forged image", ["store of nas"]) { yard in
            yard.change("nas") { found in
                var image = PolicyYard.image("press-01/plc", sequence: 99, age: 0)
                image.problem = "its signature does not fit"
                found.others = [image]
            }
        },
    ]

    private static let mediaFaults: [Fault] = [
        Fault("a medium is too old", ["media of stick of nas"]) { $0.policy.media[0].since = now - 2000 * day },
        Fault("nobody has a medium", ["media of stick of nas"]) { $0.policy.media[0].custody = nil },
        Fault("nobody knows a medium", ["media of nas"]) { $0.policy.media.removeFirst() },
        Fault("another kind", ["media of nas"]) { yard in facts(&yard) { $0.kind = "sata" } },
        Fault("another file system", ["media of nas"]) { yard in facts(&yard) { $0.fileSystem = "ext4" } },
        Fault("too small", ["media of nas"]) { yard in facts(&yard) { $0.capacity = 999 } },
        Fault("no certificate", ["media of old stick"]) { yard in
            yard.evidence.certificates = .items([], refused: [])
        },
        Fault("a wipe that was not achieved", ["media of old stick"]) { yard in
            let certificate = MediumCertificate(file: "a", serial: "S-old", achieved: "not achieved", ended: "")
            yard.evidence.certificates = .items([certificate], refused: [])
        },
    ]

    private static func age(_ yard: inout PolicyYard, _ series: String, by days: Int64) {
        yard.change(series: series) { series in
            for index in series.images.indices { series.images[index].time? -= days * day }
            series.whole = series.images.last
        }
    }

    private static func prove(
        _ yard: inout PolicyYard, _ result: PruneImage.Proof.Result, isOfEveryChunk: Bool = true, age: Int64
    ) {
        let proof = PruneImage.Proof(result: result, isOfEveryChunk: isOfEveryChunk, time: now - age)
        yard.change(series: "press-01/plc") { $0.images[$0.images.count - 1].proof = proof }
    }

    private static func drill(_ yard: inout PolicyYard, _ change: (inout DrillEvidence) -> Void) {
        guard case .items(var items, let refused) = yard.evidence.drills else { return }
        change(&items[0])
        yard.evidence.drills = .items(items, refused: refused)
    }

    private static func facts(_ yard: inout PolicyYard, _ change: (inout MediumFacts) -> Void) {
        guard case .facts(var facts) = yard.evidence.stores[0].medium else { return }
        change(&facts)
        yard.evidence.stores[0].medium = .facts(facts)
    }

    @Test("What is wrong is named, with what was required and found, and nothing else", arguments: faults.indices)
    func fault(_ index: Int) {
        let fault = Self.faults[index]
        var yard = PolicyYard()
        fault.change(&yard)
        #expect(yard.wrong() == fault.expected, "\(fault.name)")
        #expect(yard.wrong(.unknown).isEmpty, "\(fault.name)")
        let lines = yard.run().lines.filter { $0.verdict == .fails }
        #expect(lines.allSatisfy { !$0.required.isEmpty && !$0.found.isEmpty }, "\(lines)")
        #expect(yard.run().verdict == .fails)
    }

    @Test("A store that is away is told as that: nobody says that a copy, a proof or a machine is missing there")
    func away() {
        var yard = PolicyYard()
        yard.change("nas") { $0.series = [] }
        yard.evidence.stores[1].look = .failed("its disk is not mounted")
        yard.evidence.stores[1].medium = nil
        yard.evidence.stores[2].look = .failed("its server does not answer")
        yard.evidence.stores[2].medium = nil
        yard.policy.tables[0].copies = 2
        #expect(yard.wrong().isEmpty, "\(yard.wrong())")
        let unknown = yard.wrong(.unknown)
        for expected in [
            "store of office", "store of bank", "missing machine of press-01", "recipients of bank", "media of bank",
        ] {
            #expect(unknown.contains(expected), "\(unknown)")
        }
        #expect(yard.run().verdict == .unknown)
    }

    @Test(
        "A table that is for nothing, reports that nobody can believe and drills of other stores are no reason to hold")
    func nothing() {
        var yard = PolicyYard()
        yard.policy.tables.append(PolicyRules(name: "typing error"))
        yard.policy.tables[1].series = [NamePattern("pres-*/plc")]
        yard.policy.tables[1].stores = yard.policy.tables[0].stores
        #expect(yard.wrong() == ["missing machine of typing error"])
        yard = PolicyYard()
        guard case .items(var items, _) = yard.evidence.drills else { return #expect(Bool(false)) }
        yard.evidence.drills = .items(items, refused: ["bad.json: its signature is gone"])
        #expect(yard.wrong(.unknown) == ["drilled of reports"])
        let last = items[0]
        items.append(last)
        (items[items.count - 1].verdict, items[items.count - 1].hasPassed) = ("not completed", false)
        items[items.count - 1].time += 60
        yard.evidence.drills = .items(items, refused: [])
        #expect(yard.wrong().isEmpty && yard.wrong(.unknown).isEmpty)
        for index in items.indices { items[index].store = "of another plant" }
        yard.evidence.drills = .items(items, refused: [])
        #expect(yard.wrong() == ["drilled of press-01/plc", "drilled of press-02/plc"])
    }

    @Test("Where enough copies are seen, one that is away is named once, and the rule holds")
    func oneAway() {
        var yard = PolicyYard()
        yard.evidence.stores[1].look = .failed("its disk is not mounted")
        yard.policy.tables[0].copies = 2
        yard.policy.tables[0].sites = 2
        let result = yard.run()
        #expect(result.lines.contains { $0.rule == .copies && $0.verdict == .holds })
        #expect(!result.lines.contains { $0.rule == .copies && $0.verdict != .holds })
        #expect(yard.wrong().isEmpty && result.verdict == .unknown)
    }

    @Test("Since when a rule fails follows from its evidence: the end of an age, of a proof, of a copy")
    func since() {
        var yard = PolicyYard()
        Self.age(&yard, "press-01/plc", by: 5)
        let newest = Self.now - 7200 - 5 * Self.day
        #expect(yard.run().lines.first { $0.verdict == .fails }?.since == newest + 26 * 3600)
        yard = PolicyYard()
        yard.change(series: "press-01/plc", in: "office") { series in
            series.images.removeLast(3)
            series.whole = series.images.last
        }
        let copies = yard.run().lines.first { $0.rule == .copies && $0.verdict == .fails }
        #expect(copies?.since == Self.now - 7200 - 3 * Self.day + 26 * 3600)
        #expect(copies?.evidence.map(\.store) == ["nas", "office", "bank"])
        #expect(yard.run().lines.first { $0.rule == .apart && $0.verdict == .fails }?.evidence.count == 3)
    }

    @Test(
        "A mount that another series of the machine holds is covered; a steward's key alone cannot tell, which is said")
    func mounts() {
        var yard = PolicyYard()
        yard.evidence.mounts[ExactText("press-01/plc")] = .missing(["/data"], image: .zero)
        yard.policy.tables[0].series.append(NamePattern("press-*/data"))
        yard.policy.tables[0].drilled = nil
        yard.change("") { found in
            var data = PolicyYard.series("press-01/data")
            data.sources = ["/data"]
            found.series.append(data)
        }
        #expect(yard.wrong().isEmpty, "\(yard.wrong())")
        yard.evidence.mounts[ExactText("press-01/plc")] = .silent(.zero)
        #expect(yard.wrong(.unknown) == ["uncovered mounts of press-01/data", "uncovered mounts of press-01/plc"])
        yard.evidence.mounts[ExactText("press-01/plc")] = .failed("it opens with an identity")
        #expect(yard.wrong(.unknown) == ["uncovered mounts of press-01/plc"])
    }

    @Test("Names and texts of a hostile store are shown as they are, and a time that lies ahead hides nothing")
    func hostile() {
        var yard = PolicyYard()
        let name = "<script>alert(1)</script>\u{202e}\u{7}\n&/plc"
        yard.change("nas") { $0.series.append(PolicyYard.series(name)) }
        yard.change(series: "press-01/plc") { series in
            for index in series.images.indices { series.images[index].time = Self.now + 1000 * Self.day }
            series.whole = series.images.last
        }
        let result = yard.run()
        #expect(yard.wrong().contains("age of press-01/plc"), "\(yard.wrong())")
        let page = String(decoding: result.page(tool: "<b>"), as: UTF8.self)
        #expect(
            !page.contains("<script") && !page.contains("\u{202e}") && !page.contains("\u{7}")
                && !page.contains("<b></"))
        #expect(page.contains("&lt;script&gt;alert(1)&lt;/script&gt;\\u{202e}\\u{7}"))
        #expect(!page.contains("src=") && !page.contains("href="))
    }

    @Test("A hundred thousand images, of one series and of many, are judged, and their page stays small")
    func many() {
        var yard = PolicyYard()
        yard.change("nas") { found in
            found.series += [PolicyYard.series("thief/plc", count: 50_000)]
            found.series += (0..<(runsAll ? 50_000 : 5000)).map { PolicyYard.series("thief/\($0)", count: 1) }
        }
        let result = yard.run()
        let page = result.page(tool: "test")
        #expect(yard.wrong() == ["unknown machine of thief"])
        #expect(page.count < 3_000_000)
    }

    @Test(
        "A pattern's star stands for any part of a name up to a slash, and takes no longer for being hostile",
        arguments: [
            ("press-*/plc", "press-01/plc", true), ("press-*/plc", "press-01/x/plc", false), ("*", "a/b", false),
            ("*/*", "a/b", true), ("press-?", "press-1", true), ("press-?", "press-10", false), ("", "", true),
            ("*", "", true),
            ("a*b*c", "aXXbYYc", true), ("a*b*c", "aXXbYYd", false), ("/mnt/*", "/mnt/nas", true),
            ("press-01", "press-01", true),
        ])
    func pattern(_ pattern: String, _ name: String, _ isMatch: Bool) {
        #expect(NamePattern(pattern).matches(name) == isMatch)
        let hostile = NamePattern(String(repeating: "*a", count: 200) + "b")
        #expect(!hostile.matches(String(repeating: "a", count: 5000)))
    }
}

@Suite struct DrillFolderTests {
    @Test(
        "Of reports those count whose signature holds, of a key that is known; a folder that is not there is not an empty one"
    )
    func folder() throws {
        let path = shell("mktemp -d /var/tmp/holdfast-test-XXXXXX").split(separator: "\n")[0]
        defer { shell("rm -rf \(path)") }
        let folder = BytePath(String(path)).appending("drills"), signers = BytePath(String(path)).appending("signers")
        try makeFolders(folder)
        let key = try SigningKey.generate(), other = try SigningKey.generate()
        for (name, signer, verdict) in [
            ("good", key, DrillReport.Verdict.passed), ("bad", key, .failed), ("foreign", other, .passed),
        ] {
            var report = try DrillReport(.full, tool: "test")
            report.image.series = name
            report.ended = "2026-11-20T08:56:14Z"
            report.verdict = verdict
            _ = try report.write(folder.appending("\(name).json"), key: signer)
        }
        shell(
            "cd \(folder); cp good.json changed.json; cp good.json.sig changed.json.sig; sed -i s/good/evil/ changed.json"
        )
        try replaceFile(signers, Array("\(SSHSignature.line(of: key.verifyingKey))\n".utf8))
        guard case .items(let items, let refused) = SignedFolder.drills(in: folder, signers: signers) else {
            return #expect(Bool(false), "the folder was not read")
        }
        #expect(items.map(\.series).sorted() == ["bad", "good"] && refused.count == 2, "\(items) \(refused)")
        #expect(
            items.first { $0.file == "good.json" }?.hasPassed == true
                && items.first { $0.file == "bad.json" }?.hasPassed == false)
        guard case .failed = SignedFolder.drills(in: folder.appending("none"), signers: signers) else {
            return #expect(Bool(false), "a folder that is not there was taken for an empty one")
        }
    }
}

@Suite struct CertificateFolderTests {
    @Test(
        "Only certificates whose signature holds, of a key that is known, count; the others are named, and no pipe is waited for"
    )
    func folder() throws {
        let path = shell("mktemp -d /var/tmp/holdfast-test-XXXXXX").split(separator: "\n")[0]
        defer { shell("rm -rf \(path)") }
        let folder = BytePath(String(path))
        let key = try SigningKey.generate(), other = try SigningKey.generate()
        for (name, signer) in [("good", key), ("changed", key), ("foreign", other)] {
            var certificate = Certificate()
            certificate.medium.serialNumber = name
            certificate.sanitization.methodAchieved = "purge"
            try certificate.write(folder.appending("\(name).json"), key: signer)
        }
        shell(
            "cd \(path); sed -i s/purge/clear/ changed.json; rm changed.json.html; mkfifo pipe.json; echo x >other.json; echo x >notes.txt"
        )
        try replaceFile(
            folder.appending("signers"), Array("plant \(SSHSignature.line(of: key.verifyingKey)) comment\n".utf8))
        guard
            case .items(let items, let refused) = SignedFolder.certificates(
                in: folder, signers: folder.appending("signers"))
        else {
            return #expect(Bool(false), "the folder was not read")
        }
        #expect(items.map(\.serial) == ["good"])
        #expect(refused.count == 3, "\(refused)")
        // Whoever could put one there could sign it, too.
        guard case .failed = SignedFolder.certificates(in: folder, signers: nil) else {
            return #expect(Bool(false), "certificates were believed that anybody may have signed")
        }
        guard
            case .failed = SignedFolder.certificates(
                in: folder.appending("none"), signers: folder.appending("signers"))
        else {
            return #expect(Bool(false), "a folder that is not there was taken for an empty one")
        }
    }
}
