// What somebody did to a store ends in the status that the charter gives it.

import TestSupport
import Testing

@Suite struct ForgeryCommandTests {
    private func place() -> Workplace {
        let place = Workplace()
        place.shell(
            """
            mkdir tree; echo 1 > tree/file; holdfast store init store --quiet; holdfast backup tree --to store --quiet; cp -a store before
            age-keygen -o second.txt; age-keygen -o third.txt
            """)
        return place
    }

    @Test("A store that was put back to before a change of keys is read with status 3, and written with 4")
    func putBack() {
        let place = place()
        #expect(place.holdfast("key add $(age-keygen -y second.txt) --to store").status == 0)
        #expect(place.holdfast("key remove $(age-keygen -y second.txt) --from store --yes").status == 0)
        place.shell("rm -rf store; mv before store")
        // Reading it does not make anybody forget.
        for _ in 0..<2 {
            let images = place.holdfast("images --from store")
            #expect(images.status == 3 && images.output.contains("put back to an earlier state"), "\(images)")
        }
        let backup = place.holdfast("backup tree --to store")
        #expect(backup.status == 4 && backup.output.contains("put back to an earlier state"), "\(backup)")
    }

    @Test("An image that is gone is named by a list, with status 3")
    func gone() {
        let place = place()
        place.holdfast("backup tree --to store --quiet")
        #expect(place.holdfast("images --from store").status == 0)
        place.shell("rm -rf store; mv before store")
        let images = place.holdfast("images --from store")
        #expect(images.status == 3 && images.output.contains("number 2"), "\(images)")
    }

    @Test("Another store under the same id is refused with status 4, whatever is asked of it")
    func otherRoot() {
        let place = place()
        // Somebody's own store, under the id of this one: its header made right again.
        place.shell(
            """
            HOME=$PWD/stranger XDG_CONFIG_HOME=$PWD/stranger XDG_STATE_HOME=$PWD/stranger XDG_CACHE_HOME=$PWD/stranger \
            holdfast store init other --recipient $(age-keygen -y second.txt)
            { sed -n 1,2p store/HOLDFAST; sed -n 3,4p other/HOLDFAST; } > header
            { cat header; echo "check $(sha256sum header | cut -c1-16)"; } > forged
            cp forged store/HOLDFAST; cp forged store/HOLDFAST.2
            find store | sort > names
            """)
        for command in [
            "images --from store", "restore latest --from store --to x", "backup tree --to store",
            "verify --from store", "copy --from store --to replica", "store join store --yes",
            "key add $(age-keygen -y third.txt) --to store",
        ] {
            let outcome = place.holdfast(command)
            #expect(outcome.status == 4, "\(command): \(outcome)")
            #expect(outcome.output.contains("the one that is pinned is"), "\(command): \(outcome)")
        }
        #expect(place.shell("find store | sort | cmp - names && test ! -e x && test ! -e replica").status == 0)
    }

    @Test("With keys that open a part of a store `latest` is refused, and a verification says what it did not look at")
    func partialKeys() {
        let place = place()
        #expect(place.holdfast("key add $(age-keygen -y second.txt) --to store").status == 0)
        #expect(place.holdfast("key remove $(age-keygen -y second.txt) --from store --yes").status == 0)
        #expect(place.holdfast("backup tree --to store").status == 0)
        for command in ["restore latest --to x", "verify latest", "export latest"] {
            let latest = place.holdfast("\(command) --from store --identity second.txt")
            #expect(latest.status == 4 && latest.output.contains("takes the older one"), "\(command): \(latest)")
        }
        for option in ["", "--read-data"] {
            let verify = place.holdfast("verify --from store --identity second.txt \(option)")
            #expect(verify.status == 3 && verify.output.contains("no damage found"), "\(verify)")
            #expect(verify.output.contains("not checked: 1 image") && !verify.output.contains("--mark"), "\(verify)")
        }
    }

    @Test("A single file is read with a warning after a change of keys, and with status 0")
    func olderFile() {
        let place = place()
        #expect(place.holdfast("copy latest --from store --output one.hf").status == 0)
        #expect(place.holdfast("key add $(age-keygen -y second.txt) --to store").status == 0)
        for command in ["restore --input one.hf --to x", "verify --input one.hf", "images --input one.hf"] {
            let outcome = place.holdfast(command)
            #expect(outcome.status == 0 && outcome.output.contains("warning: one.hf"), "\(command): \(outcome)")
        }
    }

    @Test("A copy without a key says that nobody looked whether all is there; with one it names what is missing")
    func brokenSource() {
        let place = place()
        place.shell("for v in store/v/*/*/*; do test -e $v.2 || case $v in *.2) ;; *) rm $v;; esac; done")
        let copy = place.holdfast("copy --from store --to replica")
        #expect(copy.status == 3 && copy.output.contains("is missing in"), "\(copy)")
        let stranger = place.shell(
            """
            HOME=$PWD/stranger XDG_CONFIG_HOME=$PWD/stranger XDG_STATE_HOME=$PWD/stranger XDG_CACHE_HOME=$PWD/stranger \
            holdfast copy --from store --to second
            """)
        #expect(stranger.status == 0 && stranger.output.contains("not checked whether all is there"), "\(stranger)")
    }

    @Test("A removed recipient restores what was there before, and nothing that was written since")
    func removed() {
        let place = place()
        #expect(place.holdfast("key add $(age-keygen -y second.txt) --to store").status == 0)
        #expect(place.holdfast("key remove $(age-keygen -y second.txt) --from store --yes").status == 0)
        #expect(place.holdfast("backup tree --to store --name new").status == 0)
        #expect(place.holdfast("restore tree --from store --to old --identity second.txt").status == 0)
        let new = place.holdfast("restore new --from store --to new --identity second.txt")
        #expect(new.status != 0, "\(new)")
        #expect(place.shell("test -e old/file && test ! -e new").status == 0)
    }
}
