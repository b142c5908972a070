// Somebody who may write where root works swaps names for links under every operation. Nothing outside is touched or read.

import Platform
import TestSupport
import Testing

@Suite(.serialized) struct SwappedNamesTests {
    private func run(_ arguments: String) -> Outcome {
        runShell("python3 \(packageFolder)/Tests/Tools/hostile-folder \(builtProgram) \(arguments)")
    }

    @Test(
        "Stopped before a call, and its name swapped for a link, an operation touches nothing outside",
        .enabled(if: HostFacts.isRoot, "the calls of a program are stopped by root alone"),
        arguments: [
            "backup", "backup-again", "backup-to", "output", "restore", "restore-over", "exact", "import", "copy",
            "verify", "restore-from",
        ])
    func stopped(operation: String) {
        let outcome = run("\(operation) --every \(runsAll ? 1 : 13)")
        #expect(outcome.status == 0, "\(outcome)")
    }

    @Test(
        "Swapping names for links as fast as it goes leads no operation outside, and reads nothing there",
        .enabled(if: HostFacts.isRoot, "what stands outside is root's alone"))
    func racing() {
        let outcome = run("--every 0 --free \(runsAll ? 600 : 20)")
        #expect(outcome.status == 0, "\(outcome)")
    }
}
