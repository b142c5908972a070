// A store without the folder that lists its images, and a series without some of its numbers.

import Platform
import TestSupport
import Testing

@Suite struct MissingRootsTests {
    private func place() -> Workplace {
        let place = Workplace()
        place.shell(
            """
            mkdir tree; holdfast store init store --quiet
            for i in 1 2 3 4; do echo $i > tree/file; holdfast backup tree --to store --quiet; done
            """)
        return place
    }

    @Test("A store that has volumes and lists no image is no store without damage, and is mended by a copy")
    func noRoots() {
        let place = place()
        place.shell("cp -a store half; rm -r half/i home/state home/cache")
        for command in [
            "verify --from half --read-data", "verify --from half", "store check half", "images --from half",
        ] {
            let outcome = place.shell("holdfast \(command)")
            #expect(outcome.status == 3, "\(outcome)")
            #expect(outcome.output.contains("half: no image is listed, and "), "\(outcome)")
            #expect(outcome.output.contains("finish the copy with `holdfast copy`"), "\(outcome)")
            #expect(!outcome.output.contains("no damage found"), "\(outcome)")
        }
        #expect(place.shell("holdfast copy --from store --to half --quiet").status == 0)
        let mended = place.shell("holdfast verify --from half --read-data")
        #expect(mended.status == 0 && mended.output.contains("4 images"), "\(mended)")
    }

    @Test("A new store has no image, and nothing is wrong with it")
    func new() {
        let place = Workplace()
        place.shell("holdfast store init store --quiet")
        for command in ["verify --from store", "store check store", "images --from store"] {
            #expect(place.shell("holdfast \(command)").status == 0)
        }
    }

    @Test("Numbers that are missing in a series are noted, and are no damage")
    func gaps() {
        let place = place()
        let ids = place.shell("holdfast images --from store | awk 'NR > 1 { print $1 }'").output.split(separator: "\n")
        place.shell("rm -r home/state; rm store/i/*/*/\(ids[1])*")
        for command in ["verify --from store --read-data", "store check store"] {
            let outcome = place.shell("holdfast \(command)")
            #expect(outcome.status == 0 && outcome.output.contains("number 2 of its images is not there"), "\(outcome)")
        }
        place.shell("rm store/i/*/*/\(ids[2])*; rm -r home/state")
        let two = place.shell("holdfast verify --from store")
        #expect(two.status == 0 && two.output.contains("numbers 2 to 3 of its images are not there"), "\(two)")
    }

    @Test("A backup says that nobody can open what it stores where the key files are gone, and that somebody cannot")
    func keys() {
        let place = place()
        place.shell("cp -a store whole; rm -r store/k")
        let all = place.shell("holdfast backup tree --to store")
        #expect(all.status == 3 && all.output.contains("nobody can open it any more"), "\(all)")
        // The replica is behind, and lacks no key.
        #expect(place.shell("holdfast copy --from whole --to store").status == 3)
        #expect(place.shell("holdfast backup tree --to store").status == 0)
        #expect(place.shell("holdfast restore latest --from store --to out").status == 0)
        let other = place.shell(
            """
            holdfast key generate --output other.txt > words 2>&1; OTHER=$(grep -o 'age1[a-z0-9]*' words other.txt -h | head -1)
            holdfast key add $OTHER --to store --quiet && rm store/k/*/$OTHER* && holdfast backup tree --to store
            """)
        #expect(other.status == 3 && other.output.contains("the key file of age1"), "\(other)")
    }
}
