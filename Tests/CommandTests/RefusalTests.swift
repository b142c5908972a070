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
            ("restore --input broken.hf --to x", 3, "damaged"),
            ("store init store", 2, "is a Holdfast store already"),
            ("store init tree", 2, "holds other files"),
            ("images --from newer", 1, "format version 2"),
            ("backup tree --to store --compression 99", 2, "1 to 19"),
            ("backup tree --to sftp://host/store", 2, "sftp"),
            ("frobnicate", 2, "frobnicate"),
        ])
    func refused(arguments: String, status: Int32, text: String) {
        let place = Workplace()
        place.shell(
            """
            mkdir tree empty newer; echo 1 > tree/file; age-keygen -o stranger.txt; head -c 5000 /dev/urandom > broken.hf
            holdfast backup tree --to store --quiet
            printf 'holdfast store 2\\nstore 00000000000000000000000000000000\\nsuite 1\\n' > newer/HOLDFAST
            printf 'check %s\\n' $(sha256sum newer/HOLDFAST | cut -c1-16) >> newer/HOLDFAST
            find store tree -type f | sort | xargs sha256sum > before
            """)
        let outcome = place.holdfast(arguments)
        #expect(outcome.status == status, "\(outcome)")
        #expect(outcome.output.contains(text), "\(outcome)")
        #expect(place.shell("find store tree -type f | sort | xargs sha256sum | cmp - before").status == 0)
    }

    @Test("A writer key alone writes and lists, and reads nothing")
    func writerKeyOnly() {
        let place = Workplace()
        place.shell("mkdir tree; echo 1 > tree/file")
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
            "install -m 755 \(builtProgram) ./hf; setpriv --reuid 65534 --regid 65534 --clear-groups env HOME=$PWD/open XDG_CONFIG_HOME=$PWD/open/c XDG_STATE_HOME=$PWD/open/s XDG_CACHE_HOME=$PWD/open/k ./hf backup tree --to open/store"
        )
        #expect(backup.status == 3, "\(backup)")
        #expect(backup.output.contains("tree/secret"), "\(backup)")
        let restore = place.holdfast("restore latest --from open/store --to x --identity open/c/holdfast/identity.txt")
        #expect(restore.status == 3, "\(restore)")
        #expect(place.shell("cat x/readable; ls x").output == "1\nreadable\n")
    }
}
