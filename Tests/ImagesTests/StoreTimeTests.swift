// The store's clock in the labels of images: retention goes by it, not by that of a machine without a battery.

import Platform
import Reporting
import Stores
import TestSupport
import Testing

@testable import Images

@Suite struct StoreTimeTests {
    @Test(
        "An image says what the store's clock showed, whatever the machine's does, and nothing where the store has none",
        arguments: [0, 7200, -90, nil] as [Int64?])
    func storeTime(ahead: Int64?) throws {
        let plant = try Plant()
        let a = try plant.machine("a", group: "line")
        let store = try Store.open(
            WatchedStore(FolderStore(plant.path), secondsAhead: ahead), for: .write, credentials: Credentials(),
            machine: a)
        let report = try store.backup(
            BackupRequest(sources: [plant.tree()], name: "plc"), progress: Progress(), findings: Findings())
        let label = try plant.root(report.id).label
        let now = Timestamp.now().seconds
        #expect((label.storeTime == nil) == (ahead == nil))
        if let ahead, let time = label.storeTime {
            #expect((now + ahead - 60...now + ahead + 2).contains(time))
            #expect((ahead - 2...ahead + 2).contains(label.clockOffset))
        } else {
            #expect(label.clockOffset == 0)
        }
    }
}
