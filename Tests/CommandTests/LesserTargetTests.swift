// Restores onto file systems that keep less than an image has: what differs from what was there is named.

import TestSupport
import Testing

@Suite(.enabled(if: FoldingFileSystem.isAvailable)) struct LesserTargetTests {
    @Test("Owners, permissions and times that a target does not keep are one finding each, however many they are")
    func metadata() {
        let place = Workplace()
        place.shell(
            """
            mkdir -p tree/folder; for i in 1 2 3; do echo $i > tree/folder/$i; done; chmod 640 tree/folder/*; chown 5:6 tree/folder/*
            touch -d '2001-02-03 04:05:06.5' tree/folder/* tree/folder tree
            """)
        #expect(place.holdfast("backup tree --to store").status == 0)
        let restored = place.shell(
            """
            \(FoldingFileSystem.mount(poor: true, folds: false))
            for round in 1 2; do
              holdfast restore latest --from store --to folding/target --quiet > out.txt 2>&1; echo status $?
              grep -o 'the file system.*' out.txt | grep -v flags | cut -c1-90; grep -c . out.txt
              diff -r tree folding/target && stat -c %Y folding/target/folder/1
            done
            \(FoldingFileSystem.unmount)
            """)
        let round = """
            status 3
            the file system (fuse) does not keep owners as they are in the image: 5 entries, folding/t
            the file system (fuse) does not keep permissions as they are in the image: 5 entries, fold
            the file system (fuse) does not keep times as they are in the image: 5 entries, folding/ta
            3
            981173106\n
            """
        #expect(restored.output == round + round, "\(restored)")
        let kept = place.holdfast("restore latest --from store --to kept")
        #expect(kept.status == 0, "\(kept)")
    }

    @Test(
        "Hard links are made where modes are not kept, too; where there are none, each name has the content, and that is said",
        arguments: [true, false])
    func hardLinks(links: Bool) {
        let place = Workplace()
        place.shell(
            """
            mkdir tree; (echo begin; head -c 3000000 /dev/urandom) > tree/a; truncate -s 9M tree/a; chmod 600 tree/a
            ln tree/a tree/b; ln tree/a tree/c; ln -s to tree/l; ln tree/l tree/m
            """)
        #expect(place.holdfast("backup tree --to store").status == 0)
        let restored = place.shell(
            """
            \(FoldingFileSystem.mount(links: links, poor: true, folds: false))
            for round in 1 2; do
              holdfast restore latest --from store --to folding/target --quiet > out.txt 2>&1; echo status $?
              grep -v -e permissions -e owners -e times out.txt; ls -A folding/target | tr '\\n' ' '
              diff -r --no-dereference tree folding/target && stat -c %h below/target/b below/target/m | tr '\\n' ' '
            done
            \(FoldingFileSystem.unmount)
            """)
        let copies = """
            not restored: folding/target: the file system (fuse) does not keep hard links as they are in the image: 3 entries, \
            folding/target/b the first (Operation not permitted): the content is there once for each name\n
            """
        let round = links ? "status 3\na b c l m 3 2 " : "status 3\n\(copies)a b c l m 1 1 "
        #expect(restored.output == round + round, "\(restored)")
    }

    @Test("Names that a target takes for one are told by its listing, whatever numbers it gives to files")
    func names() {
        let place = Workplace()
        place.shell(
            """
            mkdir -p tree/A tree/a tree/z; echo one > tree/Config.ini; echo two > tree/config.ini; echo 1 > tree/A/x; echo 2 > tree/a/x
            echo c > "tree/z/caf$(printf '\\303\\251')"; echo d > "tree/z/cafe$(printf '\\314\\201')"
            ln -s one tree/Link; ln -s two tree/link; ln tree/a/x tree/z/hard; echo dot > tree/z/dot.
            """)
        #expect(place.holdfast("backup tree --to store").status == 0)
        let restored = place.shell(
            """
            \(FoldingFileSystem.mount(poor: true))
            holdfast restore latest --from store --to folding/target --quiet > out.txt 2>&1; echo status $?
            grep -c 'has this name in other letters' out.txt; grep -o 'another entry, .*, has' out.txt | sort
            grep -o 'keep names.*' out.txt; (cd folding/target; ls . A z | wc -l; cat Config.ini A/x z/caf* z/dot; readlink Link)
            grep -o 'z/hard.*' out.txt
            \(FoldingFileSystem.unmount)
            """)
        let expected = """
            status 3
            4
            another entry, A, has
            another entry, Config.ini, has
            another entry, Link, has
            another entry, cafe\u{301}, has
            keep names as they are in the image: 1 entry, folding/target/z/dot.
            12
            one
            1
            d
            dot
            one
            z/hard: is a hard link to a/x, which was not restored\n
            """
        #expect(Array(restored.output.utf8) == Array(expected.utf8), "\(restored)")
    }
}
