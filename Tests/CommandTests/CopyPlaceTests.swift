// Where a copy goes: a stick that is not plugged in is no folder of the root disk.

import Platform
import TestSupport
import Testing

@Suite struct CopyPlaceTests {
    private func place() -> Workplace {
        let place = Workplace()
        place.shell(
            """
            mkdir -p tree stick; echo 1 > tree/file; holdfast store init ks --quiet; holdfast backup tree --to ks --quiet
            """)
        return place
    }

    @Test(
        "A copy to a stick that is not mounted is refused, and writes nothing below the mount point",
        .enabled(if: HostFacts.isRoot))
    func unmounted() {
        let place = place()
        let first = place.shell(
            "unshare -m sh -c 'mount -t tmpfs stick2 stick; holdfast copy --from ks --to stick/off --quiet'")
        #expect(first.status == 0, "\(first)")
        let again = place.shell("holdfast copy --from ks --to stick/off --quiet")
        #expect(again.status == 4, "\(again)")
        #expect(again.output.contains("its disk or share is not mounted; it was on stick2 (tmpfs)"), "\(again)")
        #expect(again.output.contains("a new store or copy goes to another folder"), "\(again)")
        #expect(place.shell("ls -A stick").output == "")
        #expect(place.shell("holdfast copy --from ks --to stick/other --quiet").status == 0)
    }

    @Test("A copy that was interrupted has its place remembered, and so has the store that it was made of")
    func interrupted() {
        let place = place()
        place.shell("rm home/state/holdfast/known-stores; head -c 60000000 /dev/urandom > tree/big")
        place.shell("holdfast backup tree --to ks --quiet; rm -f home/state/holdfast/known-stores")
        let cut = place.shell(
            "holdfast copy --from ks --to stick/off --quiet & while [ ! -e stick/off/HOLDFAST ] && kill -0 $!; do :; done; sleep 0.05; kill -INT $!; wait $!"
        )
        #expect(cut.status == 130 || cut.status == 0, "\(cut)")
        #expect(place.shell("wc -l < home/state/holdfast/known-stores").output == "2\n")
        place.shell("mv stick away; mkdir stick; mv ks ks.away; mkdir ks")
        // The disk is there, and the copy was removed.
        let again = place.shell("holdfast copy --from ks.away --to stick/off --quiet")
        #expect(again.status == 0, "\(again)")
        let source = place.shell("holdfast copy --from ks --to elsewhere --quiet")
        #expect(source.status == 4 && source.output.contains("not mounted; it was on"), "\(source)")
    }

    @Test("A store that images are copied into anew is remembered, too, and another one in its place is refused")
    func anew() {
        let place = place()
        place.shell("holdfast store init other --quiet; holdfast store init third --quiet")
        place.shell("rm home/state/holdfast/known-stores; holdfast backup tree --output one.hf --quiet")
        #expect(place.shell("holdfast copy --from ks --to other --quiet").status == 0)
        place.shell("mv other gone; mkdir other")
        for command in ["copy --from ks --to other", "copy --input one.hf --to other", "backup tree --to other"] {
            let outcome = place.shell("holdfast \(command) --quiet")
            #expect(outcome.status == 4 && outcome.output.contains("not mounted; it was on"), "\(outcome)")
        }
        place.shell("rmdir other; mv third other")
        for command in ["copy --from ks --to other", "copy --input one.hf --to other"] {
            let outcome = place.shell("holdfast \(command) --quiet")
            #expect(outcome.status == 4 && outcome.output.contains("another store than the one"), "\(outcome)")
        }
    }

    @Test(
        "No command that makes a store or a copy makes the folders above it",
        arguments: [
            "copy --from ks --to mnt/missing/nas3", "store init mnt/missing/nas3", "backup tree --to mnt/missing/nas3",
        ]
    )
    func missingParents(command: String) {
        let place = place()
        let outcome = place.shell("script -qec 'holdfast \(command)' /dev/null < /dev/null")
        #expect(outcome.status == 4, "\(outcome)")
        #expect(outcome.output.contains("there is no folder mnt/missing for mnt/missing/nas3"), "\(outcome)")
        #expect(outcome.output.contains("mkdir -p mnt/missing"), "\(outcome)")
        #expect(place.shell("ls").output == "home\nks\nstick\ntree\n")
        // The last one is made.
        #expect(place.shell("mkdir mnt; holdfast copy --from ks --to mnt/nas3 --quiet").status == 0)
    }

    @Test("A store that is copied to itself, by whatever name, has no copy, and that is said")
    func itself() {
        let place = Workplace()
        place.shell(
            """
            mkdir tree; echo one > tree/file; holdfast store init store --quiet; holdfast backup tree --to store --quiet; ln -s store link
            printf '[stores]\nnas = "%s/store"\n[stores.offsite]\nurl = "%s/./store"\n' $PWD $PWD > config.toml
            printf '[jobs.plant]\nsources = ["%s/tree"]\nto = ["nas"]\ncopy_to = ["offsite"]\n' $PWD >> config.toml
            """)
        for to in ["store", "./store/", "link", "offsite --config config.toml"] {
            let copy = place.holdfast("copy --from store --to \(to)")
            #expect(copy.status == 4 && copy.output.contains("are one place"), "\(to): \(copy)")
        }
        let run = place.holdfast("schedule run plant --config config.toml")
        #expect(run.status != 0 && run.output.contains("are one place"), "\(run)")
        #expect(place.holdfast("verify --from store").status == 0)
    }
}
