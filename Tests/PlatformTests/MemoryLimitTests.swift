// How much memory a service manager leaves to what runs here.

import TestSupport
import Testing

@testable import Platform

@Suite struct MemoryLimitTests {
    @Test("The least limit of a group and of those above it counts, and what is not said is none")
    func groups() {
        let folder = shell("mktemp -d /var/tmp/holdfast-test-XXXXXX").split(separator: "\n")[0]
        defer { shell("rm -rf \(folder)") }
        shell(
            """
            cd \(folder); mkdir -p system.slice/job.service system.slice/other.service
            echo max > system.slice/job.service/memory.max; echo 4096000 > system.slice/memory.max; echo 512 > system.slice/other.service/memory.max
            """)
        func limit(_ groups: String) -> UInt64? {
            HostFacts.memoryLimit(of: Array(groups.utf8), top: BytePath(String(folder)))
        }
        #expect(limit("1:name=systemd:/x\n0::/system.slice/job.service\n") == 4_096_000)
        #expect(limit("0::/system.slice/other.service\n") == 512)
        #expect(
            limit("0::/\n") == nil && limit("0::/elsewhere\n") == nil && limit("9:memory:/a\n") == nil
                && limit("") == nil)
        shell("echo 300 > \(folder)/memory.max")
        #expect(limit("0::/\n") == 300 && limit("0::/system.slice/other.service\n") == 300)
    }
}
