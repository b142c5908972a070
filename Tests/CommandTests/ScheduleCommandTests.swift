// Jobs, as a timer, cron and people have them done.

import Glibc
import Platform
import TestSupport
import Testing

@testable import HoldfastCommands

@Suite struct ScheduleCommandTests {
    /// A machine with a job, a store beside it and one behind a line that is down.
    private func plant(_ settings: String = "", _ schedule: String = "") -> Workplace {
        let place = Workplace()
        place.shell(
            """
            mkdir tree; echo one > tree/file
            cat > config.toml <<'END'
            [stores]
            local = "\(place.file("local"))"
            [stores.offsite]
            url = "\(place.file("line/offsite"))"
            create = true
            [jobs.plant]
            sources = ["\(place.file("tree"))"]
            to = ["local"]
            copy_to = ["offsite"]
            every = "1d"
            \(settings)
            [schedule]
            \(schedule)
            END
            """)
        place.holdfast("store init local --quiet")
        return place
    }

    private let config = "--config config.toml"

    @Test("What is due is done, and then nothing is")
    func due() {
        let place = plant()
        place.shell("mkdir line")
        let first = place.holdfast("schedule run \(config)")
        #expect(first.status == 0 && first.output.contains("plant: local: the image "), "\(first)")
        #expect(first.output.contains("offsite: copied from local"), "\(first)")
        let second = place.holdfast("schedule run \(config)")
        #expect(second.status == 0 && second.output == "nothing is due\n", "\(second)")
        let images = place.holdfast("images --from line/offsite")
        #expect(images.status == 0 && images.output.contains("plant"), "\(images)")
        let status = place.holdfast("schedule status \(config)")
        #expect(status.status == 0 && status.output.contains("plant") && status.output.contains("now"), "\(status)")
        // The log has the run that did something, and not the other one.
        let log = place.holdfast("log --verb 'schedule run'").output
        #expect(log.split(separator: "\n").filter { $0.contains("schedule run") }.count <= 2, "\(log)")
    }

    @Test("A job removes what its rules do not keep where the key of a steward is at hand, and nothing where it is not")
    func kept() {
        let place = plant("keep = { last = 2 }")
        place.shell("mkdir line")
        for _ in 0..<4 { #expect(place.holdfast("schedule run plant \(config)").status == 0) }
        #expect(place.holdfast("images --from local --json").output.split(separator: "\"sequence\"").count - 1 == 4)
        let made = place.holdfast("key steward --to local --output steward.key")
        #expect(made.status == 0, "\(made)")
        let record = "home/.local/state/holdfast/jobs/plant.json"
        place.shell(
            "test -f \(record) || find . -name plant.json; find . -name plant.json -path '*jobs*' -exec sed -i '/lastPruned/d' {} +"
        )
        let run = place.holdfast("schedule run plant \(config) --identity steward.key")
        // Of five of one day.
        #expect(run.output.contains("local: removed 3 images"), "\(run)")
        for _ in 0..<2 { place.holdfast("schedule run plant \(config)") }
        let aged = place.shell(
            "touch -d '20 days ago' $(find local/i -type f | xargs ls -t | tail -n 6); find . -name plant.json -path '*jobs*' -exec sed -i '/lastPruned/d' {} +"
        )
        #expect(aged.status == 0, "\(aged)")
        let again = place.holdfast("schedule run plant \(config) --identity steward.key")
        // Of five, half or more would go: that is nothing for a machine alone.
        #expect(again.status == 3 && again.output.contains("nothing was removed: "), "\(again)")
    }

    @Test("What stands still of others, whose first backup is under way, is no finding of a job that removes its own")
    func others() {
        let place = plant("keep = { last = 1 }")
        for _ in 0..<2 { place.holdfast("schedule run plant \(config)") }
        place.shell("mkdir line")
        place.holdfast("key steward --to local --output steward.key")
        place.shell(
            """
            volume=$(cd local/v && find . -type f | head -n 1); other=$(echo $volume | cut -d/ -f2 | tr 0-9a-f 1-9a-f0)
            mkdir -p local/v/$other/$(echo $volume | cut -d/ -f3); cp local/v/$volume local/v/$other/$(echo $volume | cut -d/ -f3,4)
            find . -name plant.json -path '*jobs*' -exec sed -i '/lastPruned/d' {} +
            """)
        let byHand = place.shell("setsid -w holdfast prune --from local --identity steward.key --dry-run")
        #expect(byHand.output.contains("stands still"), "\(byHand)")
        let run = place.holdfast("schedule run plant \(config) --identity steward.key")
        #expect(run.status == 0 && run.output.contains("local: removed 2 images"), "\(run)")
    }

    @Test("A copy that lacks images of others as yet is thinned out all the same, and a job has nothing to say of them")
    func behind() {
        let place = plant("keep = { last = 1 }")
        place.shell("mkdir line other; echo x > other/x")
        place.holdfast("key steward --to local --output steward.key")
        for _ in 0..<2 { place.holdfast("schedule run plant \(config)") }
        #expect(place.holdfast("copy --from local --to line/offsite").status == 0)
        #expect(place.shell("holdfast backup other --to local --series $(hostname)/other").status == 0)
        let thin = "find . -name plant.json -path '*jobs*' -exec sed -i '/lastPruned/d' {} +"
        place.shell(thin)
        let run = place.holdfast("schedule run plant \(config) --identity steward.key")
        #expect(run.status == 0 && run.output.contains("local: removed 2 images"), "\(run)")
        #expect(run.output.contains("offsite: removed 2 images") && !run.output.contains("/other: "), "\(run)")
        #expect(place.holdfast("copy --from local --to line/offsite").status == 0)
        place.shell(thin)
        let again = place.holdfast("schedule run plant \(config) --identity steward.key")
        #expect(again.status == 0 && again.output.contains("offsite: removed "), "\(again)")
    }

    @Test("A store that is away is said, fails the run, and has what it missed once it is back")
    func spool() {
        let place = plant()
        let away = place.holdfast("schedule run \(config)")
        #expect(away.status == 4 && away.output.contains("plant: offsite: "), "\(away)")
        #expect(away.output.contains("plant: local: the image "), "\(away)")
        let status = place.holdfast("schedule status \(config) --json")
        #expect(
            status.output.contains(#""name":"offsite","copy":true"#) && status.output.contains(#""failuresInARow":1"#),
            "\(status)")
        // Tried again at once it would fail as often as the timer comes.
        #expect(place.holdfast("schedule run \(config)").output == "nothing is due\n")
        place.shell("mkdir line; echo two > tree/file")
        let back = place.holdfast("schedule run plant \(config)")
        #expect(back.status == 0, "\(back)")
        let images = place.holdfast("images --from line/offsite --json")
        #expect(images.output.components(of: "\"host\"") == 2, "\(images)")
    }

    @Test("What is found stays critical until it is accepted, which wants a job that is compared with images")
    func accepted() {
        let place = plant("integrity = 'latest'\n[jobs.bare]\nsources = ['/etc/hostname']\nto = ['local']")
        place.shell("mkdir line")
        let run = "schedule run plant \(config)"
        #expect(place.holdfast(run).status == 0 && place.holdfast("schedule run bare \(config)").status == 0)
        place.shell("echo evil > tree/file")
        for _ in 0..<2 {
            let found = place.holdfast(run)
            #expect(found.status == 3 && found.output.contains("run plant --accept`"), "\(found)")
            let check = place.holdfast("check \(config)")
            #expect(check.status == 2 && check.output.contains("tree/file"), "\(check)")
            #expect(check.output.contains("`holdfast schedule run plant --accept`"), "\(check)")
        }
        // The image by which it was found goes.
        #expect(place.shell("holdfast prune --from local --keep-last 1 --yes").status == 0)
        let gone = place.holdfast(run)
        #expect(gone.status == 3 && gone.output.contains("in local no more"), "\(gone)")
        #expect(place.holdfast("check \(config)").status == 2)
        let accepted = place.holdfast("\(run) --accept")
        #expect(accepted.status == 0, "\(accepted)")
        #expect(place.holdfast(run).status == 0 && place.holdfast("check \(config)").status == 0)
        #expect(place.holdfast("log").output.contains("--accept"), "\(place.holdfast("log"))")
        #expect(place.holdfast("schedule run --accept \(config)").status == 2)
        let bare = place.holdfast("schedule run bare --accept \(config)")
        #expect(bare.status == 2 && bare.output.contains("compared with nothing"), "\(bare)")
        place.shell("sed -i \"s/'latest'/'Commissioning'/\" config.toml")
        let point = place.holdfast("\(run) --accept")
        #expect(point.status == 2 && point.output.contains("the point Commissioning"), "\(point)")
    }

    @Test("A file system that is mounted over what an image has hides nothing from a job, or from `diff --from`")
    func mountedOver() {
        let place = plant("integrity = 'latest'")
        place.shell(
            """
            mkdir -p line tree/plc/sub empty; echo good | tee tree/plc/prog > tree/plc/sub/other; cat > inside <<'END'
            mount --make-rprivate /; mount -t tmpfs none tree/plc; echo EVIL > tree/plc/prog
            for round in 1 2; do holdfast schedule run plant \(config); echo "run $?"; done
            holdfast check \(config); echo "check $?"
            holdfast diff "$(cat first)" --from local --content | sed 's/^/diff /'
            holdfast diff "$(cat first)" --from local --expected plc | sed 's/^/expected /'
            sed -i "s/^integrity.*/&\\nexpected = ['plc']/" config.toml
            holdfast schedule run plant \(config); echo "expected $?"
            END
            """)
        if place.shell("unshare -m true").status != 0 { return }
        #expect(place.holdfast("schedule run plant \(config)").status == 0)
        place.shell(
            "holdfast images --from local --json | grep -o '\"image\":\"[0-9a-f]*' | head -n 1 | cut -d'\"' -f4 > first"
        )
        let outcome = place.shell("unshare -m sh inside")
        let lines = outcome.output.split(separator: "\n").map(String.init)
        #expect(lines.filter { $0 == "run 3" }.count == 2 && lines.contains("check 2"), "\(outcome)")
        #expect(lines.contains { $0.contains("another file system is mounted over it") }, "\(outcome)")
        #expect(
            lines.filter { $0.hasPrefix("diff ? ") }
                == ["prog", "sub", "sub/other"].map { "diff ? \(place.file("tree/plc"))/\($0)" }, "\(outcome)")
        #expect(!lines.contains { $0.hasPrefix("expected ?") } && lines.contains("expected 0"), "\(outcome)")
    }

    @Test("Who asks for a job that is not there hears which are")
    func unknown() {
        let outcome = plant().holdfast("schedule run plnt \(config)")
        #expect(outcome.status == 2 && outcome.output.contains("there are plant"), "\(outcome)")
    }

    @Test("Of two that begin at once one runs, and the other says so")
    func twoAtOnce() {
        let place = plant("rate = \"1MB\"")
        place.shell("mkdir line; head -c 3000000 /dev/urandom > tree/large")
        let both = place.shell(
            "(holdfast schedule run \(config) > a 2>&1; echo $? >> a) & sleep 0.7; (holdfast schedule run \(config) > b 2>&1; echo $? >> b); wait; cat b; cat a"
        )
        #expect(both.output.hasPrefix("a run is going on already\n0\n") && both.output.hasSuffix("\n0\n"), "\(both)")
        #expect(place.holdfast("images --from local --json").output.components(of: "\"host\"") == 1)
    }

    @Test(
        "Who may not look at the lock, as a monitor's user, is told of a run that goes on, and not of one that was ended"
    )
    func watchedByUser() {
        let place = plant("rate = \"1MB\"")
        place.shell(
            "mkdir line; head -c 4000000 /dev/urandom > tree/large; chmod 755 . ; chmod 711 ..; install -m 755 \(builtProgram) ./hf"
        )
        let seen = place.shell(
            """
            holdfast schedule run \(config) --state $PWD/state > out 2>&1 & pid=$!
            for i in $(seq 6000); do grep -q begun state/jobs/plant.json 2>/dev/null && break; sleep 0.05; done
            as_user() { setpriv --reuid 65534 --regid 65534 --clear-groups ./hf $* \(config) --state $PWD/state; }
            as_user check; as_user schedule status; kill -KILL $pid; wait $pid; as_user check
            """)
        #expect(seen.output.contains("OK - 1 job") && seen.output.contains("a run is going on"), "\(seen)")
        #expect(
            seen.status == 1 && seen.output.ranges(of: "did not come to its end").count == 1
                && seen.output.contains("WARNING - plant: the run of "), "\(seen)")
    }

    @Test("A timer that has no job to look at has failed, and says in which file there is none")
    func withoutJobs() {
        let place = Workplace()
        place.shell(": > config.toml; printf '[status]\\nvalue = \"%s/value\"\\n' $PWD > other.toml")
        let empty = place.holdfast("schedule run \(config)")
        #expect(
            empty.status == 2 && empty.output.contains("no job is configured: config.toml has no table [jobs.NAME]"),
            "\(empty)")
        #expect(empty.output.contains("--config FILE"), "\(empty)")
        // Whom a file tells, it tells all the same.
        #expect(place.holdfast("schedule run --config other.toml").status == 2)
        #expect(place.shell("cat value").output == "3\n")
    }

    @Test("A record that is damaged is said, and costs one run")
    func damaged() {
        let place = plant()
        place.shell("mkdir line")
        place.holdfast("schedule run \(config)")
        place.shell("f=$(find . -name plant.json); head -c 100 $f > x; cat x > $f")
        let status = place.holdfast("schedule status \(config)")
        #expect(
            status.status == 3 && status.output.contains("is damaged, so nothing is known of the job plant"),
            "\(status)")
        let outcome = place.holdfast("schedule run \(config)")
        #expect(outcome.status == 0 && outcome.output.contains("as if it never had been"), "\(outcome)")
        #expect(place.holdfast("schedule run \(config)").output == "nothing is due\n")
    }

    @Test("Nothing begins while the plant holds work, and who asked for a job is refused")
    func held() {
        let place = plant("", "hold = \"/dev/null\"")
        let scheduled = place.holdfast("schedule run \(config)")
        #expect(scheduled.status == 0 && scheduled.output.contains("/dev/null is there"), "\(scheduled)")
        let named = place.holdfast("schedule run plant \(config)")
        #expect(named.status == 4 && named.output.contains("the plant holds work"), "\(named)")
        #expect(place.holdfast("images --from local").output.contains("no image"))
    }

    @Test("A hold that nobody takes back is told by check, and not any more once it is over")
    func forgottenHold() {
        let place = plant("", "hold = \"/nowhere/hold\"")
        place.shell("mkdir line; sed -i \"s|/nowhere/hold|$PWD/hold|\" config.toml")
        #expect(place.holdfast("schedule run \(config)").status == 0)
        #expect(place.holdfast("check \(config)").status == 0)
        place.shell("touch hold; echo two > tree/file")
        // Somebody who asks, and the timer, where something is due.
        #expect(place.holdfast("schedule run plant \(config)").status == 4)
        let note = "$(find . -name held -path '*jobs*')"
        #expect(!place.holdfast("check \(config)").output.contains("has held work"))
        place.shell("sed -i 's/\"since\":[0-9]*/\"since\":1700000000/' \(note)")
        let late = place.holdfast("check \(config)")
        #expect(late.status == 1 && late.output.contains("the plant has held work for "), "\(late)")
        #expect(late.output.contains("hold is there"), "\(late)")
        // Nothing is due, and the hold is looked at all the same.
        #expect(place.holdfast("schedule run \(config)").output == "nothing is due\n")
        #expect(place.holdfast("check \(config)").status == 1)
        place.shell("rm hold")
        #expect(place.holdfast("schedule run \(config)").output == "nothing is due\n")
        #expect(place.holdfast("check \(config)").status == 0)
    }

    @Test("A run that rests has it on record since when, and takes that back when it goes on")
    func noteOfRest() {
        let place = plant("rate = \"1MB\"", "hold = \"/nowhere/hold\"")
        let outcome = place.shell(
            """
            mkdir line; sed -i "s|/nowhere/hold|$PWD/hold|" config.toml; head -c 5000000 /dev/urandom > tree/large
            holdfast schedule run \(config) & p=$!
            sleep 1.5; touch hold; for i in $(seq 50); do n=$(find . -name held -path '*jobs*'); [ -n "$n" ] && break; sleep 0.1; done
            echo "noted: $n"; rm hold; wait $p; echo "status $?"; find . -name held -path '*jobs*'
            """)
        #expect(outcome.output.contains("noted: ./") && outcome.output.hasSuffix("status 0\n"), "\(outcome)")
    }

    @Test("A hold has reading stop within a second, and it goes on when that is over")
    func rests() throws {
        let place = Workplace()
        let hold = place.file("hold")
        place.shell(
            """
            mkdir tree; for i in 1 2 3 4 5 6 7 8; do head -c 4000000 /dev/urandom > tree/$i; done
            cat > config.toml <<'END'
            [stores]
            local = "\(place.file("local"))"
            [jobs.plant]
            sources = ["\(place.file("tree"))"]
            to = ["local"]
            every = "1d"
            rate = "3MB"
            [schedule]
            hold = "\(hold)"
            END
            """)
        place.holdfast("store init local --quiet")
        // What it has read so far, as the kernel counts it: after a second, and two seconds later.
        let outcome = place.shell(
            """
            holdfast schedule run \(config) > out 2>&1 & pid=$!
            read_so_far() { sed -n 's/^rchar: //p' /proc/$pid/io; }
            first=$(read_so_far)
            while kill -0 $pid && [ $(($(read_so_far) - first)) -le 3000000 ]; do sleep 0.05; done
            touch \(hold); sleep 1; a=$(read_so_far); sleep 2; b=$(read_so_far)
            echo read $((b - a)); rm \(hold); wait $pid; echo status $?; cat out
            """)
        #expect(outcome.output.contains("read 0\nstatus 0\n"), "\(outcome)")
        #expect(
            outcome.output.contains("work rests, since the plant holds it") && outcome.output.contains("work goes on"),
            "\(outcome)")
    }

    @Test("A run that was interrupted goes on with the next one")
    func interrupted() {
        let place = plant("rate = \"1MB\"")
        place.shell("mkdir line; head -c 6000000 /dev/urandom > tree/large")
        let outcome = place.shell("holdfast schedule run \(config) & sleep 1; kill -TERM $!; wait $!; echo status $?")
        #expect(outcome.output.hasSuffix("status 130\n"), "\(outcome)")
        let status = place.holdfast("schedule status \(config) --json")
        #expect(status.output.contains(#""status":130"#) && status.output.contains(#""due":true"#), "\(status)")
    }

    @Test("Everything is read again where that is asked for, and only then")
    func reread() {
        let place = Workplace()
        place.shell("mkdir tree; echo one > tree/file; echo two > tree/other")
        place.holdfast("backup tree --to store")
        // The content changes, and nothing else does that a walk sees.
        let unchanged = place.holdfast("backup tree --to store --json")
        #expect(unchanged.output.contains(#""filesRead":0"#), "\(unchanged)")
        let read = place.holdfast("backup tree --to store --reread --json")
        #expect(read.output.contains(#""filesRead":2"#) && read.output.contains(#""bytesNew":0"#), "\(read)")
        #expect(place.holdfast("backup tree --to store --json").output.contains(#""filesRead":0"#))
    }

    @Test(
        "What is enabled comes back after a rollback or an upgrade, goes with the program, and is gone once it is disabled"
    )
    func units() {
        let place = plant()
        // A machine that is run by systemd, as far as the program can see.
        place.shell(
            """
            cat > systemctl <<'END'
            #!/bin/sh
            echo "systemctl $*"  >> \(place.file("calls"))
            END
            chmod 755 systemctl
            cat > inside <<'END'
            mount --make-rprivate /; mount -t tmpfs none /run; mkdir -p /run/systemd/system /etc/systemd/system
            mount -t tmpfs none /etc/systemd/system; mount --bind systemctl /usr/bin/systemctl
            units() { echo "$1: $(find /etc/systemd/system -type f -o -type l | wc -l) $(grep -c . calls)"; : > calls; }
            : > calls
            holdfast schedule enable \(config) --state $PWD/state; units enabled
            holdfast schedule enable \(config) --state $PWD/state > /dev/null; units again
            rm -rf /etc/systemd/system/*
            holdfast package upgraded --state $PWD/state > /dev/null; units "rolled back"
            holdfast package upgraded --state $PWD/state > /dev/null; units "as it was"
            holdfast package removing --state $PWD/state; units removed
            holdfast package upgraded --state $PWD/state > /dev/null; units installed
            holdfast schedule disable --state $PWD/other; units other
            holdfast schedule disable --state $PWD/state; units disabled
            holdfast package upgraded --state $PWD/state; units end
            END
            """)
        if !exists("/usr/bin/systemctl") || place.shell("unshare -m true").status != 0 { return }
        let outcome = place.shell("unshare -m sh inside")
        #expect(
            outcome.output == """
                jobs run by themselves from now on: plant
                enabled: 3 2
                again: 3 2
                rolled back: 3 2
                as it was: 3 0
                the jobs of the configuration run no more; with the program they come back
                removed: 0 2
                installed: 3 2
                nothing did run by itself
                other: 3 0
                nothing runs by itself any more
                disabled: 0 2
                end: 0 0

                """, "\(outcome)")
    }

    @Test("Where there is no systemd, enabling it says what cron does instead")
    func withoutTimers() {
        if exists("/run/systemd/system") { return }
        let outcome = plant().holdfast("schedule enable \(config)")
        #expect(outcome.status == 4 && outcome.output.contains("/etc/cron.d"), "\(outcome)")
        let disabled = plant().holdfast("schedule disable \(config)")
        #expect(disabled.status == 0 && disabled.output.contains("nothing did run by itself"), "\(disabled)")
    }
}

extension String {
    /// How often a text is in this one.
    fileprivate func components(of text: String) -> Int {
        split(separator: text, omittingEmptySubsequences: false).count - 1
    }
}
