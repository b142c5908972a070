// Names pass through archives byte for byte, whatever they are in anybody's encoding.

import TestSupport
import Testing

@Suite struct ArchiveNamesTests {
    /// A tree with names that are composed, decomposed and no text, the same in targets of links, short and long.
    private let place = Workplace()

    init() {
        place.shell(
            """
            holdfast store init store --quiet; python3 - <<'END'
            import os
            names = [b'\\xc3\\xa9', b'e\\xcc\\x81', b'\\xff\\xc3\\xa9', b'e\\xcc\\x81\\xff', 'e\\u0301'.encode() * 60, b'\\xe2\\x84\\xab']
            os.makedirs(b'tree/u\\xcc\\x88')
            for number, name in enumerate(names):
                for folder in [b'tree/', b'tree/u\\xcc\\x88/']:
                    open(folder + name, 'w').write(str(number))
                os.symlink(name, b'tree/link %d' % number)
                os.link(b'tree/' + name, b'tree/hard %d' % number)
            with open(b'tree/hole e\\xcc\\x81', 'w') as hole:
                hole.truncate(1 << 20); hole.seek(1 << 19); hole.write('content')
            END
            find tree -exec touch -h -d '2020-01-01 00:00:00' {} +
            """)
    }

    private func expectSame(_ a: String, _ b: String) {
        let compared = runShell(
            "python3 \(packageFolder)/Tests/Tools/compare-trees.py \(place.file(a)) \(place.file(b))")
        let differences = compared.output.split(separator: "\n").filter {
            !$0.contains("holes") && !$0.hasSuffix("differences") && !$0.hasSuffix("difference")
        }
        #expect(differences.isEmpty, "\(compared)")
    }

    @Test("An export comes back with each name and target as it was: composed, decomposed and no text")
    func export() {
        #expect(place.holdfast("backup tree --to store --quiet").status == 0)
        let moved = place.shell(
            """
            holdfast export tree --from store --quiet > tree.tar && holdfast import --name back --to store < tree.tar &&
            holdfast restore back --from store --to back
            """)
        #expect(moved.status == 0, "\(moved)")
        expectSame("tree", "back")
    }

    @Test(
        "What tar writes comes in with each name and target as it is in the archive",
        arguments: [
            "--format=pax", "--format=pax -S", "--format=pax --pax-option=hdrcharset:=BINARY", "--format=gnu",
            "--format=gnu -S", "--format=ustar",
        ])
    func tar(options: String) {
        if options.contains("ustar") {
            place.shell(
                "find tree -name \"$(printf 'e\\314\\201e\\314\\201*')\" -delete; rm 'tree/link 4' 'tree/hard 4'")
            place.shell("find tree -exec touch -h -d '2020-01-01 00:00:00' {} +")
        }
        let moved = place.shell(
            "tar c \(options) -C tree . | holdfast import --name x --to store && holdfast restore x --from store --to x"
        )
        #expect(moved.status == 0, "\(moved)")
        expectSame("tree", "x")
    }

    @Test("Names of users and groups come in as they are in the archive")
    func owners() {
        let moved = place.shell(
            """
            owner="$(printf 'e\\314\\201')"; tar c --format=pax --owner="$owner:1234" --group="$owner$(printf '\\377'):1234" -C tree . |
                holdfast import --name x --to store --quiet && holdfast export x --from store --quiet > x.tar
            python3 -c "import tarfile; print(*{' '.join(n.encode(errors='surrogateescape').hex() for n in (e.uname, e.gname))
                for e in tarfile.open('x.tar')})"
            """)
        #expect(moved.output == "65cc81 65cc81ff\n", "\(moved)")
    }

    @Test("What cpio writes comes in with each name and target as it is in the archive", arguments: ["new", "old"])
    func cpio(kind: String) {
        let moved = place.shell(
            """
            python3 \(packageFolder)/Tests/Tools/make-archive.py cpio-names-\(kind) | holdfast import --name x --to store &&
                holdfast restore x --from store --to x && cd x && ls && readlink link
            """)
        #expect(moved.status == 0, "\(moved)")
        #expect(moved.output.hasSuffix("\u{65}\u{301}\nlink\n\u{e9}\n\u{65}\u{301}\n"), "\(moved)")
    }
}
