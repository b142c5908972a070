// Kills, power cuts and full disks: what was there stays, and the next run goes on.

import TestSupport
import Testing

@Suite(.serialized) struct CrashTests {
    /// A small tree with small files and one that has chunks of its own.
    private func makeTree(_ place: Workplace) {
        place.shell(
            """
            mkdir -p tree/a/b; for i in $(seq 30); do head -c $((i * 300)) /dev/urandom > tree/a/b/$i; done
            head -c 3000000 /dev/urandom > tree/large; ln -s large tree/link
            """)
    }

    /// Kills a command at moments spread over the time that it takes; `after` is what must hold then.
    private func kill(_ place: Workplace, _ command: String, times: Int, before: String = "true", after: String) {
        let script = """
            set -u; failures=0
            for i in $(seq \(times)); do
              ( \(before) ) > /dev/null 2>&1
              delay=$(awk -v i=$i -v n=\(times) 'BEGIN { srand(i); printf "%.4f", 0.12 * (i - rand()) / n }')
              timeout -s KILL $delay \(command) > /dev/null 2>&1
              ( \(after) ) > out.txt 2>&1 || { failures=$((failures + 1)); echo "kill $i after $delay s:"; tail -5 out.txt; }
            done
            echo "failures: $failures"
            """
        let outcome = place.shell("cat > kill.sh <<'END'\n\(script)\nEND\nbash kill.sh")
        #expect(outcome.output.hasSuffix("failures: 0\n"), "\(outcome)")
    }

    @Test("A backup that is killed at any moment leaves a store that verifies, and nothing that grows")
    func killedBackup() {
        let place = Workplace()
        makeTree(place)
        place.holdfast("store init store --quiet")
        place.holdfast("backup tree --to store --quiet")
        kill(
            place, "holdfast backup tree --to store --quiet", times: runsAll ? 200 : 15,
            before: "head -c 900000 /dev/urandom > tree/changing",
            after: """
                # One whose first copy is not there yet is named for what it is.
                holdfast verify --from store --read-data --quiet > verified 2>&1 ||
                    { test -s verified && ! grep -v 'ended before it was finished' verified; }
                """)
        let next = place.holdfast("backup tree --to store --quiet")
        #expect(next.status == 0, "\(next)")
        let check = place.shell(
            """
            holdfast restore latest --from store --to restored --quiet && diff -r --no-dereference tree restored && ls home/state/holdfast/stores/*/runs
            """)
        #expect(check.status == 0 && check.output == "", "\(check)")
        // Every file of the store belongs to an image: a copy, which takes whole images only, has as many.
        let counts = place.shell(
            """
            holdfast verify --from store --json > verify.json; holdfast images --from store --json > images.json
            find store/i -type f | wc -l; grep -o '"image":' images.json | wc -l
            """)
        let numbers = counts.output.split(separator: "\n").compactMap { Int($0) }
        #expect(numbers.count == 2 && numbers[0] == 2 * numbers[1], "\(counts)")
    }

    @Test("A restore that is killed leaves only whole files, and the next one completes it")
    func killedRestore() {
        let place = Workplace()
        makeTree(place)
        place.holdfast("store init store --quiet")
        place.holdfast("backup tree --to store --quiet")
        kill(
            place, "holdfast restore latest --from store --to restored --quiet", times: runsAll ? 200 : 15,
            before: "rm -rf restored",
            after: """
                [ ! -d restored ] || diff -r --no-dereference -x '.holdfast-partial-*' tree restored | grep -v '^Only in tree' | (! grep .)
                holdfast restore latest --from store --to restored --quiet && diff -r --no-dereference tree restored
                """)
    }

    @Test("A copy that is killed leaves a replica that verifies, and the next one completes it")
    func killedCopy() {
        let place = Workplace()
        makeTree(place)
        place.holdfast("store init store --quiet")
        place.holdfast("backup tree --to store --quiet")
        place.shell("head -c 2000000 /dev/urandom > tree/second")
        place.holdfast("store init store --quiet")
        place.holdfast("backup tree --to store --quiet")
        kill(
            place, "holdfast copy --from store --to replica --quiet", times: runsAll ? 200 : 15,
            before: "rm -rf replica",
            after: """
                # What is copied is whole; that it is behind is said, too.
                [ ! -e replica/HOLDFAST ] || holdfast verify --from replica --read-data --quiet >verified.txt 2>&1 || \
                    { test -s verified.txt && ! grep -v -e 'that is behind' -e 'no image is' -e 'before it was finished' verified.txt; } || exit 1
                holdfast copy --from store --to replica --quiet && diff -r store replica
                """)
    }

    @Test("A power cut between any two writes of a backup costs no image, whatever was not synced")
    func powerCuts() {
        let place = Workplace()
        makeTree(place)
        place.holdfast("store init store --quiet")
        place.holdfast("backup tree --to store --quiet --name first")
        place.shell("cp -a tree tree1; head -c 700000 /dev/urandom > tree/new; rm tree/a/b/7")
        let replay = "python3 \(packageFolder)/Tests/Tools/replay-writes.py"
        let recorded = place.shell(
            "\(replay) record --out rec --below store --below home -- \(builtProgram) backup tree --to store --quiet --name second"
        )
        #expect(recorded.status == 0, "\(recorded)")
        place.shell(
            """
            cat > check.sh <<'END'
            set -e
            work=$(mktemp -d -p \(place.path)); trap 'rm -rf $work' EXIT
            cp -a "$2" $work/home
            export HOME=$work/home XDG_CONFIG_HOME=$work/home/config XDG_STATE_HOME=$work/home/state XDG_CACHE_HOME=$work/home/cache
            # A torn copy of a root is told, and the other one serves.
            holdfast verify --from "$1" --read-data --quiet > $work/verified 2>&1 ||
                { test -s $work/verified; ! grep -v 'the other copy is whole' $work/verified || exit 1; }
            holdfast restore first --from "$1" --to $work/first --quiet
            diff -r --no-dereference \(place.path)/tree1 $work/first
            if [ "$REPLAY_FINAL" = 1 ]; then holdfast restore second --from "$1" --to $work/second --quiet; diff -r --no-dereference \(place.path)/tree $work/second; fi
            holdfast backup \(place.path)/tree --to "$1" --quiet --name third
            holdfast restore third --from "$1" --to $work/third --quiet
            diff -r --no-dereference \(place.path)/tree $work/third
            END
            """)
        let limit = runsAll ? "--mixtures 5" : "--mixtures 1 --limit 24"
        let checked = place.shell(
            "\(replay) check --record rec \(limit) --jobs 2 --command 'bash \(place.path)/check.sh {0} {1}'")
        #expect(checked.status == 0, "\(checked)")
    }

    @Test("A disk that is full at any stage costs no image, and the next run succeeds when there is room")
    func fullDisk() {
        let place = Workplace()
        makeTree(place)
        let outcome = place.shell(
            """
            mkdir disk; failures=0
            for size in $(seq 3300 \(runsAll ? 100 : 500) 8000); do
              mount -t tmpfs -o size=${size}k tmpfs disk || exit 9
              holdfast store init disk/store --quiet > out.txt 2>&1 && holdfast backup tree --to disk/store --quiet > out.txt 2>&1; first=$?
              cp -a tree tree2; head -c 3000000 /dev/urandom > tree2/more
              [ -e disk/store/HOLDFAST ] || holdfast store init disk/store --quiet > out.txt 2>&1; holdfast backup tree2 --to disk/store --quiet > out.txt 2>&1; status=$?
              if [ $status != 0 ]; then grep -q '(tmpfs, .*) is full' out.txt || { failures=$((failures + 1)); cat out.txt; }; fi
              if [ $first = 0 ]; then holdfast verify --from disk/store --read-data --quiet || { echo "verify at $size"; failures=$((failures + 1)); }; fi
              mount -o remount,size=64m disk
              holdfast backup tree2 --to disk/store --quiet --name last > out.txt 2>&1 || { cat out.txt; failures=$((failures + 1)); }
              holdfast restore last --from disk/store --to restored --quiet && diff -r --no-dereference tree2 restored || failures=$((failures + 1))
              umount disk; rm -rf restored tree2
            done
            echo "failures: $failures"
            """)
        place.shell("umount disk 2>/dev/null")
        #expect(outcome.output.hasSuffix("failures: 0\n"), "\(outcome)")
    }

    @Test(
        "A write, sync or removal that fails at any place of a backup costs no image: what is listed restores, and the next run succeeds",
        arguments: ["EIO", "ENOSPC"])
    func failedCalls(code: String) {
        let workplace = Workplace()
        makeTree(workplace)
        workplace.holdfast("store init store --quiet")
        workplace.holdfast("backup tree --to store --quiet --name first")
        workplace.shell(
            "cp -a tree tree1; head -c 900000 /dev/urandom > tree/new; cp -a store store1; cp -a home home1")
        // What says itself that it is unfinished is no image to rely on.
        let finished =
            #"import json, sys; print(*[i["image"] for i in json.load(sys.stdin)["images"] if not i["unfinished"]])"#
        func place(_ call: String, _ number: Int) -> Bool {
            let outcome = workplace.shell(
                """
                rm -rf store home restored; cp -a store1 store; cp -a home1 home
                strace -f -qq -o trace -e trace=\(call) -e inject=\(call):error=\(code):when=\(number) \
                    holdfast backup tree --to store --quiet --name second >said 2>&1
                grep -q INJECTED trace || { echo "the end"; exit; }
                holdfast verify --from store --read-data --quiet > verified 2>&1 ||
                    { test -s verified && ! grep -v 'ended before it was finished' verified; } || echo "verify fails"
                for image in $(holdfast images --from store --json | python3 -c '\(finished)'); do
                    rm -rf restored; holdfast restore $image --from store --to restored --quiet || echo "$image is not restored"
                    diff -r --no-dereference tree restored >/dev/null || diff -r --no-dereference tree1 restored || echo "$image differs"
                done
                holdfast backup tree --to store --quiet --name third || echo "the next run fails"
                rm -rf restored; holdfast restore third --from store --to restored --quiet && diff -r --no-dereference tree restored
                """)
            if outcome.output.hasSuffix("the end\n") { return true }
            #expect(outcome.output == "", "\(code) at \(call) \(number): \(outcome)")
            return false
        }
        #expect(forEachPlace(of: ["fsync"], step: 3, place) > 4)
        #expect(forEachPlace(of: ["write", "unlink"], step: 8, place) > 4)
    }

    @Test("First backups at once into a new folder make one store; each that says 0 restores")
    func firstBackupsAtOnce() {
        let place = Workplace()
        makeTree(place)
        let outcome = place.shell(
            """
            mkdir -p home/config/holdfast; age-keygen -o home/config/holdfast/identity.txt 2>/dev/null; failures=0
            for round in $(seq \(runsAll ? 25 : 5)); do
              rm -rf store home/state home/cache restored
              for i in 1 2 3; do
                ( holdfast store init store > said$i 2>&1; holdfast backup tree --to store --name b$i >> said$i 2>&1; echo $? > code$i ) &
              done
              wait
              for i in 1 2 3; do
                rm -rf restored
                case $(cat code$i) in
                  0) holdfast restore b$i --from store --to restored --quiet && diff -r --no-dereference tree restored \
                       || { failures=$((failures + 1)); echo "round $round: b$i said 0"; cat said$i; } ;;
                  1|2|4) ;;
                  *) failures=$((failures + 1)); cat said$i ;;
                esac
              done
              grep -l '^0$' code1 code2 code3 > /dev/null || { failures=$((failures + 1)); echo "round $round: none"; cat said*; }
              holdfast backup tree --to store --quiet --yes || { failures=$((failures + 1)); echo "round $round: the next one"; }
            done
            echo "failures: $failures"
            """)
        #expect(outcome.output.hasSuffix("failures: 0\n"), "\(outcome)")
    }

    @Test(
        "Two machines that write to one store at once, in one group or in two, lose nothing",
        arguments: ["line", "own"])
    func atOnce(group: String) {
        let place = Workplace()
        makeTree(place)
        let second = "env XDG_STATE_HOME=\(place.path)/other/state XDG_CACHE_HOME=\(place.path)/other/cache"
        let outcome = place.shell(
            """
            holdfast store init store --group line --quiet; \(second) holdfast store join store --group \(group) --series second/ --quiet --yes; failures=0
            for i in $(seq \(runsAll ? 20 : 4)); do
              head -c 500000 /dev/urandom > tree/changing
              holdfast backup tree --to store --quiet --name one$i & \(second) holdfast backup tree --to store --quiet --name two$i & holdfast backup tree --to store --quiet --name three$i
              wait
              for name in one$i two$i three$i; do
                rm -rf restored; holdfast restore $name --from store --to restored --quiet && diff -r --no-dereference tree restored || failures=$((failures + 1))
              done
            done
            holdfast verify --from store --read-data --quiet || failures=$((failures + 1))
            echo "failures: $failures"
            """)
        #expect(outcome.output.hasSuffix("failures: 0\n"), "\(outcome)")
    }
}
