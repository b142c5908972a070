// Drills, as a person and a timer make them: what is found decides the verdict, and whatever comes of it there is a report that holds.

import Glibc
import Platform
import TestSupport
import Testing

@testable import HoldfastCommands

@Suite struct DrillCommandTests {
    /// A tree with a store that has an image of it.
    private func plant() -> Workplace {
        let place = Workplace()
        place.shell(
            """
            mkdir -p tree/sub tree/boot; echo one > tree/file; seq 200000 > tree/sub/large; ln -s file tree/link; ln tree/file tree/twin
            mkfifo tree/fifo; truncate -s 3M tree/hole; printf x | dd of=tree/hole bs=1 seek=1500000 conv=notrunc 2>/dev/null
            for i in $(seq 120); do echo "content $i" > tree/sub/f$i; done; chmod 4711 tree/sub/f7; touch -d 2020-01-01 tree/sub
            setfattr -n user.plant -v 1 tree/sub/f8
            """)
        let made = place.holdfast("backup tree --to store --series $(hostname)/plc")
        #expect(made.status == 0, "\(made)")
        return place
    }

    private func json(_ place: Workplace, _ file: String, _ query: String) -> String {
        place.shell("python3 -c 'import json,sys; r = json.load(open(\"\(file)\")); print(\(query))'").output
            .trimmingSuffix("\n")
    }

    @Test(
        "A drill of the whole compares each entry, leaves nothing behind, and its report is one that ssh-keygen takes")
    func full() {
        let place = plant()
        place.shell("mkdir room")
        let drill = place.holdfast(
            "drill latest --from store --kind full --scratch room --report r.json --rto 1h --rpo 2h")
        #expect(drill.status == 0 && drill.output.contains("full: passed"), "\(drill)")
        #expect(place.shell("ls -A room").output.isEmpty)
        #expect(
            json(place, "r.json", #"r["verdict"], r["files"]["compared"] > 125, r["scope"]["share"], r["kind"]"#)
                == "passed True 1000 full")
        #expect(
            json(
                place, "r.json",
                #"r["recoveryTime"].get("measured") is not None, r["recoveryTime"].get("projected"), r["image"]["series"].split("/")[1]"#
            ) == "True None plc")
        #expect(json(place, "r.json", #"[s["name"] for s in r["steps"]]"#).contains("restore"))
        // No key in it, and nothing secret.
        #expect(place.shell("grep -c AGE-SECRET r.json r.json.html").status != 0)
        let verified = place.holdfast("drill verify r.json")
        #expect(verified.status == 0 && verified.output.contains("sound: "), "\(verified)")
        let agreed = place.shell(
            """
            key=$(find home -name key.pub); echo "plant $(cut -d' ' -f1,2 $key)" > signers
            ssh-keygen -Y verify -f signers -I plant -n holdfast-drill -s r.json.sig < r.json
            """)
        #expect(agreed.status == 0, "\(agreed)")
        let other = place.shell(
            "ssh-keygen -q -t ed25519 -N '' -f other; holdfast drill verify r.json --signer other.pub")
        #expect(other.status == 1 && other.output.contains("another key"), "\(other)")
        #expect(place.shell("sed -i s/passed/failed/ r.json; holdfast drill verify r.json").status == 1)
        // The log names the report by its digest.
        #expect(place.holdfast("log --json").output.contains("SHA-256"))
    }

    @Test(
        "A sample has all that the start needs and as many others as were asked for, the same again for the same number, and measures no whole"
    )
    func sample() {
        let place = plant()
        let first = place.holdfast("drill latest --from store --files 10 --report a.json")
        #expect(first.status == 0 && first.output.contains("(projected)"), "\(first)")
        #expect(
            json(
                place, "a.json",
                #"r["files"]["compared"], r["recoveryTime"].get("measured"), r["recoveryTime"]["projected"] > 0, r["seed"] == r["id"]"#
            ) == "10 None True True")
        #expect(place.shell("grep -c 'was not measured' a.json.html").output == "1\n")
        let id = json(place, "a.json", #"r["id"]"#)
        let again = place.holdfast("drill latest --from store --files 10 --repeating \(id) --report b.json --verbose")
        #expect(again.status == 0, "\(again)")
        #expect(
            json(place, "b.json", #"r["seed"]"#) == id
                && json(place, "b.json", #"r["scope"]["bytes"]"#) == json(place, "a.json", #"r["scope"]["bytes"]"#))
        let none = place.holdfast("drill latest --from store --files 0 --report c.json")
        // Nothing was compared: that proves little, and is said.
        #expect(none.status == 3 && json(place, "c.json", #"r["files"]["compared"]"#) == "0", "\(none)")
    }

    @Test("All that the start needs is in a sample, by where it was on the machine")
    func start() {
        let place = plant()
        let made = place.shell(
            """
            mkdir kernel; echo kernel > kernel/vmlinuz; seq 9 > kernel/initrd; mkdir kernel/grub; echo x > kernel/grub/grub.cfg; holdfast store init other --quiet
            unshare -m sh -c 'mount --bind kernel /boot && holdfast backup /boot tree --to other --name both'
            """)
        #expect(made.status == 0, "\(made)")
        let drill = place.holdfast("drill both --from other --files 2 --report r.json")
        #expect(drill.status == 0 && drill.output.contains("3 files for the start"), "\(drill)")
        #expect(json(place, "r.json", #"r["scope"]["bootFiles"], r["files"]["compared"]"#) == "3 5")
        // Several sources, each with its own place.
        let whole = place.holdfast("drill both --from other --kind full --report f.json")
        #expect(whole.status == 0, "\(whole)")
        #expect(json(place, "f.json", #"r["files"]["compared"] == r["image"]["entries"]"#) == "True")
    }

    @Test("What a damaged store does not give any more fails the drill by name, with status 3 and a report")
    func damage() {
        let place = plant()
        place.shell(
            """
            for f in $(find store/v -type f ! -name '*.2'); do [ -e $f.2 ] && continue; python3 - $f <<'END'
            import sys
            path = sys.argv[1]; data = bytearray(open(path, "rb").read()); middle = len(data) // 3
            data[middle:middle + 200] = bytes(200); import os; os.chmod(path, 0o600); open(path, "wb").write(data)
            END
            done
            """)
        let drill = place.holdfast("drill latest --from store --kind full --report r.json")
        #expect(drill.status == 3 && drill.output.contains("full: failed"), "\(drill)")
        #expect(
            json(
                place, "r.json", #"r["verdict"], r["files"]["unreadable"] > 0, len(r["files"]["unreadableNames"]) > 0"#)
                == "failed True True")
        #expect(json(place, "r.json", #"0 < r["scope"]["share"] < 1000"#) == "True")
        #expect(json(place, "r.json", #"r["recoveryTime"].get("measured")"#) == "None")
        #expect(place.holdfast("drill verify r.json").status == 0)
    }

    @Test("An older image than the goal, and a slower restore, are findings of a drill that passed")
    func goals() {
        let place = plant()
        place.shell("sleep 2")
        let drill = place.holdfast("drill latest --from store --report r.json --rpo 1m")
        #expect(drill.status == 0, "\(drill)")
        place.shell(
            """
            cat > config.toml <<'END'
            [jobs.plant]
            sources = ["\(place.file("tree"))"]
            to = ["\(place.file("store"))"]
            drill = { kind = "full", every = "30d", rpo = "15m" }
            END
            """)
        #expect(place.holdfast("schedule run plant --config config.toml").status == 0)
        let job = place.holdfast("drill plant --config config.toml --report j.json")
        #expect(job.status == 0 && job.output.contains("the next one is due on "), "\(job)")
        #expect(json(place, "j.json", #"r["job"], r["kind"], r["nextDue"] > r["started"]"#) == "plant full True")
    }

    @Test("What cannot be done has a report that says so, with the status of what went wrong")
    func notCompleted() {
        let place = plant()
        let missing = place.holdfast("drill nothing --from store --report a.json")
        #expect(missing.status != 0 && missing.status != 3 && missing.output.contains("SHA-256"), "\(missing)")
        #expect(json(place, "a.json", #"r["verdict"]"#) == "not completed")
        let key = place.shell(
            "mv \(place.identity) key; holdfast drill latest --from store --report b.json; s=$?; mv key \(place.identity); exit $s"
        )
        #expect([1, 4].contains(key.status) && json(place, "b.json", #"r["verdict"]"#) == "not completed", "\(key)")
        // Never over anything.
        let twice = place.holdfast("drill latest --from store --report a.json")
        #expect(twice.status == 4 && twice.output.contains("replaces nothing"), "\(twice)")
        // Nor over what only looks like a part of one; what one that was cut off has left is in nobody's way.
        for part in ["html", "sig"] {
            place.shell("echo mine > s.json.\(part)")
            let stray = place.holdfast("drill latest --from store --report s.json")
            #expect(stray.status == 4 && stray.output.contains("s.json.\(part)"), "\(stray)")
            #expect(place.shell("cat s.json.\(part); rm s.json.\(part); ls s.json* | wc -l").output.hasPrefix("mine\n"))
        }
        place.shell("rm a.json; : > a.json.new")
        #expect(place.holdfast("drill latest --from store --report a.json").status == 0)
        #expect(place.holdfast("drill verify a.json").status == 0)
        #expect(place.holdfast("drill").status == 2)
        #expect(place.holdfast("drill latest --from store --kind hands").status == 2)
        let start = place.holdfast("drill latest --from store --kind boot --report e.json")
        #expect(start.status == 1 && start.output.contains("the image is not of /"), "\(start)")
        #expect(json(place, "e.json", #"r["verdict"], r["kind"]"#) == "not completed boot")
        let room = place.shell(
            "mkdir small; mount -t tmpfs -o size=1m small small; holdfast drill latest --from store --kind full --scratch small --report d.json; s=$?; umount small; exit $s"
        )
        #expect(room.status == 1 && json(place, "d.json", #"r["verdict"]"#) == "not completed", "\(room)")
        // What is given without a place goes to one of its own.
        #expect(place.holdfast("drill latest --from store").status == 0)
        #expect(place.shell("ls $(find home -name drills -type d) | grep -c '\\.json$'").output == "1\n")
    }

    @Test("A drill that is interrupted has its report, says so, and leaves nothing of what it restored")
    func interrupted() {
        let place = plant()
        place.shell(
            "mkdir room; head -c 60000000 /dev/urandom > tree/big; holdfast backup tree --to store --series $(hostname)/plc"
        )
        let drill = place.shell(
            """
            holdfast drill latest --from store --kind full --rate 2MB --scratch room --report r.json > out 2>&1 &
            pid=$!; for i in $(seq 300); do [ -n "$(ls -A room)" ] && break; sleep 0.1; done; kill -TERM $pid; wait $pid; s=$?; cat out; exit $s
            """)
        #expect(drill.status == 130, "\(drill)")
        #expect(json(place, "r.json", #"r["verdict"], r["reason"]"#) == "not completed interrupted")
        #expect(place.shell("ls -A room").output.isEmpty)
        #expect(place.holdfast("drill verify r.json").status == 0)
    }

    @Test(
        "A key that nobody gives is taken from a file of its owner's alone or from systemd, and on the machine that was backed up only where the job says so"
    )
    func unattended() {
        let place = plant()
        func configure(_ drill: String) {
            place.shell(
                """
                cat > config.toml <<'END'
                [jobs.plant]
                sources = ["\(place.file("tree"))"]
                to = ["\(place.file("store"))"]
                drill = { \(drill) }
                END
                """)
        }
        configure("kind = \"full\"")
        place.holdfast("schedule run plant --config config.toml")
        place.shell(
            "mv \(place.identity) key; chmod 600 key; mkdir credentials; cp key credentials/drill-key; chmod 400 credentials/drill-key"
        )
        var number = 0
        func drill(_ settings: String, _ environment: String = "") -> (Outcome, String) {
            configure(settings)
            number += 1
            let outcome = place.shell(
                "\(environment) holdfast drill plant --config config.toml --report u\(number).json")
            return (outcome, json(place, "u\(number).json", #"r["verdict"], "/", r["identity"]["from"]"#))
        }
        let file = "identity = \"\(place.file("key"))\""
        let refused = drill(file)
        #expect(refused.0.status == 4 && refused.0.output.contains("is not to lie here"), "\(refused)")
        #expect(refused.1.hasPrefix("not completed / the file "), "\(refused)")
        #expect(json(place, "u1.json", #"r["identity"]["isOnMachine"]"#) == "True")
        #expect(place.shell("grep -c 'Key was on the machine' u1.json.html").output == "1\n")
        let taken = drill(file + ", here = true")
        #expect(taken.0.status == 0 && taken.1.hasPrefix("passed / the file "), "\(taken)")
        let handed = drill("credential = \"drill-key\", here = true", "CREDENTIALS_DIRECTORY=$PWD/credentials")
        #expect(handed.0.status == 0 && handed.1 == "passed / the systemd credential drill-key", "\(handed)")
        let none = drill("credential = \"drill-key\", here = true", "env -u CREDENTIALS_DIRECTORY")
        #expect(none.0.status == 4 && none.0.output.contains("LoadCredential"), "\(none)")
        place.shell("chmod 640 key")
        let open = drill(file + ", here = true")
        #expect(open.0.status == 4 && open.0.output.contains("chmod 600"), "\(open)")
        place.shell("chmod 600 key; ln -s key link")
        #expect(drill("identity = \"\(place.file("link"))\", here = true").0.status == 4)
        configure(file + ", credential = \"x\"")
        #expect(place.holdfast("drill plant --config config.toml").status == 2)
        // No backup takes it along.
        place.shell("cp key tree/key; chmod 600 tree/key")
        configure("identity = \"\(place.file("tree/key"))\", here = true")
        #expect(place.holdfast("schedule run plant --config config.toml").status == 0)
        let listed = place.holdfast(
            "restore latest --series $(hostname)/plant --from store --dry-run --verbose --identity key")
        #expect(!listed.output.contains("/key"), "\(listed)")
    }

    @Test("What was restored by hand is on record, by the word of who did it, with the image as the store knows it")
    func hands() {
        let place = plant()
        let told =
            "--by 'A. Berg <b>' --seen 'line 3 ran' --machine press-02 --place 'hall 4' --verdict"
        let then = "--began 2026-11-20T08:00:00Z --ended 2026-11-20T09:40:00Z"
        let early = place.holdfast("drill record latest --from store \(told) passed \(then)")
        #expect(early.status == 2 && early.output.contains("was not there yet at 2026-11-20"), "\(early)")
        let now = "$(date -u +%Y-%m-%dT%H:%M:%SZ)"
        let record = place.holdfast(
            "drill record latest --from store \(told) passed --began \(now) --ended \(now) --report h.json")
        #expect(record.status == 0 && record.output.contains("hands: passed"), "\(record)")
        let slow = place.holdfast("drill record x --series press/plc \(told) passed \(then) --rto 1h --report s.json")
        #expect(slow.status == 3 && slow.output.contains("hands: passed with findings"), "\(slow)")
        #expect(json(place, "s.json", #"r["recoveryTime"]["measured"]"#) == "6000")
        #expect(
            json(
                place, "h.json",
                #"r["kind"], r["image"]["series"].split("/")[1], r["who"]["name"], r["machine"]["host"]"#
            ) == "hands plc A. Berg <b> press-02")
        #expect(place.holdfast("drill verify h.json").status == 0)
        #expect(place.shell("grep -c 'A. Berg &lt;b&gt;' h.json.html").output == "1\n")
        #expect(place.holdfast("drill record x --series press/plc \(told) failed \(then)").status == 3)
        #expect(place.holdfast("drill record x \(told) failed \(then)").status == 2)
        let mistyped = place.holdfast("drill latest --from store --kind voll")
        #expect(mistyped.status == 2 && mistyped.output.contains("voll"), "\(mistyped)")
        #expect(place.holdfast("drill record x --series s --verdict passed \(told) --finding odd").status == 2)
        #expect(
            place.holdfast(
                "drill record x --series s --verdict passed --by me --began 2026-11-20T08:00:00Z --ended 2026-11-19T08:00:00Z --seen x"
            ).status == 2)
    }
}

extension String {
    fileprivate func trimmingSuffix(_ end: String) -> String { hasSuffix(end) ? String(dropLast(end.count)) : self }
}
