// What the plant's own program says of what was restored.

import Platform
import TestSupport
import Testing

@Suite struct RestoreScanTests {
    /// A machine with an image, and a program that looks at what was restored.
    private func plant(_ program: String) -> Workplace {
        let place = Workplace()
        place.shell(
            """
            mkdir tree; echo fine > tree/a; echo EICAR > tree/b
            cat > scan <<'END'
            #!/bin/sh
            \(program)
            END
            chmod 755 scan; printf '[hooks]\\nscan = "%s/scan"\\n' $PWD > config.toml; chmod go-w . config.toml
            """)
        place.holdfast("backup tree --to store --quiet")
        return place
    }

    private let restore = "restore latest --from store --to out --config config.toml"

    @Test("What was restored is looked at where it is, before it is called restored")
    func clean() {
        let place = plant(
            "echo \"$@\" > \"${0%/*}/asked\"; cat $2/a $2/b >> \"${0%/*}/asked\"; env >> \"${0%/*}/asked\"")
        let outcome = place.shell("SECRET=hush holdfast \(restore)")
        #expect(outcome.status == 0 && outcome.output.contains("scan calls it clean"), "\(outcome)")
        let asked = place.shell("cat asked").output
        // Nothing is called restored before it is called clean.
        #expect(outcome.output.contains(/calls it clean[\s\S]*restored to out:/), "\(outcome)")
        #expect(asked.hasPrefix("restore \(place.file("out"))\nfine\nEICAR\n"), "\(asked)")
        #expect(!asked.contains("hush") && !asked.contains("XDG_"), "\(asked)")
        let json = place.shell("rm -r out; holdfast \(restore) --json 2>/dev/null").output
        #expect(json.contains("\"scan\":{") && json.contains("\"verdict\":\"clean\""), "\(json)")
    }

    @Test("A find ends restore with 4, is said though nobody wants to hear, and is on record; the tree stays")
    func found() {
        let place = plant("grep -rl EICAR $2 && exit 1; exit 0")
        let outcome = place.holdfast("\(restore) --quiet")
        #expect(outcome.status == 4, "\(outcome)")
        #expect(outcome.output.contains("out is not to be used: "), "\(outcome)")
        #expect(outcome.output.contains("does not call it clean: it ended with 1"), "\(outcome)")
        #expect(outcome.output.contains("\(place.file("out"))/b"), "\(outcome)")
        #expect(place.shell("cat out/b").output == "EICAR\n")
        let whole = place.holdfast(restore)
        #expect(whole.status == 4 && !whole.output.contains("restored to out:"), "\(whole)")
        #expect(whole.output.contains("NOT to be used, though it is there, in out: "), "\(whole)")
        // The last that is said is what counts.
        let last = whole.output.split(separator: "\n").suffix(2)
        #expect(last.first?.hasPrefix("error: what was restored to \(place.file("out")) is not to be used: ") == true)
        let json = place.shell("holdfast \(restore) --json 2>/dev/null; echo $?").output
        #expect(json.contains("\"verdict\":\"found\"") && json.hasSuffix("\n4\n"), "\(json)")
        // Root's log begins with the first command; others have none.
        guard HostFacts.isRoot else { return }
        let log = place.holdfast("log --verb restore").output
        #expect(log.contains("does not call it clean"), "\(log)")
    }

    @Test(
        "A scan that did not come to its end has not called anything clean",
        arguments: [
            ("kill -9 $$", "it ended with 137"), ("exit 126", "it ended with 126"),
            ("head -c 20000000 /dev/zero; exit 0", "it printed more than it may"),
        ])
    func failed(program: String, words: String) {
        let place = plant(program)
        let outcome = place.holdfast(restore)
        #expect(outcome.status == 4 && outcome.output.contains("could not look at it: \(words)"), "\(outcome)")
        #expect(outcome.output.contains("is not to be used"), "\(outcome)")
    }

    @Test(
        "Nothing is restored where the program could not be run",
        arguments: ["rm scan", "chmod 644 scan", "chmod 777 scan", "rm scan; mkdir scan"])
    func absent(change: String) {
        let place = plant("exit 0")
        place.shell(change)
        let outcome = place.holdfast(restore)
        #expect(outcome.status == 4, "\(outcome)")
        #expect(outcome.output.contains("nothing was restored, since it could not be scanned"), "\(outcome)")
        #expect(place.shell("test -e out").status == 1)
    }

    @Test(
        "Where others could put another folder in the place of what is restored, nothing is restored to be scanned",
        .enabled(if: HostFacts.isRoot, "folders are given away by root"))
    func swappable() {
        let place = plant("exit 0")
        place.shell("mkdir theirs; chown 65534 theirs")
        let outcome = place.shell("holdfast \(restore.replacing("--to out", with: "--to theirs/new/out"))")
        #expect(outcome.status == 4 && outcome.output.contains("belongs to another user"), "\(outcome)")
        #expect(place.shell("ls theirs").output.isEmpty)
    }

    @Test(
        "What is looked at is what was restored, whatever links and .. are on the way to it",
        arguments: ["link/../x", "link", "link/new", "here/../link/../x"])
    func links(to: String) {
        let place = plant("grep -rl EICAR $2 && exit 1; exit 0")
        // By its text alone the first would be another folder, which has nothing in it.
        place.shell("mkdir -p real/deep x here; ln -s real/deep link")
        let outcome = place.holdfast(restore.replacing("--to out", with: "--to \(to)"))
        #expect(outcome.status == 4 && outcome.output.contains("does not call it clean"), "\(outcome)")
        #expect(place.shell("cat \(to)/b").output == "EICAR\n")
    }

    @Test(
        "Where each may move his own, what is restored may be somebody's: nothing is restored there to be scanned",
        .enabled(if: HostFacts.isRoot, "folders are given away by root"))
    func sticky() {
        let place = plant("exit 0")
        place.shell("mkdir all all/mine; chmod 1777 all; ln -s all/mine link; mkdir all/mine/below")
        for to in ["all/new", "all/mine", "link"] {
            let outcome = place.holdfast(restore.replacing("--to out", with: "--to \(to)"))
            #expect(outcome.status == 4 && outcome.output.contains("others than its owner may write"), "\(outcome)")
        }
        #expect(place.holdfast(restore.replacing("--to out", with: "--to link/below")).status == 0)
    }

    @Test("Who only looks at an image has nothing scanned, and a scan that is interrupted is no result")
    func notRun() {
        let place = plant("touch \"${0%/*}/asked\"; sleep 60")
        let dry = place.holdfast("\(restore) --dry-run")
        #expect(dry.status == 0 && place.shell("test -e asked").status == 1, "\(dry)")
        let stopped = place.shell(
            "holdfast \(restore) & p=$!; while [ ! -e asked ] && kill -0 $p; do sleep 0.1; done; kill $p; wait $p; echo $?"
        )
        #expect(
            stopped.output.hasSuffix("130\n") && stopped.output.contains("repeated, `holdfast restore"), "\(stopped)")
        #expect(!stopped.output.contains("restored to"), "\(stopped)")
    }

    @Test("Who ends the command at once leaves no scan at work, whether that hears of it or not")
    func orphans() {
        let place = plant(
            "trap '' TERM; sh -c 'trap \"\" TERM; echo $$ > ${0%/*}/inner; sleep 60' $0 & echo $$ > ${0%/*}/own; sleep 60"
        )
        let stopped = place.shell(
            """
            holdfast \(restore) & p=$!; while { [ ! -s inner ] || [ ! -s own ]; } && kill -0 $p; do sleep 0.1; done; kill $p; sleep 0.5; kill $p
            wait $p; echo $?; sleep 0.1
            for n in $(cat inner own); do [ ! -e /proc/$n ] || grep -q '^State:.*Z' /proc/$n/status || echo "$n is at work"; done
            """)
        #expect(stopped.output.hasSuffix("130\n"), "\(stopped)")
    }
}
