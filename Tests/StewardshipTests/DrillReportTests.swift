// Reports of drills: whoever changes one is found, OpenSSH agrees, and what else lies beside them keeps nobody from reading them.

import AuditLog
import Cryptography
import Glibc
import Platform
import Reporting
import TestSupport
import Testing

@testable import Stewardship

@Suite struct DrillReportTests {
    private func folder() -> BytePath {
        var template = Array("/var/tmp/holdfast-drill-test-XXXXXX".utf8CString)
        _ = mkdtemp(&template)
        return BytePath(template.dropLast().map { UInt8(bitPattern: $0) })
    }

    private func report() throws -> DrillReport {
        var report = try DrillReport(.sample, tool: "holdfast test")
        report.verdict = .findings
        report.image.name = "plc <1> & \"2\""
        report.image.series = "press-01/plc"
        report.image.sources = ["/opt/plc"]
        report.recoveryTime.target = 3600
        report.recoveryTime.projected = 1200
        report.add(finding: "etc/passwd: <b>odd</b>")
        report.ended = Timestamp.now().text
        return report
    }

    @discardableResult
    private func run(_ command: String) -> Int32 {
        let status = system("( \(command) ) >/dev/null 2>&1 </dev/null")
        return status & 0x7f == 0 ? status >> 8 & 0xff : -1
    }

    private func write(_ path: BytePath, _ bytes: [UInt8]) throws {
        try Descriptor.open(path, [.write, .truncate]).write(bytes)
    }

    @Test("ssh-keygen accepts a report from the machine's key, and from no other, for no other purpose")
    func interoperation() throws {
        let folder = folder()
        defer { run("rm -rf \(folder)") }
        let key = try DrillReport.key(state: folder)
        let file = folder.appending("drill.json")
        try report().write(file, key: key)
        run(
            "cd \(folder); echo \"plant $(cut -d' ' -f1,2 certificate/key.pub)\" > signers; ssh-keygen -q -t ed25519 -N '' -f other; echo \"plant $(cut -d' ' -f1,2 other.pub)\" > others"
        )
        func agrees(_ signers: String, _ namespace: String = DrillReport.namespace) -> Bool {
            run(
                "cd \(folder); ssh-keygen -Y verify -f \(signers) -I plant -n \(namespace) -s drill.json.sig < drill.json"
            )
                == 0
        }
        #expect(agrees("signers") && !agrees("others") && !agrees("signers", "holdfast-certificate"))
        #expect(try DrillReport.check(file).signer == key.verifyingKey)
        // What a wipe's certificate is signed for is no report.
        #expect(throws: SignedDocumentError.self) {
            try SignedDocument(namespace: "holdfast-certificate", words: "a certificate").check(file)
        }
    }

    @Test("Every byte that is changed, in the report, its signature or its page, is found")
    func flips() throws {
        let folder = folder()
        defer { run("rm -rf \(folder)") }
        let file = folder.appending("drill.json")
        let written = try report()
        try written.write(file, key: DrillReport.key(state: folder))
        #expect(try DrillReport.check(file).report == written)
        for part in ["", ".sig", ".html"] {
            let path = BytePath("\(file)\(part)")
            let whole = try readWhole(path, limit: 1 << 20)
            for index in stride(from: 0, to: whole.count, by: runsAll ? 1 : part == ".html" ? 29 : 3) {
                var bytes = whole
                bytes[index] ^= 1 << UInt8(index % 8)
                try write(path, bytes)
                #expect(throws: SignedDocumentError.self, "\(part) \(index)") { try DrillReport.check(file) }
            }
            for length in stride(from: 0, to: whole.count, by: 97) {
                try write(path, Array(whole[..<length]))
                #expect(throws: SignedDocumentError.self, "\(part) cut at \(length)") { try DrillReport.check(file) }
            }
            try write(path, whole)
        }
        #expect(try DrillReport.check(file).report == written)
        #expect(throws: SignedDocumentError.self) { try written.write(file, key: DrillReport.key(state: folder)) }
    }

    @Test("What an older program wrote still holds, with its page, and says nothing of where the key was")
    func older() throws {
        let file = BytePath("\(packageFolder)/Testdata/released/issue-18/drill.json")
        let report = try DrillReport.check(file).report
        #expect(report.identity.isOnMachine == nil && report.verdict == .passed)
    }

    @Test("A measured time of the whole is on the page of what measured it alone, and no name gets out of its place")
    func page() throws {
        let key = try SigningKey.generate()
        var report = try report()
        func text() throws -> String { try report.page(signedBy: key.verifyingKey, of: report.bytes) }
        #expect(try text().contains("the whole was not restored, so it was not measured"))
        #expect(try text().contains("0 h 20 min 0 s") && text().contains("plc &lt;1&gt; &amp;"))
        #expect(try !text().contains("<b>"))
        report.recoveryTime.measured = 62
        #expect(try text().contains("0 h 1 min 2 s"))
    }

    @Test("What lies beside reports is a finding each, is waited for by nobody, and keeps no report from being read")
    func hostile() throws {
        let folder = folder()
        defer { run("rm -rf \(folder)") }
        let key = try DrillReport.key(state: folder)
        let place = folder.appending("drills")
        #expect(try DrillReportFolder(place).reports.isEmpty && DrillReportFolder(place).findings.isEmpty)
        try makeFolders(place)
        var ids: [String] = []
        for name in ["b.json", "a.json"] {
            let report = try report()
            ids.append(report.id)
            try report.write(place.appending(name), key: key)
        }
        run(
            """
            cd \(place); mkfifo fifo.json; ln -s a.json link.json; ln -s /dev/zero zero.json; truncate -s 3G huge.json; head -c 5000 /dev/urandom > garbage.json
            cp a.json other.json; cp b.json.sig other.json.sig; echo 1 > lone.sig; mkdir folder.json; mkfifo page.json.html; cp a.json cut.json; mkfifo cut.json.sig
            printf '[%.0s' $(seq 100000) > deep.json; ssh-keygen -q -t ed25519 -N '' -f \(folder)/mallory; ssh-keygen -q -Y sign -f \(folder)/mallory -n holdfast-drill -O hashalg=sha256 deep.json
            cp a.json a.json.json
            """)
        let found = try DrillReportFolder(place)
        #expect(
            Set(found.reports.map(\.report.id)) == Set(ids)
                && found.reports.allSatisfy { $0.signer == key.verifyingKey })
        let names = found.findings.compactMap { $0.path.map { BytePath($0).lastComponent } }
            .map { String(decoding: $0, as: UTF8.self) }
        let wanted = [
            "fifo.json", "link.json", "zero.json", "huge.json", "garbage.json", "other.json", "lone.sig", "folder.json",
            "page.json.html", "cut.json", "deep.json", "a.json.json",
        ]
        #expect(Set(names) == Set(wanted) && names.count == wanted.count, "\(found.findings)")
        // A folder that is none is no empty one.
        #expect(throws: SystemError.self) { try DrillReportFolder(place.appending("a.json")) }
    }
}
