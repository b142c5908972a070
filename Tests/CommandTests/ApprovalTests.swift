// Two people: what the configuration names is not done without the signature of somebody else over that plan, of that machine and day.

import TestSupport
import Testing

@Suite struct ApprovalTests {
    /// A file to wipe, a store to prune, and the keys of two people; `anna` and `operator` may sign.
    private func plant(_ verbs: String = #""wipe", "prune", "retire""#, tickets: String = "") -> Workplace {
        let place = Workplace()
        place.shell(
            """
            mkdir -p tree home/config/holdfast; echo secret >victim; echo other >bystander
            for who in anna operator stranger; do ssh-keygen -q -t ed25519 -N '' -C $who -f $who; done
            ssh-keygen -q -t rsa -b 2048 -N '' -C rosa -f rosa
            for who in anna operator rosa; do echo "$who@plant $(cut -d' ' -f1,2 $who.pub)"; done >signers
            printf '[approval]\\nverbs = [\(verbs)]\\nsigners = "%s/signers"\\ntickets = [\(tickets)]\\n' "$PWD" >home/config/holdfast/config.toml
            """)
        return place
    }

    private static let configured = "--config home/config/holdfast/config.toml"

    private func run(_ place: Workplace, _ words: String, as user: String = "operator") -> Outcome {
        place.shell("SUDO_USER=\(user) setsid -w holdfast \(words) \(Self.configured)")
    }

    /// Has a plan written; its id.
    private func plan(_ place: Workplace, _ words: String, _ file: String = "plan", as user: String = "operator")
        -> String
    {
        let dry = run(place, "\(words) --dry-run --plan-file \(file)", as: user)
        #expect(dry.status == 0, "\(dry)")
        return String(dry.output.firstMatch(of: /plan ([0-9a-f]{16})/)?.1 ?? "none")
    }

    private func sign(_ place: Workplace, _ file: String = "plan", by who: String, for what: String = "holdfast-plan") {
        let signed = place.shell("rm -f \(file).sig; ssh-keygen -q -Y sign -f \(who) -n \(what) \(file)")
        #expect(signed.status == 0, "\(signed)")
    }

    private func isThere(_ place: Workplace) -> Bool { place.shell("grep -q secret victim").status == 0 }

    @Test("With the signature of somebody else it is done, whatever kind of key that is", arguments: ["anna", "rosa"])
    func approved(signer: String) {
        let place = plant()
        let id = plan(place, "wipe victim")
        #expect(place.shell("cat plan").output.contains("victim: 1 entry"))
        sign(place, by: signer)
        let done = run(place, "wipe victim --plan \(id) --approved-by plan.sig --yes")
        // 3: a file has copies elsewhere on its file system, which no wipe of it reaches.
        #expect(done.status == 3, "\(done)")
        #expect(!isThere(place))
        let log = place.shell("holdfast log")
        #expect(log.output.contains("the plan \(id) was approved by \(signer)@plant"), "\(log)")
    }

    @Test("Without it nothing is done, and it is said how to get one")
    func missing() {
        let place = plant()
        for words in ["--yes", "--yes --plan \(plan(place, "wipe victim"))"] {
            let refused = run(place, "wipe victim \(words)")
            #expect(
                refused.status == 4 && refused.output.contains("wants the signature of a second person"), "\(refused)")
            #expect(refused.output.contains("ssh-keygen -Y sign"), "\(refused)")
        }
        #expect(isThere(place))
    }

    @Test(
        "A signature that is not somebody else's over this plan of this day and machine is none",
        arguments: [
            ("sign operator", "is by operator@plant, who asks for it"),
            ("sign stranger", "its key is none of"),
            ("purpose", "does not count"),
            ("other plan", "was signed for something else: the plan"),
            ("yesterday", "was signed for something else: another day"),
            ("tomorrow", "was signed for something else: another day"),
            ("machine", "was signed for something else: the machine"),
            ("edited", "does not say what would be done now"),
            ("other words", "does not say what would be done now"),
            ("other name", "does not say what would be done now"),
            ("flipped", "does not count"),
            ("garbage", "does not count"),
            ("two names", "is by operator@plant, who asks for it"),
            ("author", "is by anna@plant, who asks for it"),
            ("writable", "others than its owner may write"),
            ("expired", "does not count"),
            ("wildcard", "does not count"),
        ])
    func refused(how: String, text: String) {
        let place = plant()
        let id = plan(place, "wipe victim", as: how == "author" ? "anna" : "operator")
        var signer = "anna"
        switch how {
        case "sign operator": signer = "operator"
        case "sign stranger": signer = "stranger"
        case "other plan":
            place.shell("rm plan")
            _ = plan(place, "wipe bystander")
        case "yesterday", "tomorrow":
            place.shell(
                "t=$(( $(date +%s) \(how == "yesterday" ? "-" : "+") 86400 )); sed -i \"s/^made .*/made $t $(date -u -d @$t +%Y-%m-%dT%H:%M:%SZ)/\" plan"
            )
        case "machine": place.shell("sed -i 's/^machine [0-9a-f]* /machine 0123456789abcdef /' plan")
        case "other words": place.shell("sed -i 's/victim: 1 entry/harmless: 1 entry/' plan")
        case "other name": place.shell("sed -i 's/^\\(machine [0-9a-f]*\\) .*/\\1 testrig/' plan")
        case "two names": place.shell("echo \"operator@plant $(cut -d' ' -f1,2 anna.pub)\" >>signers")
        case "writable": place.shell("chmod 777 signers")
        case "expired":
            place.shell("echo \"anna@plant valid-before=\\\"20200101\\\" $(cut -d' ' -f1,2 anna.pub)\" >signers")
        case "wildcard": place.shell("echo \"* $(cut -d' ' -f1,2 anna.pub)\" >signers")
        default: break
        }
        sign(place, by: signer, for: how == "purpose" ? "file" : "holdfast-plan")
        switch how {
        case "edited": place.shell("sed -i 's/1 entry/2 entries/' plan")
        case "flipped": place.shell("sed -i '3s/[A-M]/x/' plan.sig")
        case "garbage": place.shell("head -c 500 /dev/urandom >plan.sig")
        default: break
        }
        let refused = run(place, "wipe victim --plan \(id) --approved-by plan.sig --yes")
        #expect(refused.status == 4 && refused.output.contains(text), "\(refused)")
        #expect(isThere(place))
    }

    @Test("Neither plan nor signature is replaced or followed into what is no file")
    func files() {
        let place = plant()
        place.shell("echo mine >plan; mkfifo pipe.sig; ln -s /dev/zero zero; ln -s /dev/zero zero.sig")
        let dry = run(place, "wipe victim --dry-run --plan-file plan")
        #expect(dry.status == 1 && dry.output.contains("take another name"), "\(dry)")
        #expect(place.shell("cat plan").output == "mine\n")
        place.shell("rm plan")
        let id = plan(place, "wipe victim")
        for file in ["zero.sig", "plan", "nothing.sig"] {
            let refused = place.shell(
                "timeout 60 setsid -w holdfast wipe victim --plan \(id) --approved-by \(file) --yes \(Self.configured)")
            #expect([1, 2, 4].contains(refused.status), "\(file): \(refused)")
        }
        #expect(isThere(place))
    }

    @Test("A plan of prune is signed as well, and each of `prune` and `retire` by its own name")
    func prune() {
        let place = plant()
        place.shell(
            """
            holdfast store init store --quiet
            for n in 1 2 3; do echo $n >tree/file; holdfast backup tree --to store --series $(hostname)/plc --quiet; done
            holdfast key steward --to store --output steward.key --quiet
            """)
        let words = "prune --from store --identity steward.key --keep-last 1"
        let alone = run(place, "\(words) --yes")
        #expect(alone.status == 4 && alone.output.contains("prune wants the signature"), "\(alone)")
        let id = plan(place, words)
        sign(place, by: "anna")
        // Of the same images, under another name.
        let retire = run(
            place,
            "retire $(hostname)/plc --from store --identity steward.key --after 0d --plan \(id) --approved-by plan.sig --yes"
        )
        #expect(retire.status == 4, "\(retire)")
        let done = run(place, "\(words) --plan \(id) --approved-by plan.sig --yes")
        #expect(done.status == 0 && done.output.contains("removed 2 images"), "\(done)")
    }

    @Test("A ticket that is wanted is wanted, stands in the plan, and another one than the signed one is refused")
    func ticket() {
        let place = plant(tickets: #""wipe""#)
        let without = run(place, "wipe victim --yes")
        #expect(without.status == 4 && without.output.contains("wipe wants a ticket"), "\(without)")
        let id = plan(place, "wipe victim --ticket CHG-7")
        #expect(place.shell("cat plan").output.contains("\nticket CHG-7\n"))
        sign(place, by: "anna")
        let other = run(place, "wipe victim --ticket CHG-8 --plan \(id) --approved-by plan.sig --yes")
        #expect(other.status == 4 && other.output.contains("the ticket CHG-7"), "\(other)")
        let done = run(place, "wipe victim --ticket CHG-7 --plan \(id) --approved-by plan.sig --yes")
        #expect(done.status == 3, "\(done)")
        #expect(!isThere(place))
        let mark = run(place, "wipe bystander --ticket $'a\\nb' --dry-run")
        #expect(mark.status == 2, "\(mark)")
    }

    @Test("A point that wants a second person to go is not destroyed by another name either")
    func otherNames() {
        let place = plant(#""destroy""#)
        place.shell(
            """
            ln -s $(command -v holdfast) restorepoint
            holdfast setup --root $PWD/tree --state $PWD/st --yes; holdfast create P1 --state $PWD/st
            """)
        let config = "HOLDFAST_CONFIG=home/config/holdfast/config.toml"
        for words in ["holdfast destroy P1", "./restorepoint destroy P1", "holdfast setup --remove --points destroy"] {
            let refused = place.shell("\(config) setsid -w \(words) --state $PWD/st --yes")
            #expect(refused.status == 4 && refused.output.contains("destroy wants the signature"), "\(refused)")
        }
        #expect(place.shell("holdfast status --state $PWD/st").output.contains("P1"))
        #expect(
            place.shell("\(config) setsid -w holdfast setup --remove --points keep --state $PWD/st --yes").status == 0)
    }

    @Test("What nobody has to sign for goes on as before, and a mistake in the configuration is told with its place")
    func configuration() {
        let place = plant(#""prune""#)
        #expect(run(place, "wipe victim --yes").status == 3)
        let wrong = plant(#""wype""#)
        let refused = run(wrong, "wipe victim --yes")
        #expect(
            refused.status == 2 && refused.output.contains("verbs has no wype; there are wipe, prune"), "\(refused)")
        #expect(isThere(wrong))
    }
}
