// What is full is named: the file system, not a file that somebody has never heard of, and not another one.

import Platform
import TestSupport
import Testing

@Suite(.enabled(if: HostFacts.isRoot)) struct FullDiskTests {
    @Test("A backup, a single file and the machine's own state each name the file system that is full, and its size")
    func named() {
        let place = Workplace()
        place.shell(
            """
            mkdir tree small state; head -c 9000000 /dev/urandom > tree/file; holdfast key generate --quiet
            mount -t tmpfs -o size=4m nas small; mount -t tmpfs -o size=64k keys state; head -c 65536 /dev/zero > state/fill
            """)
        defer { place.shell("umount small state") }
        place.shell("holdfast store init small/store --quiet")
        for command in ["holdfast backup tree --to small/store", "holdfast backup tree --output small/image.hf"] {
            let full = place.shell(command)
            #expect(
                full.status == 1 && full.output.contains("error: \(place.file("small")) (nas, 4 MB) is full"), "\(full)"
            )
            #expect(!full.output.contains("small/store/") && !full.output.contains("image.hf"), "\(full)")
        }
        #expect(place.shell("ls small").output == "store\n")
        let state = place.shell("XDG_STATE_HOME=$PWD/state holdfast store init other")
        #expect(
            state.status == 1 && state.output.contains("error: \(place.file("state")) (keys, 65 kB) is full"),
            "\(state)")
    }
}
