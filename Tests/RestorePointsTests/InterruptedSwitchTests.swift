// What a switch that was interrupted must not cost: what somebody wrote meanwhile, the only copy of a state whose record is lost, and the word that
// nothing of an owner is left.

import Glibc
import Platform
import RestorePoints
import TestSupport
import Testing

@Suite(.serialized, .enabled(if: HostFacts.isRoot, "points are made by root"))
struct InterruptedSwitchTests {
    /// Those that need no virtual machine.
    static let kinds: [BackendKind] = [.btrfs, .tree]

    /// What the shell of a test can say: `hf` is the command, `killed CALL N` the command that is killed at its N-th such call, of those that name
    /// the file `$at` where that is set.
    private func say(_ place: Place, _ script: String) -> String {
        let home =
            "HOME=\(place.scratch) XDG_CONFIG_HOME=\(place.scratch)/c XDG_STATE_HOME=\(place.scratch)/s XDG_CACHE_HOME=\(place.scratch)/k HOLDFAST_CONFIG="
        return shell(
            """
            exec 2>&1; export \(home); T=\(place.root); cd \(place.scratch)
            hf() { \(builtProgram) "$@" --state \(place.state) --yes; echo "status $?"; }
            killed() { call=$1 n=$2; shift 2; strace -f -qq -o /dev/null ${at:+-P $at} -e trace=$call -e inject=$call:signal=KILL:when=$n \\
                \(builtProgram) "$@" --state \(place.state) --yes --quiet >/dev/null 2>&1; echo "killed $?"; }
            \(script)
            """)
    }

    private func names(_ place: Place) throws -> [String] { try place.open().points().map(\.name) }

    @Test(
        "What is written to a plain tree whose rollback was interrupted is in a point before anything goes on",
        arguments: [true, false])
    func writtenMeanwhile(_ writes: Bool) throws {
        let place = try Place(.tree)
        let said = say(
            place,
            """
            mkdir $T/sub; for i in 1 2 3; do echo v1 >$T/f$i; echo v1 >$T/sub/f$i; done; hf setup --root $T --quiet; hf create A --quiet
            for i in 1 2 3; do echo v2 >$T/f$i; echo v2 >$T/sub/f$i; done; ln -s f1 $T/link; killed renameat 2 rollback A
            \(writes ? "echo 4711 >$T/sub/order; echo mine >$T/f3" : ":")
            hf create Evening
            """)
        #expect(
            said.contains("killed 137") && said.hasSuffix("status 0\n") && said.contains("finished the rollback to A"),
            "\(said)")
        let kept = try names(place).first { $0.hasPrefix("interrupted.") }
        #expect((kept != nil) == writes, "\(said)")
        #expect(shell("cat \(place.root)/f3 \(place.root)/sub/f1; ls \(place.root)/sub") == "v1\nv1\nf1\nf2\nf3\n")
        guard let kept else { return }
        let back = say(place, "hf rollback \(kept) --quiet; cat $T/sub/order $T/f3")
        #expect(back == "status 0\n4711\nmine\n")
    }

    @Test(
        "A factory reset for transfer that is killed anywhere leaves nothing of the owner once it is repeated",
        arguments: kinds)
    func nothingIsLeft(_ kind: BackendKind) throws {
        func remains(_ place: Place) -> String {
            kind == .btrfs
                ? shell(
                    "grep -r owner-secret \(place.scratch)/mount/@holdfast; ls \(place.scratch)/mount/@holdfast/* | wc -l"
                )
                : shell(
                    "cd \(place.state); find store -type f | wc -l; grep -rl ownername . --exclude-dir=log")
        }
        func make() throws -> Place {
            let place = try Place(kind)
            _ = say(
                place,
                """
                echo factory >$T/a; hf setup --root $T --quiet; for i in 1 2; do head -c 200000 /dev/urandom >$T/large; echo owner-secret$i >$T/a; touch $T/ownername; hf create p$i --quiet; done
                """)
            return place
        }
        let whole = try make()
        #expect(say(whole, "hf factory-reset --for-transfer --quiet").hasSuffix("status 0\n"))
        let expected = remains(whole)
        var killed = 0
        for call in kind == .btrfs ? ["rename", "unlink", "ioctl"] : ["rename", "unlink", "unlinkat"] {
            for number in stride(from: 1, through: 60, by: runsAll ? 1 : 4) {
                let place = try make()
                let said = say(
                    place,
                    """
                    killed \(call) \(number) factory-reset --for-transfer; hf status; hf recover; hf factory-reset --for-transfer; hf create z
                    hf destroy z; cat $T/a
                    """)
                if said.hasPrefix("killed 0") { break }
                killed += 1
                let what = "\(kind): killed at \(call) \(number)"
                #expect(said.hasSuffix("status 0\nfactory\n") && !said.contains("next boot"), "\(what): \(said)")
                #expect(try names(place) == ["factoryreset"], "\(what): \(said)")
                #expect(remains(place) == expected, "\(what): \(said)")
            }
        }
        #expect(killed > 5)
    }

    @Test(
        "A rollback that was killed once its state was live is called interrupted, and is ended by the same command, recover, or undo",
        arguments: kinds, ["rollback A", "recover", "undo"])
    func afterTheSwitch(_ kind: BackendKind, _ next: String) throws {
        let place = try Place(kind)
        let said = say(
            place,
            """
            echo 1 >$T/a; hf setup --root $T --quiet; hf create A --quiet; echo 2 >$T/a
            at=\(place.state)/points.json.new killed rename 1 rollback A; cat $T/a; hf status; hf \(next); cat $T/a
            """)
        #expect(said.contains("killed 137\n") && !said.contains("next boot"), "\(said)")
        #expect(said.contains("the rollback to A was interrupted; `holdfast recover"), "\(said)")
        #expect(said.hasSuffix("status 0\n\(next == "undo" ? 2 : 1)\n"), "\(said)")
    }

    @Test("A state that a rollback has left is a point where its record is lost", arguments: kinds)
    func lostRecord(_ kind: BackendKind) throws {
        let place = try Place(kind)
        let call = kind == .btrfs ? "renameat2 2" : "renameat 1"
        let said = say(
            place,
            """
            for i in 1 2 3; do echo 1 >$T/a$i; done; hf setup --root $T --quiet; hf create A --quiet; for i in 1 2 3; do echo unsaved >$T/a$i; done; echo unsaved >$T/c
            killed \(call) rollback A; rm \(place.state)/journal/rollback.json; hf create Z
            """)
        #expect(said.contains("killed 137") && said.hasSuffix("status 0\n"), "\(said)")
        let found = try #require(try names(place).first { $0.hasPrefix("found.") }, "\(said)")
        let back = say(place, "hf rollback \(found) --quiet; cat $T/c $T/a1")
        #expect(back == "status 0\nunsaved\nunsaved\n")
    }

    @Test(
        "A deletion that was interrupted is named, and ended by recover or by the same command", arguments: kinds,
        ["recover", "destroy A"])
    func deletion(_ kind: BackendKind, _ next: String) throws {
        let place = try Place(kind)
        let said = say(
            place,
            """
            echo 1 >$T/a; hf setup --root $T --quiet; hf create A --quiet; hf create B --quiet
            for n in 1 2 3 4 5 6 7 8 9; do killed rename $n destroy A; grep -q '"A"' \(place.state)/points.json || break; done
            hf status; echo '|'; hf \(next); echo '|'; hf status; echo '|'; hf rollback B --quiet
            """)
        let parts = said.split(separator: "|").map(String.init)
        try #require(parts.count == 4 && said.contains("killed 137\n"), "\(said)")
        #expect(!parts[0].contains("\nA ") && parts[0].contains("`holdfast recover --state"), "\(said)")
        #expect(parts[1].hasSuffix("status 0\n") && !parts[2].contains("recover"), "\(said)")
        #expect(parts[3] == "\nstatus 0\n", "\(said)")
    }

    @Test(
        "A record of what is under way that is damaged is told beside the points, and what it says mends it",
        arguments: ["rollback", "points", "setup"],
        ["truncate -s 40", "rm -rf $F; mkdir", "rm -rf $F; mkfifo", "truncate -s 100M"])
    func damagedRecord(_ record: String, _ damage: String) throws {
        let place = try Place(.btrfs)
        let said = say(
            place,
            """
            echo 1 >$T/a; hf setup --root $T --quiet; hf create A --quiet; echo unsaved >$T/c; killed renameat2 2 rollback A
            F=\(place.state)/journal/\(record).json; [ -e $F ] || echo '{' >$F; \(damage) $F
            hf status >seen 2>&1; cat seen; mend=$(grep -o 'rm -r [^`]*' seen | head -1); hf create X --quiet; $mend; hf create Y --quiet; hf recover --quiet
            """)
        #expect(said.contains("A  ") && said.contains("rm -r ") && said.hasSuffix("status 0\nstatus 0\n"), "\(said)")
        #expect(said.contains("status 4\n"), "\(said)")
        let points = try names(place)
        let left = try #require(points.first { $0.hasPrefix("found.") || $0.hasPrefix("before-rollback.") }, "\(said)")
        #expect(say(place, "hf rollback \(left) --quiet; cat $T/c") == "status 0\nunsaved\n")
    }

    @Test("Who has lost the state has the points again, and what a rollback had left, by typing what is said")
    func adopted() throws {
        let place = try Place(.btrfs)
        let said = say(
            place,
            """
            echo 1 >$T/a; hf setup --root $T --quiet; hf create A --quiet; echo unsaved >$T/c; killed renameat2 2 rollback A
            mv \(place.state) lost; hf setup --root $T >seen 2>&1; cat seen
            grep -o '`[^`]*`' seen | tr -d '`' | grep setup | while read -r _ words; do hf $words; done
            """)
        #expect(said.contains("killed 137\n") && said.hasSuffix("status 0\n"), "\(said)")
        #expect(
            try names(place).filter { $0.hasPrefix("found.") }.count == 3, "factoryreset, A, and what was left: \(said)"
        )
        let left = try names(place).filter { $0.hasPrefix("found.") }.map { point in
            say(place, "hf rollback \(point) --quiet; cat $T/c")
        }
        #expect(left.contains("status 0\nunsaved\n"), "\(left)")
    }

    @Test("While a command of a filter in the tree is not at its end, there is no rollback")
    func filterUnderWay() throws {
        let place = try Place(.tree)
        let said = say(
            place,
            """
            mkdir $T/hmi; for i in 1 2; do echo 1 >$T/hmi/$i; done; hf setup --root $T --quiet; hf filter enable --path $T/hmi --quiet
            for i in 1 2 3; do echo 2 >$T/hmi/$i; done; killed move_mount 1 filter commit $T/hmi/1 $T/hmi/2
            echo '|'; hf rollback factoryreset; echo '|'; hf filter enable --path $T/hmi --quiet; cat $T/hmi/3
            hf filter disable --path $T/hmi --quiet; hf rollback factoryreset --quiet; cat $T/hmi/1
            """)
        let parts = said.split(separator: "|").map(String.init)
        try #require(parts.count == 3 && parts[0].hasSuffix("killed 137\n"), "\(said)")
        #expect(parts[1].contains("a write filter covers") && parts[1].hasSuffix("status 4\n"), "\(said)")
        #expect(parts[2] == "\nstatus 0\n2\nstatus 0\nstatus 0\n1\n", "\(said)")
    }

    @Test(
        "A medium that fails while an interrupted switch is finished is called that, and the same command ends it later"
    )
    func failsMeanwhile() throws {
        for number in stride(from: 1, through: 40, by: runsAll ? 1 : 3) {
            let place = try Place(.btrfs)
            let said = say(
                place,
                """
                echo 1 >$T/a; hf setup --root $T --quiet; hf create A --quiet; echo 2 >$T/a; killed rename 4 rollback A; cat $T/a; echo user >$T/u
                strace -f -qq -o /dev/null -e trace=ioctl -e inject=ioctl:error=EIO:when=\(number) \(builtProgram) recover --state \(place.state)
                echo "'$?'"; hf recover --quiet; cat $T/a $T/u
                """)
            #expect(said.hasSuffix("status 0\n1\nuser\n") && !said.contains("damaged"), "ioctl \(number): \(said)")
            if said.contains("'0'\n"), number > 20 { break }
        }
    }
}
