// What cannot be done is refused with a sentence, the status that the charter gives it, and what mends it.

import TestSupport
import Testing

@Suite struct RefusalTests {
    @Test(
        "Bad input ends in a sentence, a hint and the right status, and changes nothing",
        arguments: [
            ("backup tree", 2, "--to"),
            ("backup nowhere --to store", 1, "nowhere"),
            ("restore nothing --from store --to x", 2, "there is no image nothing"),
            ("restore latest --from empty --to x", 2, "is not a Holdfast store"),
            ("restore latest --from store --to x --identity stranger.txt", 1, "none of the identities opens"),
            ("restore latest --from store --to x --only nope", 2, "nothing in the image matches nope"),
            ("restore --input broken.hf --to x", 2, "broken.hf is no Holdfast image\n"),
            ("verify --input broken.hf", 2, "broken.hf is no Holdfast image\n"),
            ("images --input broken.hf.2", 2, "broken.hf.2 is no Holdfast image\n"),
            ("restore --input cut.hf.2 --to x", 2, "cut.hf.2 is part 2 of an image; give the first part, cut.hf\n"),
            ("verify --input cut.hf.10", 2, "cut.hf.10 is part 10 of an image; give the first part, cut.hf\n"),
            ("restore --input begun.hf --to x", 3, "begun.hf is damaged: its keys are lost"),
            ("store init store", 2, "is a Holdfast store already"),
            ("store init tree", 2, "holds other files"),
            ("store init tree/file", 2, "it is a file, and a store is a folder"),
            ("copy --from store --to tree/file", 2, "it is a file, and a store is a folder"),
            ("backup tree --to store --name latest", 2, "cannot be named latest"),
            ("key generate --output - --json", 2, "standard output carries the key"),
            ("images --from newer", 1, "format version 3"),
            ("backup tree --to store --compression 99", 2, "1 to 19"),
            ("backup tree --output small.hf --part-size 4K", 2, "--part-size is 256K or more"),
            ("restore --input cut.hf --disk dangling", 2, "dangling is a link to nowhere, which is not there"),
            ("backup tree --to sftp://me:word@host/store", 2, "password"),
            ("frobnicate", 2, "frobnicate"),
        ])
    func refused(arguments: String, status: Int32, text: String) {
        let place = Workplace()
        place.shell(
            """
            mkdir tree empty newer; ln -s nowhere dangling; echo 1 > tree/file; age-keygen -o stranger.txt; head -c 5000 /dev/urandom > broken.hf
            cp broken.hf broken.hf.2; head -c 2700000 /dev/urandom > tree/random
            holdfast key generate --quiet; holdfast backup tree --output cut.hf --part-size 256K --quiet
            head -c 50 cut.hf > begun.hf; rm tree/random
            holdfast store init store --quiet; holdfast backup tree --to store --quiet
            printf 'holdfast store 3\\nstore 00000000000000000000000000000000\\nsuite 1\\n' > newer/HOLDFAST
            printf 'check %s\\n' $(sha256sum newer/HOLDFAST | cut -c1-16) >> newer/HOLDFAST
            find store tree -type f | sort | xargs sha256sum > before
            """)
        let outcome = place.holdfast(arguments)
        #expect(outcome.status == status, "\(outcome)")
        #expect(outcome.output.contains(text), "\(outcome)")
        #expect(place.shell("find store tree -type f | sort | xargs sha256sum | cmp - before").status == 0)
    }

    @Test("Of a file that was cut it is said why its missing entries are not named, and whether their number is known")
    func cutFile() {
        let place = Workplace()
        place.shell("mkdir tree; for i in $(seq 40); do head -c 300000 /dev/urandom > tree/$i; done")
        place.holdfast("backup tree --to store --quiet")
        place.holdfast("backup tree --output file.hf --quiet")
        place.shell(
            """
            holdfast copy latest --from store --output copy.hf --quiet
            for f in copy file; do head -c 6000000 $f.hf > cut-$f.hf; done
            """)
        let copy = place.holdfast("restore --input cut-copy.hf --to a")
        #expect(copy.status == 3 && copy.output.contains("missing: "), "\(copy)")
        #expect(copy.output.contains(" stood in what is missing of the image\n"), "\(copy)")
        let file = place.holdfast("restore --input cut-file.hf --to b")
        let sentence = "how many more there were is not known: their names stood in what is missing of the file\n"
        #expect(file.status == 3 && file.output.contains(sentence), "\(file)")
        #expect(!copy.output.contains(sentence), "\(copy)")
    }

    @Test("A writer key alone writes and lists, and reads nothing")
    func writerKeyOnly() {
        let place = Workplace()
        place.shell("mkdir tree; echo 1 > tree/file")
        place.holdfast("store init store")
        place.holdfast("backup tree --to store")
        place.shell("mv \(place.identity) away.txt")
        let backup = place.holdfast("backup tree --to store")
        #expect(backup.status == 0, "\(backup)")
        let images = place.holdfast("images --from store")
        #expect(images.status == 0 && images.output.contains("tree"), "\(images)")
        let restore = place.holdfast("restore latest --from store --to x")
        #expect(restore.status == 1 && restore.output.contains("no identity"), "\(restore)")
        #expect(place.holdfast("restore latest --from store --to x --identity away.txt").status == 0)
    }

    @Test("What cannot be read is named, ends in status 3, and the rest is in the image")
    func unreadable() {
        let place = Workplace()
        // Root reads everything, so a user without rights runs the backup.
        place.shell(
            "mkdir tree; echo 1 > tree/readable; echo 2 > tree/secret; chmod 600 tree/secret; chmod 755 . tree; chmod 644 tree/readable"
        )
        place.shell("mkdir -m 777 open; chmod 711 ..")
        let backup = place.shell(
            "install -m 755 \(builtProgram) ./hf; setpriv --reuid 65534 --regid 65534 --clear-groups env HOME=$PWD/open XDG_CONFIG_HOME=$PWD/open/c XDG_STATE_HOME=$PWD/open/s XDG_CACHE_HOME=$PWD/open/k sh -c './hf store init open/store --quiet; ./hf backup tree --to open/store'"
        )
        #expect(backup.status == 3, "\(backup)")
        #expect(backup.output.contains("tree/secret"), "\(backup)")
        let restore = place.holdfast("restore latest --from open/store --to x --identity open/c/holdfast/identity.txt")
        #expect(restore.status == 3, "\(restore)")
        #expect(place.shell("cat x/readable; ls x").output == "1\nreadable\n")
    }

    @Test(
        "Unattended, a backup makes neither a store nor an identity; a store that is gone from its place is not made anew"
    )
    func unattended() {
        let place = Workplace()
        place.shell("mkdir tree nas; echo 1 > tree/file")
        // As a timer runs it: without a terminal.
        for arguments in [
            "backup tree --to nas/line3", "backup tree --to nas", "backup tree --to word", "backup tree --to nas --yes",
        ] {
            let outcome = place.shell("setsid -w \(builtProgram) \(arguments)")
            #expect(outcome.status == 4 && outcome.output.contains("holdfast store init"), "\(arguments): \(outcome)")
        }
        let file = place.shell("setsid -w holdfast backup tree --output image.hf")
        #expect(file.status == 4 && file.output.contains("--recipient"), "\(file)")
        #expect(
            place.shell("find . -name HOLDFAST -o -name identity.txt -o -name word -o -name 'image*'").output.isEmpty)
        // What is asked for by its name is made.
        #expect(
            place.shell(
                "setsid -w holdfast store init nas/line3 --quiet && holdfast backup tree --to nas/line3 --quiet"
            ).status == 0)
        place.shell("mv nas/line3 away; mkdir nas/line3")
        let gone = place.shell("holdfast backup tree --to nas/line3")
        #expect(gone.status == 4 && gone.output.contains("not mounted"), "\(gone)")
        #expect(place.shell("ls nas/line3").output.isEmpty)
        // The disk is there: the same store may be copied back to its place.
        #expect(place.holdfast("copy --from away --to nas/line3").status == 0)
        // Another store in its place is not taken for it.
        place.shell("rm -r nas/line3; holdfast store init other --quiet; mv other nas/line3")
        let other = place.shell("holdfast backup tree --to nas/line3")
        #expect(other.status == 4 && other.output.contains("another store"), "\(other)")
        #expect(place.shell("rm -r nas/line3; mv away nas/line3; holdfast backup tree --to nas/line3").status == 0)
    }

    @Test(
        "An image of a system leaves out keys, log and caches, in a file as in a store, and has the rest of the configuration"
    )
    func ownFiles() {
        let place = Workplace()
        place.shell(
            """
            mkdir -p home; echo 1 > home/file; export HOLDFAST_STATE=$PWD/home/state; holdfast store init store --quiet; holdfast key generate --quiet
            mkdir -p home/state/etc home/state/log home/state/certificate; echo k > home/state/certificate/key; echo l > home/state/log/audit.jsonl
            echo 'state = "/x"' > home/state/etc/config.toml; printf 'AGE-SECRET-KEY-1X' > home/state/etc/other
            holdfast backup home --to store --quiet; holdfast backup home --output image.hf --quiet
            holdfast restore latest --from store --to one --quiet; holdfast restore --input image.hf --to two --quiet
            """)
        for folder in ["one", "two"] {
            #expect(place.shell("cd \(folder) && find . -type f | sort").output == "./file\n./state/etc/config.toml\n")
        }
    }
}
