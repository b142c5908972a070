// Somebody who may write where root restores: he swaps names for links under every operation. Nothing outside is touched.

import TestSupport
import Testing

@Suite(.serialized) struct SwappedNamesTests {
    /// Every kind of entry in folders where others may write, with modes and owners that would give something away.
    private let tree = """
        mkdir -m 1777 tree; mkdir -m 777 tree/open; cd tree/open
        for i in 1 2 3 4 5 6; do
          mkdir folder$i; echo content > folder$i/file; mkfifo fifo$i; ln -s nowhere link$i; echo $i > file$i
          chown -h nobody fifo$i file$i folder$i link$i; chmod 6777 fifo$i file$i folder$i; ln file$i second$i
        done
        """
    private let canary = """
        mkdir outside; echo canary > outside/canary; mkdir outside/folder; mkfifo -m 600 outside/fifo; touch -d @1000000000 outside/*
        """
    private let look = "find outside -printf '%p %m %U %G %T@ %s %n %l\\n' | sort; cat outside/canary"

    @Test("Swapping names for links as fast as it goes leads no restore outside of its target")
    func racing() {
        let place = Workplace()
        place.shell(tree)
        place.shell(canary)
        place.shell("cat > swap.py <<'END'\n\(swapper)\nEND\nchmod a+rx .")
        #expect(place.holdfast("backup tree --to store").status == 0)
        let before = place.shell(look).output
        let rounds = runsAll ? 2000 : 40
        let raced = place.shell(
            """
            mkdir target; python3 swap.py target outside & swapper=$!; trap "kill $swapper" EXIT
            for i in $(seq \(rounds)); do
              [ $((i % 2)) = 0 ] || rm -rf target/* 2> rm.txt
              holdfast restore latest --from store --to target --quiet > out.txt 2>&1; status=$?
              [ $status = 0 ] || [ $status = 3 ] || { echo "round $i: status $status"; cat out.txt; }
            done
            """)
        #expect(raced.output == "", "\(raced)")
        #expect(place.shell(look).output == before)
    }

    @Test("Stopped before each call on a name, and its name swapped for a link, a restore touches nothing outside")
    func stopped() {
        let place = Workplace()
        place.shell(tree)
        place.shell(canary)
        place.shell("cat > stop.py <<'END'\n\(stopper)\nEND")
        #expect(place.holdfast("backup tree --to store").status == 0)
        let before = place.shell(look).output
        let calls = [
            "openat", "linkat", "renameat", "fchownat", "fchmodat", "utimensat", "mkdirat", "mknodat", "symlinkat",
            "unlinkat", "readlinkat", "chmod", "lsetxattr", "setxattr", "statx",
        ]
        for start in ["rm -rf target 2> rm.txt", "true"] {
            for call in calls {
                // Every name of the tree once, at the first, second … call of this kind.
                let outcome = place.shell(
                    "\(start); python3 stop.py \(call) \(runsAll ? 1 : 37) \(builtProgram) restore latest --from store --to target"
                )
                #expect(outcome.status == 0, "\(call): \(outcome)")
                let after = place.shell(look).output
                #expect(after == before, "\(call): \(after)")
            }
        }
    }

    @Test("Swapping names for links leads no exact restore outside of its tree, where that takes away and replaces")
    func exact() {
        let place = Workplace()
        place.shell(tree)
        place.shell(canary)
        place.shell("cat > swap.py <<'END'\n\(swapper)\nEND\nchmod a+rx .")
        let before = place.shell(look).output
        let made = place.shell("holdfast setup --root $PWD/tree --backend tree --state $PWD/state --yes")
        #expect(made.status == 0, "\(made)")
        let rounds = runsAll ? 1000 : 15
        // What is made between two rollbacks is to go: folders that hold folders, and names that are folders in the one and files in the other.
        let raced = place.shell(
            """
            python3 swap.py tree outside & swapper=$!; trap "kill $swapper" EXIT
            for i in $(seq \(rounds)); do
              mkdir -p tree/open/new$i/a/b tree/open/file1 2> mk.txt; cp -a outside tree/open/new$i/a/copy 2> cp.txt
              holdfast rollback factoryreset --state $PWD/state --yes --quiet > out.txt 2>&1; status=$?
              [ $status -lt 5 ] || { echo "round $i: status $status"; cat out.txt; }
            done
            """)
        #expect(raced.output == "", "\(raced)")
        #expect(place.shell(look).output == before)
        let whole = place.shell("holdfast rollback factoryreset --state $PWD/state --yes --quiet; ls -A tree/open")
        #expect(whole.status == 0, "\(whole)")
    }

    private let swapper = """
        import os, sys
        target, outside = (os.path.abspath(p) for p in sys.argv[1:])
        place = target + "/open"
        victims = {"file": "canary", "fifo": "fifo", "folder": "folder", "link": "canary", "second": "canary"}
        n = 0
        while True:
            n += 1
            for kind, victim in victims.items():
                for i in range(1, 7):
                    name = f"{place}/{kind}{i}"
                    try:
                        os.symlink(f"{outside}/{victim}", f"{place}/.swap")
                        os.rename(name, f"{place}/.old{n % 8}{kind}{i}")
                        os.rename(f"{place}/.swap", name)
                    except OSError: pass
                    try: os.unlink(f"{place}/.swap")
                    except OSError: pass
        """

    /// Stops the program before its Nth call of a kind that has a name of the tree in it, and swaps the name for a link.
    private let stopper = """
        import os, re, subprocess, sys
        call, step, command = sys.argv[1], int(sys.argv[2]), sys.argv[3:]
        outside = os.path.abspath("outside")
        victims = {"file": "canary", "fifo": "fifo", "folder": "folder", "link": "canary", "second": "canary"}
        number = 1
        while number < 400:
            if not os.path.isdir("target"): os.mkdir("target")
            # The program sleeps as it enters the call: time enough to look at what it is about to do.
            trace = f"trace.{os.getpid()}"
            open(trace, "w").close()
            run = subprocess.Popen(["strace", "-f", "-o", trace, "-e", f"trace={call}", "-e",
                                    f"inject={call}:delay_enter=150000:when={number}", *command],
                                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            import time
            swapped = False
            while run.poll() is None:
                # Swap all that is there, again and again, while it sleeps and after.
                for kind, victim in victims.items():
                    for i in range(1, 7):
                        name = f"target/open/{kind}{i}"
                        # Any of these may be gone by the next call.
                        try:
                            if os.path.islink(name) and os.readlink(name).startswith(outside): continue
                            os.rename(name, f"target/open/.old{number}{kind}{i}{time.time_ns()}")
                            os.symlink(f"{outside}/{victim}", name)
                        except OSError: pass
                time.sleep(0.01)
            if run.returncode not in (0, 3): sys.exit(f"status {run.returncode} at {call} {number}")
            text = open(trace, errors="replace").read()
            if text.count(call + "(") < number: break
            number += step
        """
}
