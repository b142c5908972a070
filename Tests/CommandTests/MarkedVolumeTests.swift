// A volume that was marked as damaged: whoever looks without reading content is told, as long as an image needs it.

import Platform
import TestSupport
import Testing

@Suite struct MarkedVolumeTests {
    @Test(
        "Of the files that one lost volume takes with it the first are named and the rest counted, and --verbose names all"
    )
    func manyFiles() {
        let place = Workplace()
        place.shell(
            """
            mkdir tree; for n in $(seq 100 149); do head -c 3000 /dev/urandom > tree/file-$n; done
            holdfast store init store --quiet; holdfast backup tree --to store --quiet; holdfast backup tree --to store --name two --quiet
            rm $(ls -S store/v/*/*/* | head -1)
            """)
        let short = place.shell("holdfast verify --from store")
        #expect(short.status == 3 && short.output.ranges(of: "is lost").count == 20, "\(short)")
        #expect(short.output.contains(/volume [0-9a-f]+: … and \d+ more; --verbose lists all/), "\(short)")
        let long = place.shell("holdfast verify --from store --verbose").output
        let all = long.ranges(of: "is lost").count
        #expect(all >= 50 && !long.contains("--verbose lists all"))
        #expect(short.output.contains("… and \(all - 20) more"), "\(all)")
        #expect(place.shell("holdfast verify --from store --json").output.ranges(of: "is lost").count == all)
    }

    @Test("A copy whose content is damaged is mended with an identity, and without one it is said what that would tell")
    func mended() {
        let place = Workplace()
        place.shell(
            """
            mkdir tree; head -c 300000 /dev/urandom > tree/file; holdfast store init store --quiet
            holdfast backup tree --to store --quiet; holdfast copy --from store --to copy --quiet; mv \(place.identity) it.txt
            volume=$(ls -S copy/v/*/*/* | head -1); printf XXXX | dd of=$volume bs=1 seek=100000 conv=notrunc 2>/dev/null
            """)
        let told = place.shell("setsid -w holdfast copy --from store --to copy --read-data")
        #expect(told.status == 3 && told.output.contains("both stay as they are: no key at hand tells"), "\(told)")
        #expect(told.output.contains("--identity FILE"), "\(told)")
        let mended = place.shell("holdfast copy --from store --to copy --read-data --identity it.txt")
        #expect(mended.status == 0 && mended.output.contains("is written anew"), "\(mended)")
        #expect(place.shell("holdfast verify --from copy --read-data --identity it.txt").status == 0)
    }

    @Test(
        "A volume that was marked as damaged is damage for whoever does not read content, too, until it is read whole")
    func marked() {
        let place = Workplace()
        place.shell(
            """
            mkdir tree; head -c 300000 /dev/urandom > tree/file; holdfast store init store --quiet
            holdfast backup tree --to store --quiet; cp -a store whole
            volume=$(ls -S store/v/*/*/* | head -1); printf XXXX | dd of=$volume bs=1 seek=100000 conv=notrunc 2>/dev/null
            """)
        #expect(place.shell("holdfast verify --from store").output.contains("no damage found"))
        let marked = place.shell("holdfast verify --from store --read-data --mark")
        #expect(marked.status == 3 && marked.output.contains("marked 1 volume"), "\(marked)")
        let id = place.shell("holdfast images --from store | awk 'NR == 2 { print $1 }'").output.dropLast()
        for command in ["verify --from store", "store check store", "verify latest --from store"] {
            let outcome = place.shell("holdfast \(command)")
            #expect(outcome.status == 3, "\(outcome)")
            #expect(outcome.output.contains("marked as damaged, and image \(id) needs it"), "\(outcome)")
            #expect(!outcome.output.contains("no damage found"), "\(outcome)")
        }
        // The next backup is whole; the first one needs the damaged volume still.
        #expect(place.shell("holdfast backup tree --to store --name two --quiet").status == 0)
        #expect(place.shell("holdfast verify --from store").status == 3)
        #expect(place.shell("holdfast verify --from store --series $(hostname)/two").status == 0)
        // Who puts the whole volume back has it read, and the mark ends.
        place.shell("cp -a whole/v store/")
        let whole = place.shell("holdfast verify --from store --read-data")
        #expect(whole.status == 0 && whole.output.contains("read whole: `--mark` ends that"), "\(whole)")
        #expect(place.shell("holdfast verify --from store").status == 3)
        #expect(place.shell("holdfast verify --from store --read-data --mark").status == 0)
        let quick = place.shell("holdfast verify --from store")
        #expect(quick.status == 0 && quick.output.contains("no damage found"), "\(quick)")
    }
}
