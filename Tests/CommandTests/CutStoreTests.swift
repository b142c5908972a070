// A store whose making was cut off while it wrote HOLDFAST: nothing is in it, and the same command makes it.

import TestSupport
import Testing

@Suite struct CutStoreTests {
    private let place = Workplace()

    private func kill(_ command: String, at file: String) {
        place.shell(
            """
            strace -f -qq -o /dev/null -P \(place.file(file)) -e trace=write -e inject=write:signal=KILL:when=1 \
            \(command); test -e \(file) || echo not killed at \(file)
            """)
    }

    private func expectWhole() {
        place.shell("mkdir -p tree; echo content > tree/file")
        let check = place.shell(
            "rm -rf out; holdfast backup tree --to store && holdfast verify --from store && holdfast restore latest --from store --to out && cat out/file"
        )
        #expect(check.status == 0 && check.output.hasSuffix("content\n"), "\(check)")
    }

    @Test("A store whose making was killed is made by the same command")
    func made() {
        kill("holdfast store init store", at: "store/HOLDFAST")
        #expect(place.shell("stat -c %s store/HOLDFAST").output == "0\n")
        let again = place.shell("holdfast store init store")
        #expect(again.status == 0, "\(again)")
        expectWhole()
    }

    @Test(
        "What a power cut left of the file that makes a folder a store is no store",
        arguments: ["head -c 30", "head -c 1", "head -c 150", "(head -c 30; head -c 400 /dev/zero)"])
    func torn(_ cut: String) {
        kill("holdfast store init store", at: "store/HOLDFAST")
        place.shell("holdfast store init other; cp other/HOLDFAST whole; \(cut) <whole >store/HOLDFAST")
        let again = place.shell("holdfast store init store")
        #expect(again.status == 0, "\(again)")
        expectWhole()
    }

    @Test("The first backup of somebody who is there, killed while it made the store, is done by the same command")
    func backup() {
        place.shell("mkdir tree; echo content > tree/file; holdfast key generate")
        let command = "script -qec 'holdfast backup tree --to store' /dev/null </dev/null"
        kill(command, at: "store/HOLDFAST")
        #expect(place.shell("stat -c %s store/HOLDFAST").output == "0\n")
        let again = place.shell(command)
        #expect(again.status == 0, "\(again)")
        expectWhole()
    }

    @Test("A copy that was killed while it made its store is done by the same command", arguments: ["", ".2"])
    func copy(_ second: String) {
        place.shell("holdfast store init store")
        expectWhole()
        place.shell("mv store first")
        kill("holdfast copy --from first --to store", at: "store/HOLDFAST\(second)")
        #expect(place.shell("stat -c %s store/HOLDFAST\(second)").output == "0\n")
        let again = place.shell("holdfast copy --from first --to store")
        #expect(again.status == 0, "\(again)")
        expectWhole()
    }

    @Test("A store with content is never made anew, however its file is damaged")
    func content() {
        place.shell("holdfast store init store")
        expectWhole()
        place.shell("rm store/HOLDFAST.2; : > store/HOLDFAST")
        for command in ["store init store", "backup tree --to store"] {
            #expect(place.shell("holdfast \(command)").status != 0)
        }
        #expect(place.shell("stat -c %s store/HOLDFAST; ls store/i").output.hasPrefix("0\n"))
    }

    @Test(
        "What somebody put beside the records of a store, or behind a copy of one, hides no image",
        arguments: [
            "truncate -s 2G store/e/junk", "truncate -s 8M store/e/00000000-0000000000000000",
            "truncate -s 8M $(ls store/e/0* | grep -v '[.]2$')", "mkdir store/e/folder; mkfifo store/e/fifo",
        ])
    func records(_ beside: String) {
        place.shell("mkdir tree; echo content > tree/file; holdfast store init store; holdfast backup tree --to store")
        #expect(place.shell("\(beside); holdfast images --from store --quiet").status == 0)
        let restored = place.shell("holdfast restore latest --from store --to back --quiet; diff -r tree back")
        #expect(restored.status == 0, "\(restored)")
        #expect(place.holdfast("backup tree --to store --quiet").status == 0)
    }
}
