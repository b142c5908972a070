// A wipe of free space that is killed: the room is there again, or it is said what takes it.

import Machine
import Platform
import TestSupport
import Testing

@Suite(.serialized, .enabled(if: HostFacts.isRoot, "file systems are made by root"))
struct FreeSpaceKillTests {
    private func free(_ volume: PathWipeTests.Volume) -> Int {
        // The kernel takes a moment to give back what a dead process had.
        Int(shell("sync; sleep 0.3; stat -f -c '%a %S' \(volume.mount) | awk '{ printf \"%d\", $1 * $2 }'")) ?? -1
    }

    @Test("A kill at any call gives the room back by itself", arguments: ["mkfs.ext4 -q -m 0", "mkfs.ext2 -q -m 0"])
    func killed(_ make: String) throws {
        let volume = try PathWipeTests.Volume(make, megabytes: 40)
        try #require(Mount.at(volume.mount) != nil)
        let before = free(volume)
        let wipe = "\(builtProgram) wipe \(volume.mount) --free-space --state \(volume.state) --yes"
        var kills = 0
        for (call, number) in [("fallocate", 2), ("unlinkat", 1), ("pwrite64", 5), ("pwrite64", 30), ("fsync", 1)] {
            let status = shell(
                """
                strace -f -qq -o /dev/null -e trace=\(call) -e inject=\(call):signal=KILL:when=\(number) \
                \(wipe) >/dev/null 2>&1; echo $?
                """)
            if status != "137\n" { continue }
            kills += 1
            let now = free(volume)
            try #require(now > before - (1 << 20), "\(call) \(number): \(now) of \(before) bytes are free")
        }
        #expect(kills > 3)
        shell(wipe)
        #expect(shell("ls -A \(volume.mount) | grep holdfast; ls -A \(volume.state)/journal | grep free") == "")
    }

    @Test("What an interrupted wipe still takes is named by a dry run, with the command that takes it away")
    func named() throws {
        let volume = try PathWipeTests.Volume("mkfs.ext4 -q", megabytes: 60)
        try #require(Mount.at(volume.mount) != nil)
        shell(
            """
            mkdir -p \(volume.state)/wipe/free-space; touch \(volume.state)/wipe/free-space/.holdfast-wipe-0123456789ab
            cd \(volume.mount); mkdir -m 700 .holdfast-wipe-0123456789ab; fallocate -l 20MB .holdfast-wipe-0123456789ab/0
            """)
        let command = "wipe \(volume.mount) --free-space"
        func dryRun() -> String { shell("\(builtProgram) \(command) --dry-run --state \(volume.state) 2>&1") }
        #expect(dryRun().contains("20.0 MB") && dryRun().contains("`holdfast \(command) --state"), "\(dryRun())")
        shell("\(builtProgram) \(command) --state \(volume.state) --yes")
        #expect(!dryRun().contains("interrupted"), "\(dryRun())")
    }
}
