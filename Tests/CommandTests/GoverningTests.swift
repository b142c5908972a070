// Who governs a store, and what commands on keys say before they change anything.

import TestSupport
import Testing

@Suite struct GoverningTests {
    /// Makes a store, and another identity; the public keys of both.
    private func store(_ place: Workplace) -> (own: String, anna: String) {
        let keys = place.shell(
            "holdfast store init store --quiet 2>/dev/null; grep -o 'age1.*' \(place.identity); holdfast key generate --output anna.txt --quiet"
        ).output.split(separator: "\n").map(String.init)
        return (keys.first ?? "", keys.last ?? "")
    }

    @Test("The only one who governs is not made a reader, nor removed, though others read")
    func onlyGovernor() {
        let place = Workplace()
        let (own, anna) = store(place)
        place.shell("holdfast key add \(anna) --to store --reader")
        place.shell("find store -type f | sort | xargs sha256sum > before")
        for command in [
            "key add \(own) --to store --reader", "key add \(own) --to store --reader --label me",
            "key remove \(own) --from store", "store rekey store --remove \(own)",
        ] {
            for answer in ["", " --yes"] {
                let refused = place.shell("holdfast \(command)\(answer)")
                #expect(refused.status == 4, "\(refused)")
                #expect(refused.output.contains("nobody could change any more who opens it"), "\(refused)")
            }
        }
        #expect(place.shell("find store -type f | sort | xargs sha256sum | cmp - before").status == 0)
    }

    @Test("Who governed and was removed is no obstacle to the new root key that ends the rest of his power")
    func removedBefore() {
        let place = Workplace()
        let (_, anna) = store(place)
        place.shell("holdfast key add \(anna) --to store")
        let removed = place.shell("holdfast key remove \(anna) --from store --yes")
        #expect(removed.status == 0 && removed.output.contains("`holdfast store rekey"), "\(removed)")
        let never = place.shell(
            "holdfast store rekey store --remove $(holdfast key generate --output x.txt --quiet) --yes")
        #expect(never.status == 2 && never.output.contains("is no recipient"), "\(never)")
        let rekeyed = place.shell("holdfast store rekey store --remove \(anna) --yes")
        #expect(rekeyed.status == 0 && rekeyed.output.contains("has a new root key"), "\(rekeyed)")
        let gone = place.shell(
            "holdfast key add $(holdfast key generate --output y.txt --quiet) --to store --identity anna.txt --yes")
        #expect(gone.status == 4 || gone.status == 1, "\(gone)")
    }

    @Test("Where another governs, one is made a reader when that is confirmed; his key opens and changes nothing then")
    func demotion() {
        let place = Workplace()
        let (_, anna) = store(place)
        place.shell("mkdir tree; echo 1 > tree/file; holdfast key add \(anna) --to store --label anna")
        place.shell("holdfast backup tree --to store --quiet; holdfast copy --from store --to replica --quiet")
        let asked = place.shell("holdfast key add \(anna) --to store --reader")
        #expect(asked.status == 4 && asked.output.contains("the right to change who opens store"), "\(asked)")
        #expect(asked.output.contains("root key"), "\(asked)")
        let done = place.shell("holdfast key add \(anna) --to store --reader --yes")
        #expect(done.status == 0 && done.output.contains("\"anna\" (reads only) can open store"), "\(done)")
        #expect(done.output.contains("store rekey"), "\(done)")
        place.shell("holdfast copy --from store --to replica --quiet; echo 2 > tree/file")
        let backup = place.shell("holdfast backup tree --to store --quiet")
        #expect(backup.status == 0, "\(backup)")
        for name in ["store", "replica"] {
            let governs = place.shell("holdfast key remove \(anna) --from \(name) --yes --identity anna.txt")
            #expect(governs.status == 4 && governs.output.contains("governs nothing"), "\(governs)")
            let reads = place.shell("holdfast restore latest --from \(name) --to of-\(name) --identity anna.txt")
            // The replica is behind by an image, and says so.
            #expect(reads.status == 0, "\(reads)")
            #expect(reads.output.contains("a copy that is behind") == (name == "replica"), "\(reads)")
        }
        #expect(place.shell("holdfast verify --from store").status == 0)
        #expect(place.shell("cat of-store/file of-replica/file").output == "2\n1\n")
        let again = place.shell("holdfast key add \(anna) --to store")
        #expect(again.status == 0 && again.output == "\(anna) \"anna\" can open store\n", "\(again)")
    }

    @Test("Whoever only reads is told that before anything else, and is asked nothing")
    func readerFirst() {
        let place = Workplace()
        let (own, anna) = store(place)
        place.shell("holdfast key add \(anna) --to store --reader; echo p > p; find store | sort > before")
        for command in [
            "key remove \(own) --from store", "key remove \(anna) --from store", "key remove passphrase --from store",
            "key add \(own) --reader --to store", "key add passphrase --to store", "key add \(anna) --to store",
            "key steward --to store --output p", "store revoke nobody --from store", "store rekey store",
            "store rekey store --remove \(own)", "store rekey store --writer nobody",
            "store join store --replace nobody",
        ] {
            let refused = place.shell("setsid -w holdfast \(command) --identity anna.txt")
            #expect(refused.status == 4 && refused.output.contains("governs nothing"), "\(command): \(refused)")
        }
        #expect(place.shell("find store | sort | cmp - before").status == 0)
    }

    @Test("A passphrase is made a reader's with the one that is given, and opens what is written then")
    func passphrase() {
        let place = Workplace()
        _ = store(place)
        place.shell("mkdir tree; echo 1 > tree/file; echo secret > p")
        place.shell("holdfast key add passphrase --to store --passphrase-file p")
        let done = place.shell("holdfast key add passphrase --to store --reader --passphrase-file p --yes")
        #expect(done.status == 0, "\(done)")
        place.shell("holdfast backup tree --to store --quiet; mv home/config away")
        let reads = place.shell("holdfast restore latest --from store --to out --passphrase-file p")
        #expect(reads.status == 0 && place.shell("cat out/file").output == "1\n", "\(reads)")
    }

    @Test("Whoever is named twice gets one key, and the store and the file are made")
    func doubles() {
        let place = Workplace()
        let (_, anna) = store(place)
        place.shell("mkdir tree; echo 1 > tree/file")
        let made = place.shell("holdfast store init twice --recipient \(anna) --recipient \(anna)")
        #expect(made.status == 0, "\(made)")
        #expect(place.shell("holdfast key list --from twice").output == "\(anna)\n")
        let file = place.shell("holdfast backup tree --output f.hf --recipient \(anna) --recipient \(anna)")
        #expect(file.status == 0, "\(file)")
        #expect(place.shell("holdfast restore --input f.hf --to out --identity anna.txt").status == 0)
        let added = place.shell("holdfast key add \(anna) --to twice --identity anna.txt")
        #expect(added.status == 0 && place.shell("holdfast key list --from twice").output == "\(anna)\n", "\(added)")
    }

    @Test("A machine, a recipient that is not there is named before anything is asked, and what is asked is said")
    func names() {
        let place = Workplace()
        let (_, anna) = store(place)
        for command in [
            "store revoke nosuch --from store", "store rekey store --writer nosuch", "key remove \(anna) --from store",
            "store rekey store --remove \(anna)",
        ] {
            let outcome = place.shell("holdfast \(command)")
            #expect(outcome.status == 2 && !outcome.output.contains("confirmation"), "\(outcome)")
        }
        let host = place.shell("hostname | tr -d '\\n'").output
        let asked = place.shell("holdfast store revoke \(host) --from store")
        #expect(asked.status == 4, "\(asked)")
        #expect(asked.output.contains("no terminal to ask on: End the right of \(host) ("), "\(asked)")
    }

    @Test("A steward's key is listed as one, and not as a machine that writes")
    func steward() {
        let place = Workplace()
        _ = store(place)
        let issued = place.shell("holdfast key steward --to store --output st.key")
        #expect(issued.status == 0, "\(issued)")
        let info = place.shell("holdfast store info store")
        let lines = info.output.split(separator: "\n")
        #expect(lines.count { $0.hasPrefix("writer  ") } == 1, "\(info)")
        #expect(lines.count { $0.hasPrefix("steward  ") } == 1, "\(info)")
        let json = place.shell("holdfast store info store --json").output
        #expect(json.contains("\"stewards\":[{\"steward\":"), "\(json)")
    }

    @Test("A fingerprint that is mistyped is said to be the one that was given")
    func mistyped() {
        let place = Workplace()
        _ = store(place)
        let other = place.shell(
            "holdfast store init other --quiet; holdfast store info other | grep -o 'fingerprint .*' | cut -d' ' -f2")
        let refused = place.shell("holdfast key list --from store --store-fingerprint \(other.output)")
        #expect(refused.status == 4 && refused.output.contains("the one that was given is"), "\(refused)")
        #expect(refused.output.contains("compare what was typed"), "\(refused)")
    }

    @Test("A machine that takes the place of another goes on in its group: its first backup stores nothing anew")
    func replacement() {
        let place = Workplace()
        place.shell("mkdir tree; head -c 300000 /dev/urandom > tree/file")
        place.shell("holdfast store init store --group line --quiet")
        #expect(place.shell("holdfast backup tree --to store --quiet").status == 0)
        let host = place.shell("hostname | tr -d '\\n'").output
        let joined = place.shell(
            "mv home/state away; mv home/cache gone; holdfast store join store --replace \(host) --yes")
        #expect(joined.status == 0 && joined.output.contains("group \"that of \(host)\""), "\(joined)")
        let backup = place.shell("holdfast backup tree --to store")
        #expect(backup.status == 0 && backup.output.contains("new 0 B in "), "\(backup)")
        // Once more, in its own place: still the same group.
        #expect(place.shell("holdfast store join store").status == 0)
        let again = place.shell("holdfast backup tree --to store")
        #expect(again.status == 0 && again.output.contains("new 0 B in "), "\(again)")
        #expect(place.shell("holdfast images --from store --quiet 2>&1 | tail -n +2 | wc -l").output == "3\n")
    }
}
