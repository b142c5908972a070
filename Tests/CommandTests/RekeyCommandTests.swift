// A new root key as people give it to a store and to their machines.

import TestSupport
import Testing

@Suite struct RekeyCommandTests {
    /// A store with an image, that a second identity governs, and another machine with a place of its own.
    private func place() -> Workplace {
        let place = Workplace()
        place.shell(
            """
            mkdir tree; echo 1 > tree/file; holdfast store init store --quiet; holdfast backup tree --to store --quiet
            age-keygen -o second.txt; holdfast key add $(age-keygen -y second.txt) --to store --quiet
            cp home/config/holdfast/identity.txt owner.txt; \(other) holdfast store join store --series other/ \
              --identity owner.txt --store-fingerprint $(\(fingerprint)) --quiet
            \(other) holdfast backup tree --to store --quiet
            """)
        return place
    }

    private let other = "HOME=$PWD/o XDG_CONFIG_HOME=$PWD/o XDG_STATE_HOME=$PWD/o XDG_CACHE_HOME=$PWD/o"
    private let fingerprint = "holdfast store info store | sed -n 's/^fingerprint //p'"

    @Test(
        "Who governed is removed, and loses what he could; the machines refuse the store until they are told, and go on"
    )
    func removed() {
        let place = place()
        let removed = place.shell("age-keygen -y second.txt").output.split(separator: "\n").last.map(String.init) ?? ""
        let old = place.shell(fingerprint).output
        let rekeyed = place.holdfast("store rekey store --remove \(removed) --yes")
        #expect(rekeyed.status == 0, "\(rekeyed)")
        let new = place.shell(fingerprint).output
        #expect(new != old && rekeyed.output.contains(new.split(separator: "\n")[0]), "\(rekeyed)")
        #expect(!place.holdfast("key list --from store").output.contains(removed))
        // This machine goes on; its identity file is noted for the new one.
        #expect(place.holdfast("backup tree --to store --quiet").status == 0)
        #expect(place.shell("grep -q \"$(\(fingerprint))\" home/config/holdfast/identity.txt").status == 0)
        // The other one is told, once; neither --yes nor a missing terminal lets it through.
        for command in [
            "backup tree --to store", "images --from store", "store join store --yes", "copy --from store --to replica",
            "restore latest --from store --to out --identity owner.txt", "key list --from store", "store info store",
        ] {
            let outcome = place.shell("\(other) holdfast \(command)")
            #expect(outcome.status == 4, "\(command): \(outcome)")
            #expect(outcome.output.contains("has a new root key"), "\(command): \(outcome)")
            #expect(outcome.output.contains("--store-fingerprint"), "\(command): \(outcome)")
        }
        #expect(place.shell("test ! -e replica && test ! -e out").status == 0)
        let told = place.shell("\(other) holdfast store join store --store-fingerprint $(\(fingerprint))")
        #expect(told.status == 0, "\(told)")
        let next = place.shell("\(other) holdfast backup tree --to store")
        #expect(next.status == 0, "\(next)")
        // Who was removed reads what was there before.
        #expect(
            place.shell(
                "HOME=$PWD/s XDG_CONFIG_HOME=$PWD/s XDG_STATE_HOME=$PWD/s holdfast restore tree --from store --to old --identity second.txt --series $(uname -n)/tree || true"
            ).status == 0)
        #expect(place.holdfast("key add \(removed) --to store --identity second.txt").status == 4)
        #expect(place.holdfast("verify --from store --read-data").status == 0)
    }

    @Test("It is confirmed; what nobody is, and who may not, is refused, and nothing changes")
    func refused() {
        let place = place()
        place.shell("find store | sort > names")
        let unconfirmed = place.holdfast("store rekey store")
        #expect(unconfirmed.status == 4 && unconfirmed.output.contains("--yes"), "\(unconfirmed)")
        for (arguments, status) in [
            ("--remove age1nobody --yes", 2), ("--remove 'nobody here' --yes", 2), ("--writer nobody --yes", 2),
            ("--remove $(age-keygen -y second.txt) --remove $(age-keygen -y owner.txt) --yes", 4),
            ("--identity names --yes", 2), ("--store-fingerprint AAAA-AAAA-AAAA-AAAA-AAAA-AAAA-AAAA-AAAA --yes", 4),
        ] as [(String, Int32)] {
            let outcome = place.holdfast("store rekey store \(arguments)")
            #expect(outcome.status == status, "\(arguments): \(outcome)")
        }
        let reads = place.shell(
            """
            age-keygen -o third.txt; holdfast key add $(age-keygen -y third.txt) --reader --to store --quiet; find store | sort > names
            holdfast store rekey store --yes --identity third.txt
            """)
        #expect(reads.status == 4 && reads.output.contains("governs nothing"), "\(reads)")
        #expect(place.shell("find store | sort | cmp - names").status == 0)
    }

    @Test("After the removal of somebody who governs the command says what he can still do")
    func hint() {
        let place = place()
        let outcome = place.holdfast("key remove $(age-keygen -y second.txt) --from store --yes")
        #expect(outcome.status == 0 && outcome.output.contains("store rekey"), "\(outcome)")
        let rekeyed = place.holdfast("store rekey store --yes --json")
        #expect(rekeyed.status == 0 && rekeyed.output.contains("\"replaced\""), "\(rekeyed)")
    }
}
