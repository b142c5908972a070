// The total that progress shows is what the backup finds.

import Glibc
import Platform
import Reporting
import Testing

@testable import Images

@Suite struct TreeCounterTests {
    @Test("What is counted ahead of a backup is what the backup takes, with the same things left out")
    func counts() throws {
        let scratch = try Scratch()
        let root = scratch.file("tree")
        try makeTree(root)
        try put(root.appending("left out/large"), [UInt8](repeating: 1, count: 100_000))
        try put(root.appending("a.tmp"), [UInt8](repeating: 1, count: 100_000))
        let excludes = [PathPattern(Array("left out".utf8)), PathPattern(Array("*.tmp".utf8))]
        let store = try TestStore(scratch)
        var request = BackupRequest(sources: [root], name: "test")
        request.excludes = excludes
        let label = try Store.open(store.path, for: .write, credentials: Credentials(), machine: store.machine)
            .backup(request, progress: Progress(), findings: Findings()).label

        let progress = Progress()
        let counter = TreeCounter([root], options: TreeReader.Options(excludes: excludes), progress: progress)
        for _ in 0..<1000 where progress.itemsExpected == 0 { usleep(10_000) }
        counter.finish()
        #expect(progress.itemsExpected == label.entries)
        #expect(progress.bytesExpected == label.contentBytes)
    }
}
