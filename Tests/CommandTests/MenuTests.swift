// `holdfast menu` at a terminal: what is chosen by numbers is done, and nothing is before it was confirmed.

import Platform
import TestSupport
import Testing

@testable import HoldfastCommands

@Suite struct MenuTextTests {
    @Test("Each text exists in all languages, with the same places for what is put in, and fits 80 columns")
    func texts() {
        for word in MenuWord.allCases {
            let texts = MenuLanguage.allCases.map { word.text($0, (1...9).map { "<\($0)>" }) }
            #expect(texts.allSatisfy { !$0.isEmpty && !$0.contains("\n") }, "\(word)")
            for text in [word.text.english, word.text.german, word.text.japanese] {
                #expect(Text.width(text) <= 80, "\(word): \(text)")
            }
            let places = texts.map { text in (1...9).filter { text.contains("<\($0)>") } }
            #expect(Set(places).count == 1, "\(word): \(texts)")
            #expect(places[0] == Array(1..<(1 + places[0].count)), "\(word)")
        }
    }

    @Test("What is put in is not looked at again, and a place without anything is empty")
    func places() {
        #expect(
            MenuWord.backupWill.text(.english, ["%2 100%", "b"]) == "%2 100% will be read, and an image of it made: b")
        #expect(MenuWord.keyFile.text(.japanese) == " の鍵")
    }

    @Test("Lines are broken between words, Japanese ones between characters, and none is wider than the terminal")
    func wrapping() {
        for word in MenuWord.allCases {
            for language in MenuLanguage.allCases {
                let text = word.text(language, ["/mnt/usb/a-long-name-without-any-blank-in-it.hf", "b", "c"])
                for columns in [20, 40, 80] {
                    let lines = MenuLines.wrapped(text, to: columns)
                    #expect(lines.allSatisfy { Text.width($0) <= columns }, "\(lines)")
                    #expect(lines.joined().filter { $0 != " " } == text.filter { $0 != " " }, "\(lines)")
                }
            }
        }
        #expect(MenuLines.wrapped("one two", to: 5) == ["one", "two"])
        #expect(MenuLines.wrapped("復元する", to: 4) == ["復元", "する"])
    }

    @Test("Numbers are taken as they are typed, in wide digits too; all else is none")
    func numbers() {
        for (typed, number) in [
            ("7", 7), (" 12 ", 12), ("１２", 12), ("", nil), ("   ", nil), ("x", -1), ("1x", -1), ("-1", -1), ("0x1", -1),
            ("99999999999999999999", -1), ("\u{1}", -1), ("٣", -1),
        ] as [(String, Int?)] { #expect(MenuLines.number(Array(typed.utf8)) == number, "\(typed)") }
        #expect(MenuLines.number([0xff, 0xfe]) == -1)
    }

    @Test("Names are such as FAT and Windows take")
    func names() {
        let offered = MenuNames.image(of: "press-01", at: "2026-11-26T1205")
        #expect(offered == "press-01-2026-11-26T1205")
        for host in ["", "läufer: 3/4", "con", String(repeating: "x", count: 300), "-"] {
            #expect(MenuNames.isFit(MenuNames.image(of: host, at: "2026-11-26T1205")), "\(host)")
        }
        for name in ["", "a:b", "a/b", "..", ".a", "-a", "a.", "CON", "nul.x", "lpt1", "ü", "a b"] {
            #expect(!MenuNames.isFit(name), "\(name)")
        }
    }

    @Test("Only addresses are taken for addresses")
    func addresses() {
        for (text, isOne) in [
            ("192.168.0.10/24", true), ("fe80::1/64", true), ("192.168.0.10", false), ("192.168.0.10/33", false),
            ("192.168.0/24", false), ("1.2.3.4/", false), ("1.2.3.4/2/4", false), ("-h/24", false), ("::1/129", false),
            ("1.2.3.4/0", false),
        ] { #expect(MenuAddress.isOne(text, hasLength: true) == isOne, "\(text)") }
        #expect(MenuAddress.isOne("10.0.0.1", hasLength: false) && !MenuAddress.isOne("10.0.0.1/8", hasLength: false))
    }
}

@Suite(.serialized, .enabled(if: HostFacts.isRoot, "disks are written and mounted"))
struct MenuTests {
    /// A disk with a system on it, and who may open backups of it.
    private static let start = """
        set -e; mkdir -p stick tree/etc tree/usr/lib; echo press-01 >tree/etc/hostname; echo '/dev/sda1 / ext4 defaults 0 1' >tree/etc/fstab
        echo 'PRETTY_NAME="Debian 12"' >tree/usr/lib/os-release; head -c 300000 /dev/urandom >tree/data
        truncate -s 20M p; mkfs.ext4 -q -d tree p; truncate -s 21M disk; echo 'start=2048, type=83' | sfdisk -q disk
        dd if=p of=disk bs=1M seek=1 conv=notrunc status=none; rm p
        holdfast key generate --output key.txt --quiet 2>&1 | grep -o 'age1[a-z0-9]*' >public || holdfast key generate --help >/dev/null
        [ -s public ] || grep -o 'age1[a-z0-9]*' key.txt >public
        (printf '# the plant\\r\\n\\r\\n'; cat public) >stick/recipients.txt
        """

    private func makePlace() -> Workplace {
        let place = Workplace()
        let made = place.shell(Self.start)
        #expect(made.status == 0 && made.output == "", "\(made)")
        return place
    }

    /// Sits before the menu.
    private func menu(
        _ place: Workplace, options: String = "--stick stick", terminal: String = "xterm", _ steps: String...
    ) -> Outcome {
        let words = steps.map { "'" + $0.replacing("'", with: #"'\''"#) + "'" }.joined(separator: " ")
        let helper = "\(packageFolder)/Tests/CommandTests/type-at-menu.py"
        return place.shell("TERM=\(terminal) python3 -B \(helper) holdfast menu \(options) -- \(words)")
    }

    /// What is in a folder, with its content.
    private func content(_ place: Workplace, _ names: String) -> String {
        place.shell("find \(names) -type f | sort | xargs -d '\\n' sha256sum").output
    }

    private func isFinished(_ outcome: Outcome) -> Bool { outcome.output.hasSuffix("\nstatus 0\n") }

    @Test(
        "A disk is backed up, checked, and restored onto another one by numbers, with a text beside it that is no secret"
    )
    func wholeWay() {
        let place = makePlace()
        let made = menu(
            place, "English=>2", "soll geschehen=>1", "gesichert=>1", "Welcher Daten=>#Ein anderer",
            "Pfad des=>disk",
            "Wohin=>1", "Abbild heißen=>night", "danebenlegen=>1", "richtig so=>1", "Weiter mit=>", "soll geschehen=>0")
        #expect(isFinished(made), "\(made)")
        // What it runs stands there before it is run, and the machine's own name is the disk's.
        let command =
            "holdfast backup --disk \(place.path)/disk --output \(place.path)/stick/night.hf --part-size 4000000000"
        #expect(made.output.contains(command) && made.output.contains("nimmt: press-01-20"), "\(made)")
        #expect(made.output.contains("Fertig.") && made.output.contains("darf jetzt abgezogen"), "\(made)")
        let label = place.shell("cat stick/night.txt").output
        #expect(label.hasPrefix("\u{feff}Holdfast image night.hf\r\nhost: press-01\r\n"), "\(label)")
        #expect(
            label.split(separator: "\r\n").count >= 9 && !label.replacing("\r\n", with: "").contains("\n"), "\(label)")
        #expect(label.contains("opens with: age1") && !label.contains("SECRET"), "\(label)")
        #expect(label.contains("smallest disk for it, in bytes: 22"), "\(label)")
        #expect(label.contains("\r\nnewest change: 20"), "\(label)")
        place.shell("cp key.txt stick/k.txt; truncate -s 21M new")
        let back = menu(
            place, "English=>1", "to be done=>3", "to be done=>1", "the image=>1", "Which one=>1", "opens it=>2",
            "no damage found", "Enter goes on=>", "to be done=>2", "the image=>1", "Which one=>1", "opens it=>2",
            "done with it=>1", "Everything on it will be gone=>1", "The path of=>new", "last byte=>1", "Is it right=>1",
            "go on type its name=>new", "Done.\nEnter=>", "to be done=>0")
        #expect(isFinished(back), "\(back)")
        #expect(back.output.contains("night.hf  ") && back.output.contains("  press-01, 20"), "\(back)")
        #expect(back.output.split(whereSeparator: \.isWhitespace).joined(separator: " ").contains("newest change 20"))
        let same = place.shell(
            "dd if=new of=q bs=1M skip=1 status=none; debugfs -R 'cat data' q 2>/dev/null | cmp - tree/data")
        #expect(same.status == 0 && same.output == "", "\(same)")
    }

    @Test("Until the last confirmation nothing happens, whatever is typed, and 0 leads back from everywhere")
    func wrongInput() {
        let place = makePlace()
        place.holdfast("backup tree --output stick/t.hf --quiet")
        place.shell("truncate -s 21M new; losetup -f --show new >loop")
        defer { place.shell("losetup -d $(cat loop)") }
        let loop = String(place.shell("cat loop").output.dropLast())
        let before = content(place, "stick tree disk new")
        func junk(_ text: String) -> [String] {
            [
                "\(text)=>x", "Type one=>99999999999999999999", "Type one=>-1", "Type one=>", "Type one=>\\xff\\xfe",
                "Type one=>７７",
            ]
        }
        func sit(_ steps: [String]) -> Outcome {
            let words = (["English=>1"] + steps + ["to be done=>0"]).map { "'\($0)'" }.joined(separator: " ")
            return place.shell(
                "python3 -B \(packageFolder)/Tests/CommandTests/type-at-menu.py holdfast menu --stick stick -- \(words)"
            )
        }
        for steps in [
            junk("to be done") + ["Type one=>1"] + junk("backed up") + ["Type one=>1"] + junk("Which disk") + [
                "Type one=>#Another one", "The path of=>nowhere", "Type it again=>a\\x08", "no key types=>disk",
                "Where to=>0",
            ],
            ["to be done=>1", "backed up=>1", "Which disk=>#Another one", "The path of=>disk"] + junk("Where to") + [
                "Type one=>1", "called?=>a:b", "Windows=>../x", "Windows=>n", "beside it=>2",
            ] + junk("Is it right") + ["Type one=>0"],
            ["to be done=>2"] + junk("the image") + ["Type one=>1"] + junk("Which one") + ["Type one=>1"]
                + junk("opens it") + [
                    "Type one=>1", "Passphrase (=>",
                ] + junk("done with it") + ["Type one=>1"] + junk("will be gone") + [
                    "Type one=>1", "The path of=>new",
                ] + junk("last byte") + ["Type one=>2"] + junk("Is it right") + ["Type one=>0"],
            ["to be done=>5"] + junk("afterwards") + ["Type one=>1", "The path of=>\(loop)"] + junk("How?") + [
                "Type one=>1"
            ]
                + junk("Is it right") + ["Type one=>0"],
            ["to be done=>4"] + junk("Restore points") + ["Type one=>2"] + junk("Is it right") + ["Type one=>0"],
            ["to be done=>5", "afterwards=>1", "The path of=>disk", "is no disk", "Enter goes on=>"],
            [
                "to be done=>1", "backed up=>1", "Which disk=>#Another one", "The path of=>public", "did not work",
                "Enter goes on=>",
            ],
        ] {
            let outcome = sit(steps)
            #expect(isFinished(outcome), "\(outcome)")
        }
        #expect(content(place, "stick tree disk new") == before)
    }

    @Test("The end of the input ends the menu with 0 wherever it comes, and nothing happens")
    func endOfInput() {
        let place = makePlace()
        let before = content(place, "stick tree disk")
        let steps = [
            "English=>1", "to be done=>1", "backed up=>1", "Which disk=>#Another one", "The path of=>disk",
            "Where to=>1",
            "called?=>n", "beside it=>1", "Is it right=>1",
        ]
        for count in [0, 1, 4, 8] {
            let words = (steps.prefix(count) + [steps[count].prefix { $0 != "=" } + "=>^D"]).map { "'\($0)'" }
            let outcome = place.shell(
                "python3 -B \(packageFolder)/Tests/CommandTests/type-at-menu.py holdfast menu --stick stick -- \(words.joined(separator: " "))"
            )
            #expect(isFinished(outcome), "\(count): \(outcome)")
        }
        #expect(content(place, "stick tree disk") == before)
    }

    @Test(
        "Ctrl-C ends the command and not the menu; one that is killed leaves the menu, and its terminal shows what is typed"
    )
    func endOfCommand() {
        let place = makePlace()
        place.holdfast("backup --disk disk --output stick/n.hf --quiet")
        place.shell("truncate -s 21M new")
        let steps = [
            "to be done=>2", "the image=>1", "Which one=>1", "opens it=>1", "Passphrase (=>", "done with it=>1",
            "will be gone=>1", "The path of=>new", "last byte=>2", "Is it right=>1",
        ]
        for (end, said) in [
            ("^C", "interrupted"), ("!kill -9 $(pgrep -f \"[r]estore --input \(place.path)/stick/n.hf\")", "signal 9"),
        ] {
            let words =
                (["English=>^C", ">=>1"] + steps + [
                    "go on type its name=>\(end)", "\(said)", "Enter goes on=>", "0 End >=>0",
                ])
                .map { "'" + $0 + "'" }.joined(separator: " ")
            let outcome = place.shell(
                "python3 -B \(packageFolder)/Tests/CommandTests/type-at-menu.py holdfast menu --stick stick -- \(words)"
            )
            #expect(isFinished(outcome) && outcome.output.contains("> 0\n"), "\(outcome)")
        }
        #expect(place.shell("tr -d '\\0' <new | wc -c").output == "0\n")
    }

    @Test("A passphrase is typed twice once and opens it; mistyped it is asked for again, and nothing of it stays")
    func passphrase() {
        let place = makePlace()
        place.shell("rm stick/recipients.txt")
        let list = "!ls /run/holdfast /dev/shm 2>/dev/null | grep -- holdfast-key- | wc -l >>\(place.path)/seen"
        let outcome = menu(
            place, "English=>1", "to be done=>1", "backed up=>2", "The path of=>tree", "Where to=>1", "called?=>n",
            "New passphrase=>one two", "same again=>other", "two differ", "New passphrase=>one two",
            "same again=>one two", "beside it=>\(list)", "Yes=>1", "Is it right=>1", "Done.", "Enter goes on=>",
            "to be done=>2", "the image=>1", "Which one=>1", "opens it=>1", "Passphrase=>wrong",
            "passphrase does not open",
            "Passphrase again=>one two", "done with it=>2", "The path of=>out", "last byte=>1", "Is it right=>1",
            "restored to", "Enter goes on=>", "to be done=>\(list)", "End=>2", "the image=>1", "Which one=>1",
            "opens it=>1", "Passphrase=>a", "Passphrase again=>b", "Passphrase again=>c", "to be done=>0")
        #expect(isFinished(outcome), "\(outcome)")
        #expect(!outcome.output.contains("one two"), "\(outcome)")
        #expect(place.shell("cat seen; diff -r tree out && cat stick/n.txt").output.hasPrefix("1\n0\n"), "\(outcome)")
        #expect(place.shell("cat stick/n.txt").output.contains("opens with: passphrase"))
    }

    @Test("A disk that is too small is marked before it is chosen, and chosen only by who insists")
    func tooSmall() {
        let place = makePlace()
        place.holdfast("backup --disk disk --output stick/n.hf --quiet")
        place.shell(
            "printf 'host: press-01\\r\\ntime: 2026-11-26 12:00\\r\\nsmallest disk for it, in bytes: 22000000 (22 MB)\\r\\n' >stick/n.txt"
        )
        place.shell("truncate -s 10M small; losetup -f --show small >loop")
        defer { place.shell("losetup -d $(cat loop)") }
        let loop = String(place.shell("cat loop").output.dropLast())
        let outcome = menu(
            place, "English=>1", "to be done=>2", "the image=>1", "Which one=>1", "opens it=>1", "Passphrase (=>",
            "done with it=>1", "will be gone=>1", "The path of=>\(loop)", "it does not fit", "Choose another disk=>1",
            "will be gone=>1", "The path of=>\(loop)", "Go on with this one=>2", "last byte=>2", "Is it right=>0",
            "to be done=>0")
        #expect(isFinished(outcome), "\(outcome)")
    }

    @Test("Who may open a backup is not read through a link")
    func links() {
        let place = makePlace()
        place.shell("mv stick/recipients.txt others; ln -s ../others stick/recipients.txt")
        let outcome = menu(
            place, "English=>1", "to be done=>1", "backed up=>2", "The path of=>tree", "Where to=>1", "called?=>n",
            "it is a link, which is not followed", "Enter goes on=>", "to be done=>0")
        #expect(isFinished(outcome) && place.shell("ls stick").output == "recipients.txt\n", "\(outcome)")
    }

    @Test("A device is wiped once its name was typed, and its certificate is on the stick")
    func wipe() {
        let place = makePlace()
        place.shell("head -c 2M /dev/urandom >old; cp old new; losetup -f --show new >loop")
        defer { place.shell("losetup -d $(cat loop)") }
        let loop = String(place.shell("cat loop").output.dropLast())
        let name = loop.dropFirst("/dev/".count)
        let wiped = menu(
            place, "English=>1", "to be done=>5", "afterwards=>1", "The path of=>\(loop)", "How?=>1", "Is it right=>1",
            "Its serial number=>\(name)", "Done.", "Enter goes on=>", "to be done=>0")
        #expect(isFinished(wiped), "\(wiped)")
        #expect(place.shell("cmp -s old new").status == 1)
        let verified = place.shell("HOLDFAST_STATE=$PWD/state holdfast certificate verify stick/wipe-*.json; ls stick")
        #expect(verified.output.contains("sound: ") && verified.output.contains(".json.sig\n"), "\(verified)")
    }

    @Test("On a rescue stick one console is at work, and the other one is told and does nothing")
    func twoConsoles() {
        let place = makePlace()
        let helper =
            "python3 -B \(packageFolder)/Tests/CommandTests/type-at-menu.py holdfast menu --live --stick stick --"
        let second =
            "\(helper) \"English=>1\" \"to be done=>1\" \"other console\" \"Enter goes on=>\" \"to be done=>^D\" >other"
        let first = menu(
            place, options: "--live --stick stick", "English=>1", "to be done=>1", "backed up=>!\(second)", "Back=>0",
            "to be done=>^D")
        #expect(isFinished(first), "\(first)")
        for title in ["Network", "Shell", "Restart", "Switch off", "Keyboard and language"] {
            #expect(first.output.contains(" \(title)\n"), "\(title)")
        }
        let other = place.shell("cat other").output
        #expect(
            other.contains("The other console is at work (Backup this machine)") && !other.contains("backed up?"),
            "\(other)")
        let later = menu(
            place, options: "--live --stick stick", "English=>1", "to be done=>4", "has restore points",
            "Enter goes on=>",
            "to be done=>1",
            "backed up=>0", "to be done=>^D")
        #expect(isFinished(later), "\(later)")
    }

    @Test("A stick that was pulled is missed where it is needed, and is used once it is back")
    func pulled() {
        let place = makePlace()
        place.holdfast("backup tree --output stick/t.hf --quiet")
        let outcome = menu(
            place, "English=>!mv stick away", "3=>1", "to be done=>2", "the image=>1", "stick is not there",
            "Enter goes on=>", "to be done=>!mv away stick", "End=>2", "the image=>1", "Which one=>1", "opens it=>1",
            "Passphrase (=>",
            "done with it=>4", "no damage found", "Enter goes on=>", "done with it=>!mv stick away", "4=>2",
            "The path of=>out",
            "last byte=>2", "Is it right=>1", "It failed", "Enter goes on=>", "to be done=>0")
        #expect(isFinished(outcome), "\(outcome)")
        #expect(place.shell("ls out away").output.contains("t.hf"))
    }

    @Test("A stick is mounted only while it is used, and read-only but while something is saved")
    func device() {
        let place = makePlace()
        place.shell(
            "truncate -s 60M s; mkfs.ext4 -q -L HOLDFAST s; mkdir m; mount -o loop s m; cp stick/* key.txt m; umount m; losetup -f --show s >loop"
        )
        defer { place.shell("losetup -d $(cat loop)") }
        let mounts =
            "!grep run/holdfast/menu /proc/mounts | cut -d\" \" -f4 | cut -c1-2 >>\(place.path)/mounted; echo . >>\(place.path)/mounted"
        let loop = String(place.shell("cat loop").output.dropLast())
        let outcome = menu(
            place, options: "--stick \(loop)", "English=>1", "to be done=>1", "backed up=>2", "The path of=>tree",
            "Where to=>1",
            "called?=>n", "beside it=>\(mounts)", "Yes=>1", "Is it right=>1", "Done.", "Enter goes on=>\(mounts)", "=>",
            "to be done=>2", "the image=>1", "Which one=>\(mounts)", "0=>1", "opens it=>2", "done with it=>2",
            "The path of=>out", "Copy it into memory=>1", "last byte=>1", "Is it right=>1", "in memory now",
            "restored to", "Enter goes on=>", "to be done=>\(mounts)", "End=>0")
        #expect(isFinished(outcome), "\(outcome)")
        #expect(
            place.shell("cat mounted; diff -r tree out && echo same").output == ".\n.\nro\n.\n.\nsame\n", "\(outcome)")
        #expect(place.shell("mount -o loop,ro s m; ls m; umount m").output.contains("n.hf\nn.txt\n"))
        // It was read from memory, where nothing is left of it.
        #expect(
            outcome.output.contains("--input /run/holdfast/menu-copy-") || outcome.output.contains("--input /dev/shm/"))
        #expect(place.shell("ls /run/holdfast /dev/shm | grep -c menu-copy").output == "0\n")
    }

    @Test("A store on the stick is found and written to, and one of its images is copied into a file")
    func storeOnStick() {
        let place = makePlace()
        place.shell(
            "mkdir -p out stick/images; HOLDFAST_STATE=$PWD/state holdfast store init stick/images/line3 --recipient $(cat public) --quiet; cp key.txt stick"
        )
        let outcome = menu(
            place, "English=>1", "to be done=>1", "backed up=>2", "The path of=>tree", "Where to=>1", "as one file",
            "images/line3=>2", "Is it right=>1", "Done.", "Enter goes on=>", "to be done=>3", "to be done=>2",
            "the image=>1",
            "images/line3  a store=>1", "opens it=>2", "Where to=>1", "The path of=>out", "latest:=>latest",
            "called?=>one",
            "Is it right=>1", "copied 1 image", "Enter goes on=>", "to be done=>0")
        #expect(isFinished(outcome), "\(outcome)")
        let verified = place.shell("holdfast verify --input out/one.hf --identity key.txt")
        #expect(verified.status == 0, "\(verified)")
    }

    @Test(
        "A key from paper is taken in any case and with blanks, a mistyped one is asked for again, and nothing of it stays"
    )
    func typedKey() {
        let place = makePlace()
        place.shell("holdfast backup tree --output stick/t.hf --recipient $(cat public) --quiet")
        let key = place.shell("grep -o 'AGE-SECRET-KEY-1.*' key.txt").output.dropLast().lowercased()
        let spaced = stride(from: 0, to: key.count, by: 8).map { String(key.dropFirst($0).prefix(8)) }.joined(
            separator: " ")
        let wrong = String(spaced.dropLast(2)) + (spaced.suffix(2) == "qq" ? "pp" : "qq")
        // What a menu left that was killed.
        place.shell(
            "mkdir -p /run/holdfast; [ $(stat -f -c %T /run) = tmpfs ] && cd /run/holdfast || cd /dev/shm; touch holdfast-key-99999999-a"
        )
        let list = "!ls -l /run/holdfast /dev/shm 2>/dev/null | grep -- holdfast-key- >>\(place.path)/seen"
        let outcome = menu(
            place, "English=>1", "to be done=>2", "the image=>1", "Which one=>1", "opens it=>3", "AGE-SECRET=>\(wrong)",
            "mistyped", "AGE-SECRET=>\(spaced)", "done with it=>\(list)", "4=>4", "no damage found", "Enter goes on=>",
            "done with it=>0", "to be done=>\(list)", "End=>0")
        #expect(isFinished(outcome), "\(outcome)")
        #expect(!outcome.output.lowercased().contains(spaced.suffix(20)), "\(outcome)")
        let seen = place.shell("cat seen").output
        #expect(seen.hasPrefix("-rw-------") && seen.split(separator: "\n").count == 1, "\(seen)")
    }

    @Test("Japanese is offered where the terminal shows it, and a menu without a terminal is refused")
    func terminals() {
        let place = makePlace()
        let shown = menu(place, "English=>3", "復元ポイント", "0 終了=>2", "イメージはどこ=>0", "0 終了=>0")
        #expect(isFinished(shown), "\(shown)")
        let plain = menu(place, terminal: "linux", "Deutsch=>3", "1 to 2=>1", "to be done=>0")
        #expect(isFinished(plain) && !plain.output.contains("日"), "\(plain)")
        for command in ["holdfast menu", "setsid -w holdfast menu </dev/null", "holdfast menu --live"] {
            let refused = place.shell(command)
            #expect(refused.status == 4 && refused.output.contains("ssh -t"), "\(refused)")
        }
        #expect(place.shell("holdfast menu --json").status == 2)
    }
}
