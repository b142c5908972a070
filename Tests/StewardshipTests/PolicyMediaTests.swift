// What is asked of media, of stores on servers: what can be measured is, and what they do not have is told as that.

import Platform
import TestSupport
import Testing

@testable import Stewardship

@Suite struct PolicyMediaTests {
    /// The lines on the medium of `nas`, where it is what this makes of it, and no table knows it.
    private func lines(_ kind: String, _ change: (inout MediumFacts) -> Void = { _ in }) -> [PolicyLine] {
        var yard = PolicyYard()
        yard.policy.media.removeFirst()
        yard.policy.tables[0].media?.kinds = ["usb", "s3", "sftp", "network"]
        var facts = MediumFacts(kind: kind)
        change(&facts)
        yard.evidence.stores[0].medium = .facts(facts)
        let lines = yard.run().lines
        #expect(lines.allSatisfy { $0.verdict == .holds || $0.rule == .media && $0.subject == "nas" })
        return lines.filter { $0.rule == .media && $0.subject == "nas" }
    }

    @Test("Of an object store neither file system nor capacity is asked, nor who has its medium, and that is said")
    func objects() {
        let lines = lines("s3")
        #expect(lines.map(\.verdict) == [.holds, .holds], "\(lines)")
        #expect(lines.first?.found == "kind s3, file system and capacity not applicable to such a server", "\(lines)")
        #expect(lines.last?.found.hasPrefix("not applicable: kind s3 is a server") == true, "\(lines)")
    }

    @Test("Of an SFTP server the capacity is what it says; one that does not say it has not kept the rule")
    func sftp() {
        let large = lines("sftp") { $0.capacity = 2000 }
        #expect(large.map(\.verdict) == [.holds, .holds], "\(large)")
        #expect(large.first?.found == "kind sftp, 2000 bytes, file system not applicable to such a server", "\(large)")
        let small = lines("sftp") { $0.capacity = 999 }
        #expect(small.map(\.verdict) == [.fails, .holds] && small.first?.found == "999 bytes", "\(small)")
        let silent = lines("sftp")
        #expect(silent.map(\.verdict) == [.unknown, .holds], "\(silent)")
        #expect(silent.first?.found == "kind sftp; its capacity could not be measured", "\(silent)")
    }

    @Test("A share has the file system and the capacity that are seen here, and nobody carries it about")
    func share() {
        let lines = lines("network") {
            $0.fileSystem = "exfat"
            $0.capacity = 2000
        }
        #expect(lines.map(\.verdict) == [.holds, .holds], "\(lines)")
        #expect(lines.first?.found.contains("not applicable") == false, "\(lines)")
    }

    @Test("Of a medium that is carried about what could not be measured is not so, and nobody's is a fault")
    func carried() {
        let lines = lines("usb")
        #expect(lines.map(\.verdict) == [.unknown, .fails], "\(lines)")
        #expect(lines.first?.found == "kind usb; its file system and capacity could not be measured", "\(lines)")
    }
}
