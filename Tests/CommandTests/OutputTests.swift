// Single-file images: whose names they take, and which files are parts of one.

import TestSupport
import Testing

@Suite struct OutputTests {
    private func tree(_ place: Workplace) {
        place.shell("holdfast key generate; mkdir tree; head -c 3000000 /dev/urandom > tree/a; echo b > tree/b")
    }

    @Test("A link that somebody planted where a single file is written is not followed, nor is anything replaced")
    func planted() {
        let place = Workplace()
        tree(place)
        place.shell(
            "echo victim > victim; ln -s victim image.hf.partial; ln -s nowhere dangling.hf; mkdir folder.hf; ln -s victim link.hf"
        )
        let made = place.holdfast("backup tree --output image.hf")
        #expect(made.status == 0, "\(made)")
        for name in ["image.hf", "dangling.hf", "folder.hf", "link.hf"] {
            let refused = place.holdfast("backup tree --output \(name)")
            #expect(refused.status == 1 && refused.output.contains("\(name) exists already"), "\(refused)")
        }
        let found = place.shell(
            "cat victim; readlink image.hf.partial; ls -A; holdfast restore --input image.hf --to out --quiet && diff -r tree out"
        )
        #expect(
            found.status == 0
                && found.output.contains(
                    "victim\nvictim\ndangling.hf\nfolder.hf\nhome\nimage.hf\nimage.hf.partial\nlink.hf\ntree\nvictim\n"),
            "\(found)")
    }

    @Test("Somebody who makes the file while it is written keeps it, and the backup says so and leaves nothing")
    func overtaken() {
        let place = Workplace()
        tree(place)
        place.holdfast("backup tree --output first.hf")
        for name in ["image.hf", "image.hf.2"] {
            let late = place.shell(
                """
                rm -f image.hf*; strace -f -o trace -e trace=linkat -e inject=linkat:delay_enter=700000:when=1 \
                  holdfast backup tree --output image.hf --part-size 2M & sleep 0.2
                for i in $(seq 100); do grep -q linkat trace && break; sleep 0.05; done
                echo mine > \(name); wait $!; echo status $?; ls -A | grep '^image\\|^.holdfast'; cat \(name)
                """)
            #expect(late.output.hasSuffix("status 1\n\(name)\nmine\n"), "\(late)")
            #expect(late.output.contains("was made by somebody else meanwhile"), "\(late)")
        }
    }

    @Test("A file that would be read as a part of the image is refused before anything is written")
    func olderPart() {
        let place = Workplace()
        tree(place)
        for name in ["image.hf.2", "image.hf.17"] {
            let refused = place.shell(
                "echo older > \(name); holdfast backup tree --output image.hf; echo status $?; cat \(name); rm \(name); ls"
            )
            #expect(refused.output.contains("\(name) exists already, and would be read as a part"), "\(refused)")
            #expect(refused.output.contains("status 1\nolder\nhome\ntree\n"), "\(refused)")
        }
        let other = place.shell(
            "echo mine > image.hf.old; echo mine > image.hf.02; holdfast backup tree --output image.hf")
        #expect(other.status == 0, "\(other)")
    }

    @Test("A part of another image is not joined: the image is what it is without it")
    func foreignPart() {
        let place = Workplace()
        tree(place)
        let made = place.shell(
            """
            holdfast backup tree --output one.hf --part-size 1M && holdfast backup tree --output two.hf --part-size 1M && \
            holdfast backup tree --output whole.hf && ls one.hf.4 && holdfast restore --input one.hf --to out && diff -r tree out
            """)
        #expect(made.status == 0, "\(made)")
        let whole = place.shell("cp one.hf.2 whole.hf.2; holdfast verify --input whole.hf")
        #expect(whole.status == 0, "\(whole)")
        let random = place.shell("head -c 2000000 /dev/urandom > whole.hf.2; holdfast verify --input whole.hf")
        #expect(random.status == 0, "\(random)")
        let mixed = place.shell("cp two.hf.4 one.hf.4; holdfast verify --input one.hf")
        #expect(mixed.status == 3 && mixed.output.contains("one.hf.4 is no part of it"), "\(mixed)")
        #expect(mixed.output.contains("its end is missing"), "\(mixed)")
    }

    @Test("Standard output that is closed is an error, and no image")
    func closed() {
        let place = Workplace()
        tree(place)
        for call in ["backup tree --output - >&-", "verify --input - <&-"] {
            let outcome = place.shell("holdfast \(call)")
            #expect(outcome.status == 1 && outcome.output.contains("Bad file descriptor"), "\(outcome)")
        }
    }

    @Test(
        "Where files need a name and cannot be renamed without replacing, nothing is replaced either",
        .enabled(if: FoldingFileSystem.isAvailable), arguments: [true, false])
    func odd(links: Bool) {
        let place = Workplace()
        tree(place)
        let outcome = place.shell(
            """
            \(FoldingFileSystem.mount(links: links))
            holdfast backup tree --output folding/image.hf --part-size 2M; echo made $?; ls -A below
            holdfast verify --input folding/image.hf; echo verified $?
            holdfast backup tree --output folding/IMAGE.hf; echo again $?; ls -A below
            \(FoldingFileSystem.unmount)
            """)
        for text in ["made 0\nimage.hf\nimage.hf.2\n", "verified 0\n", "again 1\nimage.hf\nimage.hf.2\n"] {
            #expect(outcome.output.contains(text), "\(outcome)")
        }
    }
}
