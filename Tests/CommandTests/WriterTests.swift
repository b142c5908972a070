// The machines that write to a store, as people name them: revoked, replaced, beside stewards of the same name.

import TestSupport
import Testing

@Suite struct WriterTests {
    private let other = "HOME=$PWD/o XDG_CONFIG_HOME=$PWD/o XDG_STATE_HOME=$PWD/o XDG_CACHE_HOME=$PWD/o"

    /// A store with an image of a machine, whose owner's identity is in owner.txt.
    private func store(_ place: Workplace) {
        place.shell(
            """
            mkdir tree; head -c 100000 /dev/urandom > tree/file; holdfast store init store --series v1/ --quiet
            holdfast backup tree --to store --quiet --series v1/plc; cp \(place.identity) owner.txt
            """)
    }

    @Test("A stolen machine is revoked, and the one that was bought for it goes on with its series all the same")
    func stolen() {
        let place = Workplace()
        store(place)
        let name = place.shell("uname -n | tr -d '\\n'").output
        #expect(place.shell("holdfast store revoke \(name) --from store --yes").status == 0)
        let info = place.shell("holdfast store info store")
        #expect(info.output.contains("revoked    ") && info.output.contains(" \(name), series v1/…"), "\(info)")
        let json = place.shell("holdfast store info store --json")
        #expect(json.output.contains("\"writers\":[],\"revoked\":[{\"writer\":"), "\(json)")
        let joined = place.shell("\(other) holdfast store join store --replace \(name) --identity owner.txt --yes")
        #expect(joined.status == 0, "\(joined)")
        let backup = place.shell("\(other) holdfast backup tree --to store --series v1/plc")
        #expect(backup.status == 0 && backup.output.contains("new 0 B in "), "\(backup)")
        // Its place is taken: it is not one of those that can be replaced any more.
        let after = place.shell("holdfast store info store")
        #expect(!after.output.contains("revoked    ") && after.output.contains("writer     "), "\(after)")
        #expect(place.shell("holdfast backup tree --to store --series v1/plc").status == 4)
        #expect(place.shell("holdfast verify --from store --read-data").status == 0)
    }

    @Test(
        "What came to the store after the time of a theft does not count, whatever it says; where all did, the store was moved",
        arguments: [(late: 2, counting: 1), (late: 4, counting: 2)])
    func backdated(_ late: Int, _ counting: Int) {
        let place = Workplace()
        store(place)
        let outcome = place.shell(
            """
            sleep 1; echo 2 > tree/more; holdfast backup tree --to store --quiet --series v1/plc
            touch -d '1 hour' $(find store/i -type f | xargs ls -t | head -n \(late))
            holdfast store revoke $(uname -n) --from store --since $(date -u -d '30 minutes' +%Y-%m-%dT%H:%M:%SZ) --yes --quiet
            holdfast images --from store --json | grep -o '"problem":"its writer' | wc -l
            """)
        #expect(outcome.output.hasSuffix("\(2 - counting)\n"), "\(outcome)")
    }

    @Test("The place of a machine that was revoked is taken also after a new root key, and on a replica")
    func stolenAndRekeyed() {
        let place = Workplace()
        store(place)
        place.shell(
            """
            holdfast store revoke $(uname -n) --from store --yes --quiet; holdfast store rekey store --yes --quiet
            holdfast copy --from store --to replica --quiet
            """)
        for name in ["store", "replica"] {
            let info = place.shell("holdfast store info \(name)")
            #expect(info.output.contains(", series v1/…"), "\(info)")
        }
        let joined = place.shell(
            """
            fingerprint=$(holdfast store info store | sed -n 's/^fingerprint //p')
            \(other) holdfast store join replica --replace $(uname -n) --identity owner.txt --store-fingerprint $fingerprint
            """)
        #expect(joined.status == 0, "\(joined)")
        let backup = place.shell("\(other) holdfast backup tree --to replica --series v1/plc")
        #expect(backup.status == 0 && backup.output.contains("new 0 B in "), "\(backup)")
    }

    @Test("Where a steward's key was made on a machine, the machine's name means the machine")
    func stewardOfOneName() {
        let place = Workplace()
        store(place)
        place.shell("holdfast key steward --to store --output st.key --quiet")
        let revoked = place.shell("holdfast store revoke $(uname -n) --from store --yes")
        #expect(revoked.status == 0, "\(revoked)")
        let info = place.shell("holdfast store info store")
        #expect(info.output.contains("steward    ") && !info.output.contains("writer     "), "\(info)")
        place.shell("holdfast key steward --to store --output st2.key --quiet")
        let several = place.shell("holdfast store revoke $(uname -n) --from store --yes")
        #expect(several.status == 2 && several.output.contains("(a steward)"), "\(several)")
    }

    @Test("What series begin with ends with a slash, whether it was typed or not")
    func prefix() {
        let place = Workplace()
        store(place)
        let joined = place.shell("\(other) holdfast store join store --series v10 --identity owner.txt --yes")
        #expect(joined.status == 0, "\(joined)")
        let backup = place.shell("\(other) holdfast backup tree --to store --quiet")
        #expect(backup.status == 0, "\(backup)")
        let images = place.shell("holdfast images --from store --series v10/tree --json")
        #expect(
            images.status == 0 && images.output.contains("\"v10\\/tree\"") || images.output.contains("\"v10/tree\""),
            "\(images)")
        let made = place.shell("holdfast store init new --series a --quiet; holdfast store info new")
        #expect(made.output.contains(", series a/…"), "\(made)")
    }

    @Test("A machine that joins a group of which no other is is told so, with the machines of those that there are")
    func newGroup() {
        let place = Workplace()
        store(place)
        let mistyped = place.shell(
            "\(other) holdfast store join store --group lnie --series o --identity owner.txt --yes")
        #expect(mistyped.status == 0, "\(mistyped)")
        #expect(
            mistyped.output.contains("group \"lnie\": it is a new one")
                && mistyped.output.contains("other groups are: \(place.shell("uname -n").output.dropLast())"),
            "\(mistyped)")
        // In it already, and so it is none that is new.
        let again = place.shell("\(other) holdfast store join store --group lnie --identity owner.txt --yes")
        #expect(again.status == 0 && !again.output.contains("a new one"), "\(again)")
    }

    @Test("A machine that has joined is told so, as often as it asks, with a fingerprint or without, and keeps its key")
    func joinedAlready() {
        let place = Workplace()
        store(place)
        let fingerprint = "$(holdfast store info store | sed -n 's/^fingerprint //p')"
        place.shell("\(other) holdfast store join store --series o --identity owner.txt --yes --quiet")
        place.shell("find store | sort > names")
        for arguments in ["", "--store-fingerprint \(fingerprint)"] {
            let joined = place.shell("\(other) setsid -w holdfast store join store \(arguments)")
            #expect(joined.status == 0 && joined.output.contains("this machine has joined store "), "\(joined)")
            // The owner's identity at hand is no wish for another key.
            let own = place.shell("holdfast store join store \(arguments)")
            #expect(own.status == 0 && own.output.contains("goes on with its key"), "\(own)")
        }
        #expect(place.shell("find store | sort | cmp - names").status == 0)
        place.shell("holdfast store rekey store --yes --quiet")
        for _ in 0..<2 {
            let told = place.shell("\(other) holdfast store join store --store-fingerprint \(fingerprint)")
            #expect(told.status == 0 && told.output.contains("this machine has joined store "), "\(told)")
        }
        #expect(place.shell("\(other) holdfast backup tree --to store --quiet").status == 0)
        // Another wish, and a right that was ended, are said as what they are.
        let group = place.shell("\(other) setsid -w holdfast store join store --group line")
        #expect(group.status == 1 && group.output.contains("no identity was given"), "\(group)")
        let renewed = place.shell("\(other) holdfast store join store --identity owner.txt")
        #expect(renewed.status == 0 && renewed.output.hasPrefix("joined store "), "\(renewed)")
        let id = place.shell("holdfast store info store | grep 'series o/' | cut -c12-19 | tr -d '\\n'").output
        #expect(place.shell("holdfast store revoke \(id) --from store --yes").status == 0)
        let revoked = place.shell("\(other) setsid -w holdfast store join store")
        #expect(revoked.status == 4 && revoked.output.contains("has been revoked"), "\(revoked)")
    }
}
