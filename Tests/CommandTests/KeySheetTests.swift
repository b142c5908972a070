// A key on paper: what is printed opens what the key opens, and the page is put nowhere where a backup would take it along.

import Glibc
import Platform
import TestSupport
import Testing

@testable import HoldfastCommands

@Suite struct KeySheetTests {
    private func plant() -> Workplace {
        let place = Workplace()
        place.shell("mkdir tree; echo one > tree/file")
        place.holdfast("backup tree --to store")
        return place
    }

    /// What is printed as text, with the checks of the groups.
    private func printed(_ place: Workplace, _ page: String, checks: Bool) -> String {
        place.shell(
            """
            python3 - \(page) <<'END'
            import re, sys
            key = re.search('<p class="key">(.*?)</p>', open(sys.argv[1]).read(), re.S).group(1)
            groups = re.findall('<span>(.*?)<i>/(.*?)</i>', key)
            print(" ".join(g + ("/" + c if \(checks ? "True" : "False") else "") for g, c in groups))
            END
            """
        ).output.split(separator: "\n").first.map(String.init) ?? ""
    }

    @Test(
        "A program that is not ours reads the code, and it is the key; the text opens the store, with its checks and without"
    )
    func sheet() {
        let place = plant()
        let made = place.holdfast(
            "key sheet --identity \(place.identity) --from store --place 'safe <1>' --output sheet.html")
        #expect(made.status == 0, "\(made)")
        #expect(place.shell("stat -c %a sheet.html").output == "600\n")
        let key = place.shell("grep AGE-SECRET-KEY- \(place.identity)").output
        let read = place.shell(
            "python3 -c 'import re; print(re.search(\"<svg.*?</svg>\", open(\"sheet.html\").read(), re.S).group(0))' > code.svg && rsvg-convert -w 600 code.svg -o code.png && zbarimg --quiet --raw code.png 2>/dev/null"
        )
        #expect(read.output == key && !key.isEmpty, "\(read.status)")
        for checks in [false, true] {
            let text = printed(place, "sheet.html", checks: checks)
            place.shell("umask 077; cat > typed <<'END'\n\(checks ? text.lowercased() : text)\nEND")
            let images = place.holdfast("restore latest --from store --to back-\(checks) --identity typed")
            #expect(images.status == 0, "\(images)")
        }
        let fingerprint =
            place.shell("holdfast store info store | sed -n 's/^fingerprint *//p'").output.split(separator: "\n").first
            ?? "none"
        let page = place.shell("cat sheet.html").output
        #expect(page.contains(fingerprint) && page.contains("safe &lt;1&gt;"))
        // The log has nothing of the key.
        #expect(!place.holdfast("log --json").output.contains(key.dropLast().suffix(40)))
        #expect(!made.output.contains(key.dropLast().suffix(40)))
    }

    @Test("With the sheet alone a machine that has nothing makes a drill, and ssh-keygen takes its report")
    func paperDrill() {
        let place = plant()
        place.holdfast("key sheet --identity \(place.identity) --output sheet.html")
        let text = printed(place, "sheet.html", checks: true)
        place.shell("umask 077; cat > typed <<'END'\n\(text.lowercased())\nEND")
        let nothing = "export XDG_CONFIG_HOME=$PWD/n/c XDG_STATE_HOME=$PWD/n/s XDG_CACHE_HOME=$PWD/n/k"
        let drill = place.shell(
            """
            \(nothing); read -r key < typed; (while sleep 1; do echo "$key"; done) 2>/dev/null | {
              timeout 120 script -qec "holdfast drill latest --from store --kind full --paper-key --report paper.json" /dev/null > said; echo $? > status; }
            tr -d '\\r' < said; exit $(cat status)
            """)
        #expect(drill.status == 0 && drill.output.contains("full: passed"), "\(drill)")
        #expect(!drill.output.uppercased().contains(text.prefix(30).suffix(8)), "the key was shown")
        let checked = place.shell(
            """
            echo "plant $(cut -d' ' -f1,2 n/s/holdfast/certificate/key.pub)" > signers
            ssh-keygen -Y verify -f signers -I plant -n holdfast-drill -s paper.json.sig < paper.json && grep -c 'sheet of paper' paper.json
            find . -name identity.txt -path './n/*'; grep -rl AGE-SECRET-KEY-1 n paper.json*
            """)
        #expect(checked.output.hasSuffix("\n1\n"), "\(checked)")
        let nobody = place.shell("setsid -w holdfast drill latest --from store --paper-key --report none.json")
        #expect(nobody.status == 4 && place.shell("grep -c 'not completed' none.json").output == "1\n", "\(nobody)")
    }

    @Test("A group that was mistyped is named by its check, whatever is wrong in it")
    func groups() {
        let place = plant()
        place.holdfast("key sheet --identity \(place.identity) --output sheet.html")
        let text = printed(place, "sheet.html", checks: true)
        let groups = text.split(separator: " ").map(String.init)
        #expect(groups.count == 9, "\(groups.count)")
        for number in 1..<groups.count {
            var wrong = groups
            let letters = Array(groups[number])
            // The first two letters, each another one.
            let others = letters[..<2].map { $0 == "Q" ? "P" : "Q" }.joined()
            wrong[number] = others + String(letters[2...])
            place.shell("umask 077; cat > typed <<'END'\n\(wrong.joined(separator: " "))\nEND")
            let refused = place.holdfast("images --from store --identity typed")
            #expect(refused.status == 2 && refused.output.contains("in group \(number + 1), "), "\(refused)")
        }
    }

    @Test("The page is refused where a job or a backup would take it along, and it says which")
    func sources() {
        let place = plant()
        place.shell(
            """
            cat > config.toml <<'END'
            [jobs.plant]
            sources = ["\(place.file("tree"))"]
            to = ["\(place.file("store"))"]
            END
            mkdir tree/sub; ln -s tree/sub way
            """)
        let sheet = "key sheet --identity \(place.identity) --config config.toml"
        for output in ["tree/sheet.html", "tree/sub/sheet.html", "way/sheet.html", "way/../sheet.html"] {
            let refused = place.holdfast("\(sheet) --output \(output)")
            #expect(refused.status == 4 && refused.output.contains("the job plant"), "\(output): \(refused)")
        }
        let byHand = place.holdfast("key sheet --identity \(place.identity) --from store --output tree/sub/sheet.html")
        #expect(byHand.status == 4 && byHand.output.contains("the backup "), "\(byHand)")
        place.shell("sed -i 's|^sources.*|sources = [\"/\"]|' config.toml")
        let root = place.holdfast("\(sheet) --output sheet.html")
        #expect(root.status == 4 && root.output.contains("which the job plant takes along"), "\(root)")
        // Another file system is not taken.
        let memory = place.shell(
            "holdfast \(sheet) --output /dev/shm/sheet-$$.html; s=$?; rm -f /dev/shm/sheet-$$.html; exit $s")
        #expect(memory.status == 0, "\(memory)")
        #expect(place.shell("find tree -name '*sheet*'").output.isEmpty)
    }

    @Test("No link is followed, and what is there is not overwritten unasked")
    func there() {
        let place = plant()
        place.shell("echo mine > file; ln -s file link; mkfifo fifo; ln -s nowhere dangling")
        let sheet = "key sheet --identity \(place.identity)"
        for name in ["link", "fifo", "dangling"] {
            #expect(place.holdfast("\(sheet) --output \(name) --yes").status == 4, "\(name)")
        }
        let asked = place.shell("setsid -w holdfast \(sheet) --output file")
        #expect(asked.status == 4 && place.shell("cat file").output == "mine\n", "\(asked)")
        #expect(place.holdfast("\(sheet) --output file --yes").status == 0)
        #expect(place.shell("stat -c %a file; ls -A | grep -c holdfast-sheet").output == "600\n0\n")
        #expect(place.holdfast("key sheet --output x").status == 2)
        place.holdfast("key steward --to store --output steward.key")
        #expect(place.holdfast("key sheet --identity steward.key --output x").status == 2)
    }
}
