// What stewards have stated and nobody can read any more: no image needs it, and it is told all the same.

import Platform
import TestSupport
import Testing

@Suite struct DamagedStatementTests {
    private func pinned() -> Workplace {
        let place = Workplace()
        let made = place.shell(
            """
            mkdir tree; head -c 3000 /dev/urandom > tree/file; holdfast store init store --quiet
            holdfast backup tree --to store --quiet; holdfast pin latest --from store --quiet
            """)
        #expect(made.status == 0, "\(made)")
        return place
    }

    @Test(
        "A pin of which a byte is another is named, wherever that is, and so is one that is cut",
        arguments: [true, false])
    func damaged(isCut: Bool) throws {
        let place = pinned()
        #expect(place.holdfast("verify --from store").status == 0)
        let paths = place.shell("cd store; find a -type f | sort").output.split(separator: "\n").map(String.init)
        #expect(paths.count == 2, "\(paths)")
        let path = try #require(paths.first)
        let size = try #require(Int(place.shell("stat -c %s store/\(path)").output.dropLast()))
        place.shell("cp -a store whole")
        // The header is there at both ends, and one of them is enough.
        let places = isCut ? [0, 40, size / 2, size - 400] : Array(stride(from: 257, to: size - 320, by: 31))
        for offset in places {
            place.shell(
                isCut
                    ? "head -c \(offset) whole/\(path) > store/\(path)"
                    : "python3 -c 'import sys; p, o = sys.argv[1], int(sys.argv[2]); b = bytearray(open(p, \"rb\").read()); b[o] ^= 1; open(p.replace(\"whole\", \"store\", 1), \"wb\").write(b)' whole/\(path) \(offset)"
            )
            let outcome = place.holdfast(offset % 2 == 0 ? "verify --from store" : "store check store")
            #expect(
                outcome.status == 3 && outcome.output.contains("damaged: \(path): "), "\(offset) of \(size): \(outcome)"
            )
        }
        place.shell("cp whole/\(path) store/\(path)")
        #expect(place.holdfast("store check store").status == 0)
    }

    @Test("Whoever puts very many statements there that are none costs little, and is told in a few lines")
    func many() {
        let place = pinned()
        let made = place.shell(
            "python3 -c 'import os, sys; [open(f\"{sys.argv[1]}/{os.urandom(16).hex()}\", \"wb\").write(os.urandom(2000)) for _ in range(\(runsAll ? 30000 : 4000))]' store/a/*"
        )
        #expect(made.status == 0, "\(made)")
        let all = place.shell("timeout 60 holdfast verify --from store")
        #expect(
            all.status == 3 && all.output.contains("damaged: a/: 80 or more further statements cannot be read"),
            "\(all)")
        #expect(all.output.split(separator: "\n").count < 30, "\(all)")
        #expect(place.shell("timeout 60 holdfast store check store").status == 3)
    }
}
