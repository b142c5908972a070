// The passphrase of a store: what has to open new keys, what takes its place, and what each still opens.

import TestSupport
import Testing

@Suite struct PassphraseTests {
    /// Makes a store that a passphrase opens beside two identities, with an image; the public key of the second one.
    private func store(_ place: Workplace) -> String {
        place.shell(
            """
            mkdir tree; echo 1 > tree/file; echo right > right; echo wrong > wrong
            holdfast store init store --quiet; holdfast key generate --output anna.txt --quiet > anna
            holdfast key add $(cat anna) --to store --quiet; holdfast backup tree --to store --quiet
            holdfast key add passphrase --to store --passphrase-file right --quiet
            """)
        return place.shell("tr -d '\\n' < anna").output
    }

    /// What a command says to somebody at a terminal who types this whenever he is asked. What is typed before is thrown away.
    private func asked(
        _ place: Workplace, _ answer: String, _ command: String, as user: String = "LC_ALL=C"
    ) -> Outcome {
        place.shell(
            """
            export \(user); (while sleep 1; do echo \(answer); done) 2> /dev/null | {
              timeout 60 script -qec "\(command)" /dev/null > said; echo $? > status; }
            tr -d '\\r' < said; exit $(cat status)
            """)
    }

    private func opens(_ place: Workplace, _ passphrase: String, from store: String = "store") -> Bool {
        place.shell(
            """
            export XDG_CONFIG_HOME=$PWD/nobody XDG_STATE_HOME=$PWD/nobody; rm -rf out
            holdfast restore latest --from \(store) --to out --passphrase-file \(passphrase) --quiet
            """
        ).status == 0
    }

    @Test("What makes new keys takes the store's passphrase and no other: another one changes nothing")
    func kept() {
        let place = Workplace()
        let anna = store(place)
        place.shell("find store | sort > before")
        for command in [
            "key remove \(anna) --from store", "store revoke $(uname -n) --from store", "store rekey store",
            "key add \(anna) --reader --to store", "key add passphrase --reader --to store",
            "store join store --identity anna.txt --group new",
        ] {
            let other = place.shell("holdfast \(command) --yes --passphrase-file wrong")
            #expect(other.status == 4, "\(command): \(other)")
            #expect(other.output.contains("is not the one that opens store now"), "\(command): \(other)")
            #expect(other.output.contains("holdfast key add passphrase"), "\(command): \(other)")
            let none = place.shell("setsid -w holdfast \(command) --yes")
            #expect(none.status == 2, "\(command): \(none)")
            #expect(none.output.contains("store can be opened by a passphrase: it is needed"), "\(command): \(none)")
        }
        #expect(place.shell("find store | sort | cmp - before").status == 0)
        #expect(opens(place, "right") && !opens(place, "wrong"))
        let removed = place.shell("holdfast key remove \(anna) --from store --yes --passphrase-file right")
        #expect(removed.status == 0 && opens(place, "right"), "\(removed)")
    }

    @Test("At a terminal the question says which passphrase is wanted, and for what")
    func question() {
        let place = Workplace()
        let anna = store(place)
        let outcome = asked(place, "right", "holdfast key remove \(anna) --from store --yes")
        #expect(outcome.status == 0, "\(outcome)")
        #expect(outcome.output.contains("Passphrase of store, which is to open the new keys, too: "), "\(outcome)")
        #expect(!outcome.output.contains("New passphrase"), "\(outcome)")
        // Whoever opens the store with it types it once.
        let alone = asked(place, "right", "holdfast store join store --group new", as: "XDG_CONFIG_HOME=$PWD/nobody")
        #expect(alone.status == 0, "\(alone)")
        #expect(alone.output.split(separator: "\n").count { $0.contains("Passphrase of store") } == 1, "\(alone)")
    }

    @Test("Another passphrase takes the place of the one before, when that is confirmed; both do what is said of them")
    func replaced() {
        let place = Workplace()
        _ = store(place)
        place.shell("holdfast copy --from store --to replica --quiet; echo other > other; cp -r store old")
        let unconfirmed = place.shell("setsid -w holdfast key add passphrase --to store --passphrase-file other")
        #expect(
            unconfirmed.status == 4 && unconfirmed.output.contains("Replace the passphrase of store?"), "\(unconfirmed)"
        )
        #expect(opens(place, "right") && !opens(place, "other"))
        let done = place.shell(
            "holdfast key add passphrase --to store --passphrase-file other --label 'in the safe' --yes")
        #expect(done.status == 0 && done.output.contains("passphrase \"in the safe\" can open store\n"), "\(done)")
        #expect(done.output.contains("the passphrase before, holdfast opens nothing of store"), "\(done)")
        #expect(opens(place, "other") && !opens(place, "right"))
        // A replica takes it over, and holds nothing that contradicts it.
        let copied = place.shell("holdfast copy --from store --to replica --quiet")
        #expect(copied.status == 0, "\(copied)")
        #expect(opens(place, "other", from: "replica") && !opens(place, "right", from: "replica"))
        // What the question says of whoever knows the one before.
        let files = place.shell("ls store/k/*/passphrase.age").output.split(separator: "\n")
        let opened = files.map { asked(place, "right", "age --decrypt \($0)").output.contains("secret ") }
        #expect(opened == [true, false])
        #expect(place.shell("holdfast verify --from store --read-data").status == 0)
    }

    @Test("The passphrase that the store has already replaces nothing; a label alone changes that, and asks nobody")
    func same() {
        let place = Workplace()
        _ = store(place)
        place.shell("find store/k -type f | sort | xargs sha256sum > before")
        let again = place.shell("holdfast key add passphrase --to store --passphrase-file right")
        #expect(again.status == 0 && again.output == "passphrase can open store\n", "\(again)")
        let label = place.shell("setsid -w holdfast key add passphrase --to store --label safe")
        #expect(label.status == 0 && label.output == "passphrase \"safe\" can open store\n", "\(label)")
        #expect(
            opens(place, "right")
                && place.shell("find store/k -type f | sort | xargs sha256sum | cmp - before").status == 0)
    }

    @Test("What is said of a passphrase that is removed is true of it, and not what is true of an identity")
    func removed() {
        let place = Workplace()
        _ = store(place)
        let asked = place.shell("setsid -w holdfast key remove passphrase --from store")
        #expect(asked.status == 4 && asked.output.contains("open nothing of it with that one any more"), "\(asked)")
        let done = place.shell("holdfast key remove passphrase --from store --yes")
        #expect(done.status == 0 && done.output.contains("holdfast opens nothing of store with passphrase"), "\(done)")
        #expect(!opens(place, "right"))
    }

    @Test("A byte order mark before a key or a passphrase, as Notepad writes it, is no part of it")
    func byteOrderMark() {
        let place = Workplace()
        _ = store(place)
        place.shell(
            """
            holdfast key steward --to store --output steward --quiet
            for f in right anna.txt steward; do printf '\\357\\273\\277' | cat - $f | sed 's/$/\\r/' > marked-$f; done
            printf '\\357\\273\\277' | cat - steward > marked-steward; chmod 600 marked-*
            """)
        #expect(opens(place, "marked-right"))
        for key in ["anna.txt", "steward"] {
            let listed = place.shell(
                "XDG_CONFIG_HOME=$PWD/nobody XDG_STATE_HOME=$PWD/nobody holdfast images --from store --identity marked-\(key)"
            )
            #expect(listed.status == 0 && listed.output.contains("tree"), "\(listed)")
        }
        // Set from such a file, it is what somebody types.
        place.shell("printf '\\357\\273\\277other\\r\\n' > marked; printf other > other")
        let set = place.shell("holdfast key add passphrase --to store --passphrase-file marked --yes")
        #expect(set.status == 0 && opens(place, "other"), "\(set)")
    }

    @Test("Where no passphrase opens a store or a file, one that is given is said to be of no use")
    func none() {
        let place = Workplace()
        _ = store(place)
        place.shell(
            """
            holdfast backup tree --output f.hf --quiet; holdfast key remove passphrase --from store --yes --quiet
            """)
        for command in ["images --from store", "restore latest --from store --to out", "restore --input f.hf --to out"]
        {
            let outcome = place.shell(
                "XDG_CONFIG_HOME=$PWD/nobody XDG_STATE_HOME=$PWD/nobody holdfast \(command) --passphrase-file right")
            #expect(outcome.status == 1 && outcome.output.contains("; no passphrase opens it\n"), "\(outcome)")
            #expect(!outcome.output.contains("--passphrase-file"), "\(outcome)")
        }
    }
}
