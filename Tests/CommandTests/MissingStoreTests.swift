// Where no store is: what is there instead is said, with what mends that.

import Platform
import TestSupport
import Testing

@Suite struct MissingStoreTests {
    private func place() -> Workplace {
        let place = Workplace()
        place.shell(
            """
            mkdir -p tree empty stick/other full deep/a/b; echo 1 > tree/file; echo text > text; echo x > full/x; mkfifo fifo
            holdfast store init stick/backup --quiet; holdfast backup tree --output image.hf --quiet; mkdir -p empty/lost+found
            """)
        return place
    }

    @Test(
        "Each thing that is no store has its own sentence and mend, whichever command looks for one",
        arguments: [
            ("missing", "there is no missing", "mount that and repeat"),
            ("image.hf", "image.hf is not a Holdfast store: it is an image in a single file", "--input image.hf"),
            ("text", "text is not a Holdfast store: it is a file", "the folder that holds the file HOLDFAST"),
            ("fifo", "fifo is not a Holdfast store: it is a file", "the folder that holds the file HOLDFAST"),
            ("text/below", "there is no text/below", "mount that and repeat"),
            ("empty", "empty is not a Holdfast store: the folder is empty", "holdfast store init empty"),
            ("stick", "stick is not a Holdfast store itself; there is one in stick/backup", "give `stick/backup`"),
            ("full", "full is not a Holdfast store: the folder holds other files", "a folder of its own"),
        ])
    func sentences(name: String, sentence: String, mend: String) {
        let place = place()
        for command in [
            "images --from \(name)", "restore latest --from \(name) --to out", "verify --from \(name)",
            "key list --from \(name)", "store info \(name)", "store check \(name)", "store join \(name)",
            "copy --from \(name) --to other", "export latest --from \(name)",
        ] {
            let outcome = place.shell("timeout 20 holdfast \(command)")
            #expect(outcome.status == 2, "\(command): \(outcome)")
            #expect(outcome.output.hasPrefix("error: \(sentence)"), "\(command): \(outcome)")
            #expect(outcome.output.contains(mend), "\(command): \(outcome)")
        }
        #expect(place.shell("ls").output == "deep\nempty\nfifo\nfull\nhome\nimage.hf\nstick\ntext\ntree\n")
    }

    @Test("A backup to what is no store says what is there, too")
    func backup() {
        let place = place()
        for (name, text) in [
            ("full", "the folder holds other files"), ("image.hf", "a new one is written with `--output FILE`"),
            ("stick", "there is one in stick/backup"),
        ] {
            let outcome = place.shell("holdfast backup tree --to \(name)")
            #expect(outcome.status == 2 && outcome.output.contains(text), "\(outcome)")
        }
    }

    @Test("A word that is neither a folder nor a name of the configuration comes with the names that it has")
    func unknownName() {
        let place = place()
        place.shell(
            "printf '[stores]\nnas = \"/mnt/nas/line3\"\n[stores.offsite]\nurl = \"s3://plant/line3\"\n' > config.toml")
        for command in [
            "images --from ofsite", "restore latest --from ofsite --to out", "copy --from ofsite --to other",
            "verify --from ofsite", "store check ofsite", "backup tree --to ofsite",
        ] {
            let outcome = place.shell("timeout 20 holdfast \(command) --config config.toml")
            #expect(outcome.status == (command.hasPrefix("backup") ? 4 : 2), "\(command): \(outcome)")
            #expect(outcome.output.contains("hint: the configuration knows nas, offsite; "), "\(command): \(outcome)")
        }
        // A path is none.
        #expect(!place.shell("holdfast images --from ./ofsite --config config.toml").output.contains("offsite"))
    }

    @Test("A folder where an image in a single file is expected is said to be one, with the option for stores")
    func folderAsInput() {
        let place = place()
        for command in ["images --input", "restore --to out --input", "verify --input", "copy --to other --input"] {
            let outcome = place.shell("holdfast \(command) stick/backup")
            #expect(outcome.status == 2 && outcome.output.contains("--from stick/backup"), "\(command): \(outcome)")
        }
    }

    @Test(
        "A place that fstab mounts and that is not mounted is named with the command that mounts it; nothing is made there",
        .enabled(if: HostFacts.isRoot))
    func notMounted() {
        let place = place()
        let table = place.file("fstab")
        place.shell("echo 'nas:/export \(place.file("empty"))/ nfs noauto 0 0' > \(table); mkdir empty/sub")
        for (command, rest) in [
            ("images --from empty", ""),
            ("restore latest --from empty/line3 --to out", ", so there is no store at empty/line3"),
            ("backup tree --to empty/line3", ", so there is no store at empty/line3"),
        ] {
            let outcome = place.shell(
                "rmdir empty/sub; unshare -m sh -c 'touch /etc/fstab; mount --bind \(table) /etc/fstab; holdfast \(command)'"
            )
            #expect(outcome.status == 4, "\(outcome)")
            #expect(
                outcome.output.contains(
                    "nothing is mounted at \(place.file("empty")), where /etc/fstab has nas:/export\(rest)"),
                "\(outcome)")
            #expect(outcome.output.contains("`mount \(place.file("empty"))`"), "\(outcome)")
        }
        #expect(place.shell("ls -A empty").output == "lost+found\n")
    }

    @Test("A store that was used at a place and is gone is said to be gone by readers, too")
    func gone() {
        let place = place()
        place.shell("holdfast store init nas --quiet; mv nas away; mkdir nas")
        for command in ["images --from nas", "restore latest --from nas --to out"] {
            let outcome = place.shell("holdfast \(command)")
            #expect(outcome.status == 4 && outcome.output.contains("not mounted; it was on"), "\(outcome)")
        }
    }

    @Test("Stores that are used at once are all remembered")
    func remembered() {
        let place = Workplace()
        let outcome = place.shell(
            """
            holdfast key generate --quiet
            for i in $(seq 12); do holdfast store init s$i --quiet & done; wait
            find home -name known-stores -exec wc -l {} + | awk '{ print $1 }'
            """)
        #expect(outcome.output.hasSuffix("12\n"), "\(outcome)")
    }
}
