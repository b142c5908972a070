// Who can open a store, as people read it: labels, and what a store says to who has no key.

import TestSupport
import Testing

@Suite struct RecipientTests {
    /// Makes a store and another identity; its public key.
    private func store(_ place: Workplace) -> String {
        place.shell(
            "holdfast store init store --quiet; holdfast key generate --output anna.txt --quiet"
        ).output.split(separator: "\n").last.map(String.init) ?? ""
    }

    @Test("A recipient has a label that lists show, that replicas carry, and that outlives a removal of others")
    func label() {
        let place = Workplace()
        let anna = store(place)
        let added = place.shell("holdfast key add \(anna) --to store --reader --label \"anna's laptop\"")
        #expect(added.status == 0, "\(added)")
        #expect(added.output == "\(anna) \"anna's laptop\" (reads only) can open store\n", "\(added)")
        let passphrase = place.shell(
            "echo secret > p; holdfast key add passphrase --to store --passphrase-file p --label 'safe, paper copy'")
        #expect(passphrase.status == 0, "\(passphrase)")
        place.shell(
            "holdfast copy --from store --to replica --quiet; holdfast key remove passphrase --from store --yes")
        for name in ["store", "replica"] {
            for command in ["key list --from \(name)", "store info \(name)"] {
                let shown = place.shell("holdfast \(command)")
                #expect(shown.output.contains("\(anna) \"anna's laptop\" (reads only)\n"), "\(shown)")
                #expect(shown.output.contains("\"safe, paper copy\"") == (name == "replica"), "\(shown)")
                let json = place.shell("holdfast \(command) --json").output
                #expect(
                    json.contains("{\"recipient\":\"\(anna)\",\"label\":\"anna's laptop\",\"governs\":false"), "\(json)"
                )
            }
        }
    }

    @Test(
        "A label given later changes that and nothing else; an addition without one keeps it; an empty one takes it away"
    )
    func relabel() {
        let place = Workplace()
        let anna = store(place)
        place.shell("holdfast key add \(anna) --to store --reader --label old --quiet")
        let before = place.shell("find store/k -type f | sort | xargs sha256sum").output
        let changed = place.shell("holdfast key add \(anna) --to store --label new")
        #expect(changed.output == "\(anna) \"new\" (reads only) can open store\n", "\(changed)")
        #expect(place.shell("find store/k -type f | sort | xargs sha256sum").output == before)
        let kept = place.shell("holdfast key add \(anna) --to store")
        #expect(kept.output == "\(anna) \"new\" can open store\n", "\(kept)")
        #expect(place.shell("holdfast key add \(anna) --to store --label ''").output == "\(anna) can open store\n")
        #expect(place.shell("holdfast verify --from store").status == 0)
    }

    @Test(
        "What cannot be shown, or is too long, is no label, and nothing is added",
        arguments: [
            "$(printf 'a\\033[2Jb')", "$(printf 'a\\nb')", "$(printf 'a\\342\\200\\256b')", "$(printf 'a\\377b')",
            "$(printf '%0129d' 0)",
        ])
    func refused(label: String) {
        let place = Workplace()
        let anna = store(place)
        let outcome = place.shell("holdfast key add \(anna) --to store --label \"\(label)\"")
        #expect(outcome.status == 2 && outcome.output.contains("label"), "\(outcome)")
        #expect(!outcome.output.contains("\u{1b}") && !outcome.output.contains("\u{202e}"), "\(outcome)")
        #expect(!place.shell("holdfast key list --from store").output.contains(anna))
    }

    @Test("The independent reader reads labels")
    func independent() {
        let place = Workplace()
        let anna = store(place)
        place.shell("holdfast key add \(anna) --to store --label 'Zoë \\ 1' --quiet")
        let info = place.shell(
            "/usr/bin/python3 -B \(packageFolder)/Tests/Reader/holdfast_reader.py info store --identity home/config/holdfast/identity.txt"
        )
        #expect(info.status == 0 && info.output.contains("\"labels\": {\"\(anna)\": \"Zo\\u00eb \\\\ 1\"}"), "\(info)")
    }

    @Test("A store says who it is, who opens it and who writes, to somebody without any key")
    func withoutKey() {
        let place = Workplace()
        _ = store(place)
        place.shell("mkdir tree; holdfast backup tree --to store --quiet; holdfast key generate --output other --quiet")
        let fingerprint = place.shell("holdfast store info store | sed -n 's/^fingerprint *//p' | tr -d '\\n'").output
        #expect(fingerprint.count == 39)
        for identity in ["", "--identity other"] {
            let info = place.shell(
                "export HOME=$PWD/nobody XDG_CONFIG_HOME= XDG_STATE_HOME=$PWD/nobody/s XDG_CACHE_HOME=$PWD/nobody/c; mkdir -p $HOME; setsid -w holdfast store info store \(identity)"
            )
            #expect(info.status == 0, "\(info)")
            #expect(info.output.contains("fingerprint \(fingerprint)\n"), "\(info)")
            #expect(info.output.contains("recipient  age1") && info.output.contains("writer     "), "\(info)")
            #expect(info.output.contains("images     1\n"), "\(info)")
            #expect(info.output.contains("contents   encrypted; no key at hand opens it"), "\(info)")
            // Once, though the store is opened twice.
            #expect(info.output.split(separator: "\n").count { $0.contains("none is pinned") } <= 1, "\(info)")
        }
    }

    @Test(
        "What is no recipient is said why it is none",
        arguments: [
            ("age1a,age1b", "with an option of its own"), ("'ssh-ed25519 AAAA'", "recipients are age keys"),
            ("age1zzz", "an age key has 62 characters, and this has 7"), ("anna", "a recipient begins with age1"),
            ("age1m3v5l9ye6yfk7nlchuw6e6e7mtf3reue9vyjr8j8py6wcyv0t9rs0kf9a6", "a character is mistyped"),
        ])
    func noRecipient(text: String, reason: String) {
        let place = Workplace()
        _ = store(place)
        for command in ["store init other --recipient \(text)", "key add \(text) --to store"] {
            let outcome = place.shell("holdfast \(command)")
            #expect(outcome.status == 2 && outcome.output.lowercased().contains(reason), "\(outcome)")
        }
        #expect(place.shell("ls").output == "anna.txt\nhome\nstore\n")
    }

    @Test("A passphrase that is wrong is said to be")
    func wrongPassphrase() {
        let place = Workplace()
        _ = store(place)
        place.shell(
            "echo right > right; echo wrong > wrong; holdfast key add passphrase --to store --passphrase-file right")
        let alone = place.shell(
            "mv home/config away; holdfast restore latest --from store --to x --passphrase-file wrong")
        #expect(alone.status == 1 && alone.output.contains("error: the passphrase does not open store"), "\(alone)")
        let both = place.shell(
            "holdfast restore latest --from store --to x --passphrase-file wrong --identity anna.txt")
        #expect(both.output.contains("error: neither the identities nor the passphrase opens store"), "\(both)")
    }

    @Test("A private key that is given for a public one is neither shown nor recorded, and nothing is done")
    func privateKey() {
        let place = Workplace()
        _ = store(place)
        place.shell("export HOLDFAST_STATE=$PWD/state; holdfast status")
        for command in ["key add KEY --to store", "key remove KEY --from store", "store init other --recipient KEY"] {
            let outcome = place.shell(
                "key=$(tail -1 anna.txt); holdfast $(echo '\(command)' | sed \"s/KEY/$key/\") > out 2>&1; echo $?; grep -c \"$key\" out; cat out"
            )
            #expect(outcome.output.hasPrefix("2\n0\n"), "\(outcome)")
            #expect(outcome.output.contains("the public one"), "\(outcome)")
        }
    }
}
