// The whole life of a store that is pruned, through the program alone: images, a plan, the plan carried out, the grace, and a removal, with
// machines that write all the while. Nobody waits: the objects become older, and the program's clock goes on.

import TestSupport
import Testing

@Suite struct PruneLifeTests {
    /// A place whose `holdfast` has a clock that `pass` moves on; a folder's own clock is that of its files.
    private func place() -> Workplace {
        let place = Workplace()
        // Every clock but that on the wall is as it is.
        let library = """
            #define _GNU_SOURCE
            #include <stdlib.h>
            #include <sys/syscall.h>
            #include <time.h>
            #include <unistd.h>
            int clock_gettime(clockid_t clock, struct timespec *time) {
                int result = syscall(SYS_clock_gettime, clock, time);
                const char *ahead = getenv("CLOCK_AHEAD");
                if (clock == CLOCK_REALTIME && ahead) time->tv_sec += atol(ahead);
                return result;
            }
            """
        place.shell(
            """
            cat > clock.c <<'END'
            \(library)
            END
            clang -shared -fPIC -o clock.so clock.c && mkdir tree states
            printf 'import os\\nfor folder, _, names in os.walk("store"):\\n for name in names:\\n  path = os.path.join(folder, name); s = os.stat(path); os.utime(path, ns=(s.st_atime_ns, s.st_mtime_ns - %s * 86400 * 10**9))\\n' DAYS > pass.py
            head -c 400000 /dev/urandom > tree/common
            """)
        return place
    }

    /// - Parameter ahead: days.
    private func holdfast(_ place: Workplace, ahead: Int, _ words: String) -> Outcome {
        place.shell(
            "export CLOCK_AHEAD=\(ahead * 86_400) LD_PRELOAD=$PWD/clock.so; holdfast \(words) --identity \(place.path)/it.txt"
        )
    }

    private func backup(_ place: Workplace, ahead: Int, _ name: String, own: String? = nil) -> Outcome {
        place.shell(
            "\(own.map { "cp \($0) tree/own" } ?? "head -c 300000 /dev/urandom > tree/own"); cp -a tree states/\(name)")
        let outcome = holdfast(
            place, ahead: ahead, "backup tree --to store --name \(name) --series $(hostname)/plc --json")
        #expect(outcome.status == 0, "\(name): \(outcome)")
        return outcome
    }

    private func pass(_ place: Workplace, days: Int) {
        #expect(place.shell("sed 's/DAYS/\(days)/' pass.py | python3 -").status == 0)
    }

    private func volumes(_ place: Workplace) -> Set<String> {
        Set(place.shell("find store/v -type f -printf '%f\\n' | sort").output.split(separator: "\n").map(String.init))
    }

    private func names(_ place: Workplace) -> Set<String> {
        let list = place.shell("holdfast images --from store --identity it.txt --json").output
        return Set(list.matches(of: #/"name":"([a-z]+)"/#).map { String($0.1) })
    }

    @Test(
        "From a plan over the grace to the removal: what stays restores bit for bit, whoever wrote meanwhile, and nothing else is there"
    )
    func life() throws {
        let place = place()
        #expect(
            place.shell(
                "holdfast store init store --quiet && holdfast key steward --to store --output steward.key --quiet && cp \(place.identity) it.txt"
            ).status == 0)
        func prune(_ ahead: Int, _ words: String) -> Outcome {
            place.shell(
                "export CLOCK_AHEAD=\(ahead * 86_400) LD_PRELOAD=$PWD/clock.so; holdfast prune --from store --identity steward.key \(words)"
            )
        }
        _ = backup(place, ahead: 0, "one")
        let first = volumes(place)
        _ = backup(place, ahead: 0, "two")
        // Nobody else names these.
        let ofTwo = volumes(place).subtracting(first)
        #expect(!ofTwo.isEmpty)
        pass(place, days: 10)
        _ = backup(place, ahead: 10, "three")
        _ = backup(place, ahead: 10, "four")
        let shown = prune(10, "--keep-within 8d --dry-run")
        #expect(shown.status == 0 && shown.output.contains("2 of 4 images go"), "\(shown)")
        let id = shown.output.firstMatch(of: /plan ([0-9a-f]{16})/)?.1 ?? ""

        // A machine that writes meanwhile makes it no other plan, and is in the reading that counts.
        _ = backup(place, ahead: 10, "five")
        #expect(prune(10, "--keep-within 7d --plan \(id) --yes").status == 4)
        let done = prune(10, "--keep-within 8d --plan \(id) --yes")
        #expect(
            done.status == 0 && done.output.contains("removed 2 images")
                && done.output.contains("condemned, and freed"),
            "\(done)")
        #expect(names(place) == ["three", "four", "five"])
        #expect(volumes(place).isSuperset(of: ofTwo))

        // What waits is not removed before its time, nor built on: the same content is stored anew.
        let early = prune(10, "--yes")
        #expect(early.status == 0 && !early.output.contains("freed: "), "\(early)")
        let before = volumes(place)
        _ = backup(place, ahead: 10, "six", own: "states/two/own")
        #expect(volumes(place).subtracting(before).count >= 1)
        pass(place, days: 13)
        let waiting = prune(23, "--yes")
        #expect(waiting.status == 0 && volumes(place).isSuperset(of: ofTwo), "\(waiting)")

        pass(place, days: 2)
        let due = prune(25, "--dry-run")
        #expect(due.status == 0 && due.output.contains("free at once"), "\(due)")
        _ = backup(place, ahead: 25, "seven")
        let freed = prune(25, "--yes")
        #expect(freed.status == 0 && freed.output.contains("freed: "), "\(freed)")
        #expect(volumes(place).isDisjoint(with: ofTwo))

        #expect(names(place) == ["three", "four", "five", "six", "seven"])
        for name in names(place).sorted() {
            let restored = holdfast(place, ahead: 25, "restore \(name) --from store --to out/\(name)")
            #expect(restored.status == 0, "\(restored)")
            #expect(place.shell("diff -r states/\(name) out/\(name)").status == 0)
        }
        // Nothing that no image names, and of all that has ended nothing but the steward's word on it.
        let rest = prune(25, "--dry-run --json")
        #expect(rest.status == 0, "\(rest)")
        for amount in ["freed", "condemned", "young", "waiting", "removable", "leftovers"] {
            #expect(rest.output.contains("\"\(amount)\":{\"objects\":0,"), "\(amount): \(rest)")
        }
        #expect(place.shell("find store/c -type f 2>/dev/null").output == "")
        let whole = holdfast(place, ahead: 25, "verify latest --from store --read-data")
        #expect(whole.status == 0, "\(whole)")
    }
}
