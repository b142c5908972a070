// Series production: `menu --auto`, as a stick that was made with `stick create --auto` starts it, with loop devices for the disks.

import Platform
import TestSupport
import Testing

/// One menu at a time is at work on a machine.
extension MenuTests {
    @Suite(.serialized)
    struct SeriesTests {
        /// A stick's folder with the image of a disk with a system, and two empty disks of 21 MB.
        private static let start = """
            set -e; mkdir -p stick tree/etc tree/usr/lib; echo press-01 >tree/etc/hostname; echo '/dev/sda1 / ext4 defaults 0 1' >tree/etc/fstab
            printf '127.0.0.1 localhost\\n127.0.1.1 press-01\\n' >tree/etc/hosts; echo 'PRETTY_NAME="Debian 12"' >tree/usr/lib/os-release
            truncate -s 20M p; mkfs.ext4 -q -d tree p; truncate -s 21M disk; echo 'start=2048, type=83' | sfdisk -q disk
            dd if=p of=disk bs=1M seek=1 conv=notrunc status=none; rm p
            holdfast key generate --output stick/key.txt --quiet | grep -o 'age1[a-z0-9]*' >public; printf 'one two' >word
            holdfast backup --disk disk --output stick/press.hf --recipient $(cat public) --quiet
            for n in 1 2; do truncate -s 21M new$n; losetup -f --show new$n >loop$n; done
            """
        private static let plan = """
            image = "press.hf"
            model = "*"
            smallest = "20MB"
            largest = "30MB"
            new-identity = true
            host = "press-%s"
            countdown = 5
            identity = "key.txt"

            """

        /// What is done to the stick or a disk, which disks count, and what is said.
        private static let unclear: [(String, String, String)] = [
            (":", "--among $(cat loop1) --among $(cat loop2)", "more than one disk fits"),
            (
                "mkdir -p h/var/lib/holdfast; touch h/var/lib/holdfast/protected.json; mkfs.ext4 -q -d h $(cat loop1)",
                "$(cat loop1)", "holds the state of a machine that Holdfast protects"
            ),
            ("mv stick/press.hf stick/other.hf", "$(cat loop1)", "there is no image press.hf"),
            ("mkdir m; mkfs.ext4 -q $(cat loop1); mount $(cat loop1) m", "$(cat loop1)", "is in use"),
            ("sed -i 's/largest = .*/largest = \"21MB\"/' auto.toml", "$(cat loop1)", "no disk fits"),
            ("sed -i 's/model = .*/model = \"Other\"/' auto.toml", "$(cat loop1)", "no disk fits"),
            ("rm stick/key.txt", "$(cat loop1)", "there is no identity key.txt"),
        ]

        private func makePlace() -> Workplace {
            let place = Workplace()
            let made = place.shell(Self.start)
            #expect(made.status == 0 && made.output == "", "\(made)")
            write(place)
            return place
        }

        private func write(_ place: Workplace) { place.shell("cat >auto.toml <<'E'\n\(Self.plan)E\n") }

        private func end(_ place: Workplace) {
            place.shell("for n in 1 2; do losetup -d $(cat loop$n); done; rm -f /run/holdfast/series-*")
        }

        /// The stick starts at a machine with these disks.
        private func start(_ place: Workplace, among disks: String = "$(cat loop1)", _ steps: String...) -> Outcome {
            let words = steps.map { "'\($0)'" }.joined(separator: " ")
            let among = disks.split(separator: " ").count > 2 ? disks : "--among \(disks)"
            let helper = "python3 -B \(packageFolder)/Tests/CommandTests/type-at-menu.py"
            return place.shell("\(helper) holdfast menu --live --stick stick --auto auto.toml \(among) -- \(words)")
        }

        @Test(
            "The one fitting disk is restored after the countdown, as a machine of its own, and its report is on the stick; once"
        )
        func made() {
            let place = makePlace()
            defer { end(place) }
            // With a passphrase instead.
            place.shell(
                "rm stick/press.hf stick/key.txt; holdfast backup --disk disk --output stick/press.hf --passphrase --passphrase-file word --quiet; sed -i 's/^identity = .*/passphrase = \"one two\"/' auto.toml"
            )
            let outcome = start(
                place, "Series production", "press.hf will be written to /dev/loop", "It begins in", "no damage found",
                "This machine is done", "Enter goes on=>", "English=>1", "to be done=>^D")
            #expect(outcome.output.hasSuffix("\nstatus 0\n"), "\(outcome)")
            #expect(!outcome.output.contains("one two"), "\(outcome)")
            let name = place.shell("basename $(cat loop1)").output.dropLast()
            let read = place.shell(
                """
                dd if=new1 of=q bs=1M skip=1 status=none; debugfs -R 'cat etc/hostname' q 2>/dev/null
                python3 -c 'import json,glob; (f,)=glob.glob("stick/reports/*"); d=json.load(open(f)); print(f); print(d["result"], d["host"], d["identity"], d["disk"]["bytes"], d["statuses"], d["restore"]["disk"], d["began"] < d["ended"])'
                tr -d '\\0' <new2 | wc -c; ls /run/holdfast | grep -c key
                """
            ).output.split(separator: "\n").map(String.init)
            #expect(read.count == 5, "\(read)")
            guard read.count == 5 else { return }
            #expect(read[0] == "press-\(name)", "\(read)")
            #expect(read[1].hasPrefix("stick/reports/\(name)-done-20"), "\(read)")
            #expect(
                read[2] == "done press-\(name) new 22020096 {'verify': 0, 'restore': 0} /dev/\(name) True", "\(read)")
            #expect(read[3] == "0" && read[4] == "0", "\(read)")
            // The menu starts anew, and does not do it again.
            let again = start(place, "English=>1", "to be done=>^D")
            #expect(again.output.hasSuffix("\nstatus 0\n") && !again.output.contains("Series production\n"), "\(again)")
        }

        @Test("Of two consoles one does it, and the other one shows what came of it")
        func twoConsoles() {
            let place = makePlace()
            defer { end(place) }
            let words = "holdfast menu --live --stick stick --auto auto.toml --among $(cat loop1)"
            let steps = "'This machine is done' 'Enter goes on=>' 'English=>1' 'to be done=>^D'"
            let helper = "python3 -B \(packageFolder)/Tests/CommandTests/type-at-menu.py"
            let outcome = place.shell(
                "for n in 1 2; do \(helper) \(words) -- \(steps) >said$n & done; wait; tail -qn 1 said1 said2; ls stick/reports | wc -l"
            )
            #expect(outcome.output == "status 0\nstatus 0\n1\n", "\(outcome)")
            let said = place.shell("cat said1 said2; grep -l 'restore --input' said1 said2 | wc -l").output
            #expect(
                said.contains("The other console is at work (Series production)") && said.hasSuffix("1\n"), "\(said)")
        }

        @Test("Any key stops it before anything was done, and leads into the menu")
        func stopped() {
            let place = makePlace()
            defer { end(place) }
            place.shell("sed -i 's/countdown = 5/countdown = 600/' auto.toml")
            let outcome = start(place, "It begins in=>", "nothing was done", "English=>1", "to be done=>^D")
            #expect(outcome.output.hasSuffix("\nstatus 0\n"), "\(outcome)")
            #expect(place.shell("ls stick; tr -d '\\0' <new1 | wc -c").output == "key.txt\npress.hf\n0\n")
        }

        @Test(
            "What is not clear is refused, with a report, and nothing is overwritten",
            arguments: Self.unclear.prefix(runsAll ? 7 : 3))
        func refused(change: String, disks: String, said: String) {
            let place = makePlace()
            defer {
                place.shell("mountpoint -q m && umount m")
                end(place)
            }
            place.shell("\(change); sync; sha256sum new1 new2 >sums")
            let outcome = start(
                place, among: disks, said, "This machine is NOT done", "Enter goes on=>", "English=>1", "to be done=>^D"
            )
            #expect(outcome.output.hasSuffix("\nstatus 0\n"), "\(outcome)")
            let report = place.shell("cat stick/reports/*-refused-*").output
            #expect(report.contains(#""result":"refused""#) && report.contains(said), "\(report)")
            #expect(place.shell("mountpoint -q m || sha256sum --quiet -c sums").status == 0)
        }

        @Test("A damaged image is found before anything is overwritten")
        func damaged() {
            let place = makePlace()
            defer { end(place) }
            place.shell(
                "printf X | dd of=stick/press.hf bs=1 seek=$(($(stat -c %s stick/press.hf) / 2)) conv=notrunc status=none"
            )
            let outcome = start(
                place, "nothing was overwritten", "This machine is NOT done", "Enter goes on=>", "English=>1",
                "to be done=>^D")
            #expect(outcome.output.hasSuffix("\nstatus 0\n"), "\(outcome)")
            #expect(place.shell("tr -d '\\0' <new1 | wc -c; ls stick/reports | grep -c refused").output == "0\n1\n")
        }

        @Test(
            "A plan with a key that nobody knows, without one that matters, or with two that exclude each other is refused with its place",
            arguments: [
                ("$ a colour = 1", "line 9, column 1: there is no key colour"),
                ("/new-identity/d", "it does not say new-identity"), ("/countdown/d", "it does not say countdown"),
                ("s/countdown = 5/countdown = 1/", "countdown wants seconds, 5 to 3600"),
                ("s/press.hf/..\\/press.hf/", "image wants a path as the stick has it"),
                ("$ a passphrase = \"k\"", "either identity or passphrase"),
                ("/^identity/d", "either identity or passphrase"),
                ("s/30MB/10MB/", "largest is less than smallest"), ("s/press-%s/a b/", "host is one word"),
                ("s/= true/= 1/", "new-identity wants true or false"),
            ])
        func strict(change: String, said: String) {
            let place = Workplace()
            write(place)
            place.shell("sed -i '\(change)' auto.toml")
            let refused = place.holdfast("stick create ./new --auto auto.toml")
            #expect(refused.status == 2 && refused.output.contains(said), "\(refused)")
            #expect(place.shell("ls new").status != 0)
        }
    }
}
