// Trees come back as they were, judged by tools that know nothing of Holdfast.

import TestSupport
import Testing

@Suite struct ExactnessTests {
    private func compare(_ a: String, _ b: String) -> Outcome {
        runShell("python3 \(packageFolder)/Tests/Tools/compare-trees.py \(a) \(b)")
    }

    @Test("Everything that makes a tree survives a store and a pipe, by rsync, find, lsattr and the kernel")
    func tortureTree() {
        let place = Workplace()
        let large = runsAll ? "--large" : ""
        #expect(
            place.shell("python3 \(packageFolder)/Tests/Tools/torture-tree.py \(place.file("tree")) \(large)").status
                == 0)
        place.holdfast("store init store")
        let backup = place.holdfast("backup tree --to store")
        #expect(backup.status == 0, "\(backup)")
        let restore = place.holdfast("restore latest --from store --to restored --devices")
        #expect(restore.status == 0, "\(restore)")
        let compared = compare(place.file("tree"), place.file("restored"))
        #expect(compared.status == 0, "\(compared)")

        let pipe = place.shell(
            "holdfast backup tree --output - --quiet | holdfast restore --input - --to piped --devices --quiet")
        #expect(pipe.status == 0, "\(pipe)")
        let comparedPipe = compare(place.file("tree"), place.file("piped"))
        #expect(comparedPipe.status == 0, "\(comparedPipe)")

        // What is there already is compared, not written again, and comes out the same.
        let again = place.holdfast("restore latest --from store --to restored --devices --json")
        #expect(again.status == 0, "\(again)")
        #expect(again.output.contains("\"filesWritten\":0"), "\(again)")
        #expect(compare(place.file("tree"), place.file("restored")).status == 0)
    }

    @Test("The Python reader, written from the format article alone, restores what this program wrote")
    func pythonReader() {
        let place = Workplace()
        let reader = "/usr/bin/python3 \(packageFolder)/Tests/Reader/holdfast_reader.py"
        place.shell("python3 \(packageFolder)/Tests/Tools/torture-tree.py tree")
        #expect(place.holdfast("store init store").status == 0)
        #expect(place.holdfast("backup tree --to store").status == 0)
        #expect(place.holdfast("backup tree --output image.hf").status == 0)
        for (index, image) in ["store", "image.hf"].enumerated() {
            let verified = place.shell("\(reader) verify \(image) --identity \(place.identity)")
            #expect(verified.status == 0, "\(verified)")
            let restored = place.shell(
                "\(reader) restore \(image) latest --identity \(place.identity) --to python\(index)")
            #expect(restored.status == 0, "\(restored)")
            let compared = compare(place.file("tree"), place.file("python\(index)"))
            #expect(compared.status == 0, "\(compared)")
        }
    }

    @Test("GNU tar reads what export writes, and import takes what GNU tar writes")
    func tar() {
        let place = Workplace()
        place.shell(
            """
            mkdir -p tree/a/b tree/out; for i in $(seq 50); do echo $i > tree/a/b/$i; done; ln tree/a/b/1 tree/a/hard
            ln -s b/2 tree/a/soft; touch tree/a/Größe; head -c 3000000 /dev/urandom > tree/large; truncate -s 5M tree/hole; mkfifo tree/fifo
            """)
        #expect(place.holdfast("store init store").status == 0)
        #expect(place.holdfast("backup tree --to store").status == 0)
        let exported = place.shell(
            "holdfast export latest --from store > tree.tar && mkdir gnu && tar -C gnu -xpf tree.tar")
        #expect(exported.status == 0, "\(exported)")
        #expect(compare(place.file("tree"), place.file("gnu")).status == 0)
        let imported = place.shell("tar -C tree -cf - . | holdfast import --name from-tar --to store")
        #expect(imported.status == 0, "\(imported)")
        let restored = place.holdfast("restore from-tar --from store --to imported")
        #expect(restored.status == 0, "\(restored)")
        let compared = place.shell("rsync -aHXin --delete --checksum tree/ imported/")
        #expect(compared.status == 0 && compared.output == "", "\(compared)")
    }

    @Test("The keys are ordinary age files: age-keygen's identity works, and age opens the store's key")
    func age() {
        let place = Workplace()
        place.shell("mkdir tree; echo content > tree/file; age-keygen -o key.txt; age-keygen -y key.txt > public.txt")
        #expect(place.holdfast("store init store --recipient $(cat public.txt)").status == 0)
        #expect(place.holdfast("backup tree --to store").status == 0)
        #expect(place.holdfast("restore latest --from store --to restored --identity key.txt").status == 0)
        #expect(place.shell("cat restored/file").output == "content\n")
        let opened = place.shell("age -d -i key.txt store/k/1-*/$(cat public.txt).age")
        #expect(opened.output.hasPrefix("holdfast store key 2\n"), "\(opened)")
        place.shell("echo 'correct horse' > passphrase.txt")
        let locked = place.shell("holdfast backup tree --output image.hf --passphrase --passphrase-file passphrase.txt")
        #expect(locked.status == 0, "\(locked)")
        let unlocked = place.holdfast("restore --input image.hf --to unlocked --passphrase-file passphrase.txt")
        #expect(unlocked.status == 0, "\(unlocked)")
    }

    @Test("The vectors, written by the independent writer, pin the format: this program verifies and restores them")
    func vectors() {
        let place = Workplace()
        let vectors = "\(packageFolder)/Testdata/vectors"
        let reader = "/usr/bin/python3 -B \(packageFolder)/Tests/Reader/holdfast_reader.py"
        place.shell("install -m 600 \(vectors)/identity.txt key.txt")
        let verified = place.holdfast("verify --from \(vectors)/store --read-data --identity key.txt")
        #expect(verified.status == 0, "\(verified)")
        let restored = place.holdfast(
            "restore --input \(vectors)/image.holdfast --to swift --devices --identity key.txt")
        #expect(restored.status == 0, "\(restored)")
        place.shell("\(reader) restore \(vectors)/image.holdfast latest --identity key.txt --to python")
        let compared = compare(place.file("swift"), place.file("python"))
        #expect(compared.status == 0, "\(compared)")
    }
}
