// Where a restore goes, and what it does not do there unasked.

import TestSupport
import Testing

@Suite struct RestorePlaceTests {
    @Test("An image that is not of / is not restored as / without a confirmation, which names the right command")
    func root() {
        let place = Workplace()
        place.shell("mkdir -p tree/holdfast-test-new tree/usr")
        #expect(place.holdfast("backup tree --to store").status == 0)
        let refused = place.holdfast("restore latest --from store --to /")
        #expect(refused.status == 4, "\(refused)")
        #expect(refused.output.contains("--to \(place.file("tree"))"), "\(refused)")
        #expect(refused.output.contains("/holdfast-test-new would be new"), "\(refused)")
        #expect(refused.output.contains("/usr would be changed"), "\(refused)")
        #expect(runShell("ls -d /holdfast-test-new").status != 0)
    }

    @Test("A folder of the image takes the place of no link that was there; what is below it is not written elsewhere")
    func links() {
        let place = Workplace()
        place.shell("mkdir -p tree/lib tree/var; echo 1 > tree/lib/file; echo 2 > tree/var/file")
        #expect(place.holdfast("backup tree --to store").status == 0)
        place.shell("mkdir -p target real; ln -s ../real target/lib; touch target/var")
        let restored = place.holdfast("restore latest --from store --to target")
        #expect(restored.status == 3, "\(restored)")
        #expect(restored.output.contains("target/lib: is a link to ../real here"), "\(restored)")
        #expect(restored.output.contains("target/var: is no folder here"), "\(restored)")
        #expect(
            place.shell("readlink target/lib; ls real; stat -c %F target/var").output == "../real\nregular empty file\n"
        )
    }

    @Test(
        "A part is found by its path below the source, or by the one it had on the machine; what is replaced is counted"
    )
    func absoluteParts() {
        let place = Workplace()
        let tree = "\(place.path)/tree"
        place.shell(
            """
            mkdir -p tree/etc/net other/etc; echo 1 > tree/etc/net/if; echo 2 > tree/etc/hosts; echo 3 > other/etc/hosts
            holdfast store init store --quiet; holdfast backup tree --to store --quiet; holdfast backup tree other --to store --name two --quiet
            """)
        let both = ["etc/net", "etc/net/if"]
        let cases: [(String, String, [String])] = [
            ("tree", "etc/net", both), ("tree", "/etc/net", both), ("tree", "\(tree)/etc/net", both),
            ("tree", "\(tree)/etc/net/", both), ("tree", "\(place.path)/*/etc/net", both),
            ("tree", "\(tree)/etc/h*", ["etc/hosts"]), ("tree", tree, ["etc/hosts"] + both),
            ("tree", place.path, ["etc/hosts"] + both), ("two", "\(place.path)/other/etc/hosts", ["other/etc/hosts"]),
        ]
        for (image, pattern, found) in cases {
            let outcome = place.shell(
                """
                rm -rf out; holdfast restore \(image) --from store --to out --only '\(pattern)' --quiet || exit
                cd out; find . -path '*etc/*' | sed 's,^[.]\(place.path)/,,; s,^[.]/,,' | sort
                """)
            #expect(
                outcome.status == 0 && outcome.output == found.map { $0 + "\n" }.joined(),
                "\(image) \(pattern): \(outcome)")
        }
        let missed = place.shell("holdfast restore tree --from store --to out2 --only \(place.path)/tre; ls out2")
        #expect(missed.output.contains("nothing in the image matches"), "\(missed)")

        let replaced = place.shell(
            """
            mkdir out3 out3/etc; echo 9 > out3/etc/hosts; echo mine > out3/mine; holdfast restore tree --from store --to out3
            holdfast restore tree --from store --to out3; cat out3/mine
            """)
        #expect(replaced.output.contains("in 2 files (1 replaced), 0 unchanged"), "\(replaced)")
        #expect(
            replaced.output.contains("in 0 files, 2 unchanged\n") && replaced.output.hasSuffix("mine\n"), "\(replaced)")
    }

    @Test("Nothing is restored into the store that is read: neither by its name, nor from below, above or by a link")
    func ownStore() {
        let place = Workplace()
        place.shell(
            """
            mkdir -p tree/store/v tree/other data; echo 1 > tree/store/v/file; echo 1 > tree/store/readme; ln -s data/store link
            holdfast store init data/store --quiet; holdfast backup tree --to data/store --quiet
            find data -type f | sort > before
            """)
        for target in ["data/store", "data/store/new/x", "data/store/v", "link", "link/new", "data", "data/store/.."] {
            let refused = place.shell("holdfast restore latest --from data/store --to \(target)")
            #expect(refused.status == 4, "\(target): \(refused)")
            #expect(refused.output.contains("is the store data/store that is read, or in it"), "\(target): \(refused)")
        }
        #expect(place.shell("find data -type f | sort | cmp - before").status == 0)
        let part = place.shell("holdfast restore latest --from data/store --to data --only store/readme")
        #expect(part.status == 4 && place.shell("find data -type f | sort | cmp - before").status == 0, "\(part)")
        for target in ["data --only other", "beside", "data/tree"] {
            let restored = place.shell("holdfast restore latest --from data/store --to \(target)")
            #expect(restored.status == 0, "\(restored)")
        }
        // An empty folder in the store's place is where it is mounted.
        place.shell("rm -r tree/store/*; holdfast backup tree --to data/store --quiet")
        let mounted = place.shell("holdfast restore latest --from data/store --to data")
        #expect(mounted.status == 0, "\(mounted)")
    }

    @Test("Sizes that do not fit are told in a unit in which they differ, and what is read-only is said to be")
    func smallRoom() {
        let place = Workplace()
        place.shell(
            """
            mkdir tree small ro; head -c 40000 /dev/urandom > tree/file
            mount -t tmpfs -o size=20k tmpfs small; mount -t tmpfs -o size=8k tmpfs ro; mkdir ro/x; mount -o remount,ro ro
            """)
        defer { place.shell("umount small ro") }
        #expect(place.holdfast("backup tree --to store").status == 0)
        let refused = place.holdfast("restore latest --from store --to small/target")
        #expect(refused.status == 1 && refused.output.contains("has 20 kB, the image needs 40 kB"), "\(refused)")
        let readOnly = place.holdfast("restore latest --from store --to ro/x")
        #expect(readOnly.output.contains("ro/x is on a file system that is read-only"), "\(readOnly)")
    }

    @Test("What does not fit is said before anything is written; holes and what is not selected do not count")
    func room() {
        let place = Workplace()
        place.shell(
            """
            mkdir tree small large; head -c 30000000 /dev/urandom > tree/big; echo 1 > tree/little; truncate -s 3G tree/hole
            mount -t tmpfs -o size=20m tmpfs small; mount -t tmpfs -o size=40m tmpfs large
            """)
        defer { place.shell("umount small large") }
        #expect(place.holdfast("backup tree --to store").status == 0)
        let refused = place.holdfast("restore latest --from store --to small/target")
        #expect(refused.status == 1, "\(refused)")
        #expect(refused.output.contains("small/target has 20 MB, the image needs 30 MB"), "\(refused)")
        #expect(place.shell("ls -A small").output == "")
        for target in ["large/target", "large/target", "small/target --only little --only hole"] {
            let fits = place.holdfast("restore latest --from store --to \(target)")
            #expect(fits.status == 0, "\(target): \(fits)")
        }
    }

    @Test("A store that is pulled is one error, and the same command goes on when it is back")
    func pulled() {
        let place = Workplace()
        place.shell("mkdir tree; for i in $(seq 200); do head -c 300000 /dev/urandom > tree/$i; done")
        #expect(place.holdfast("backup tree --to store").status == 0)
        let pulled = place.shell(
            """
            strace -f -o trace -P $PWD/store $(find store | sed "s|^|-P $PWD/|") -e trace=openat,openat2,pread64,read \
              -e inject=openat,openat2,pread64,read:error=EIO:when=120+ holdfast restore latest --from store --to target
            """)
        #expect(pulled.status == 1, "\(pulled)")
        #expect(pulled.output.contains("is gone") && pulled.output.contains("the same command goes on"), "\(pulled)")
        #expect(pulled.output.split(separator: "\n").count < 8, "\(pulled)")
        let next = place.shell("holdfast restore latest --from store --to target && diff -r tree target")
        #expect(next.status == 0, "\(next)")
    }

    @Test("A place of the target that is bad costs the file that it hits; a target that is pulled is one error")
    func badTarget() {
        let place = Workplace()
        place.shell("mkdir tree; for i in $(seq 50); do head -c 300000 /dev/urandom > tree/$i; done")
        #expect(place.holdfast("backup tree --to store").status == 0)
        // The seventh write of each thread.
        let bad = place.shell(
            """
            strace -f -o trace -e trace=pwrite64 -e inject=pwrite64:error=EIO:when=7 \
              holdfast restore latest --from store --to target > out.txt 2>&1; echo status $?
            count=$(grep -c 'Input/output error' out.txt); [ $count -gt 0 ] && [ $count -lt 20 ] || cat out.txt
            [ $((50 - count)) = $(ls target | wc -l) ] && grep -q "$((51 - count)) of 51 entries" out.txt || cat out.txt
            """)
        #expect(bad.output == "status 3\n", "\(bad)")
        #expect(place.shell("holdfast restore latest --from store --to target && diff -r tree target").status == 0)
        let pulled = place.shell(
            """
            rm -rf target/*; strace -f -o trace -e trace=pwrite64,fsync -e inject=pwrite64:error=EIO:when=7+ -e inject=fsync:error=EIO \
              holdfast restore latest --from store --to target
            """)
        #expect(pulled.status == 1 && pulled.output.contains("target is gone"), "\(pulled)")
        #expect(pulled.output.split(separator: "\n").count < 8, "\(pulled)")
    }

    @Test("Content that could not be made durable while more was restored fails the restore")
    func earlySync() {
        let place = Workplace()
        place.shell("mkdir tree target; head -c 500000000 /dev/zero > tree/zeros; mount -t tmpfs tmpfs target")
        defer { place.shell("umount target") }
        #expect(place.holdfast("backup tree --to store").status == 0)
        // The last sync is the first one of its thread.
        let failed = place.shell(
            """
            strace -f -o trace -e trace=syncfs -e inject=syncfs:error=EIO:when=2 \
              holdfast restore latest --from store --to target; echo status $?; grep -c syncfs trace
            """)
        #expect(failed.output.contains("status 1\n"), "\(failed)")
        #expect(failed.output.contains("target is gone") || failed.output.contains("Input/output error"), "\(failed)")
    }

    @Test("A single file on a medium that is pulled is one error, and the same command goes on when it is back")
    func pulledFile() {
        let place = Workplace()
        place.shell("mkdir tree; for i in $(seq 50); do head -c 300000 /dev/urandom > tree/$i; done")
        #expect(place.holdfast("backup tree --output image.hf").status == 0)
        let pulled = place.shell(
            """
            strace -f -o trace -P $PWD/image.hf -e trace=read -e inject=read:error=EIO:when=9+ \
              holdfast restore --input image.hf --to target
            """)
        #expect(pulled.status == 1 && pulled.output.contains("image.hf is gone"), "\(pulled)")
        #expect(pulled.output.contains("the same command goes on"), "\(pulled)")
        let next = place.shell("holdfast restore --input image.hf --to target && diff -r tree target")
        #expect(next.status == 0, "\(next)")
    }

    @Test("A restore says which image it is: its host, its time and its id")
    func named() {
        let place = Workplace()
        place.shell("mkdir tree")
        #expect(place.holdfast("backup tree --to store").status == 0)
        let id = place.shell(
            "holdfast images --from store --json | grep -o '\"image\":\"[0-9a-f]*' | cut -c10-17 | tr -d '\\n'"
        ).output
        let restored = place.holdfast("restore latest --from store --to target")
        let host = place.shell("hostname").output.split(separator: "\n").first.map(String.init) ?? ""
        #expect(
            id.count == 8 && restored.output.contains("\(id))") && restored.output.contains("(\(host), 20"),
            "\(restored)")
    }
}
