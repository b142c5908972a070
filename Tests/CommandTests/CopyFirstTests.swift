// An image that is copied to this machine before it is restored: it comes back whole though its store goes away in the middle, and of the
// copy nothing stays.

import Glibc
import Platform
import TestSupport
import Testing

@Suite("An image that is copied first") struct CopyFirstTests {
    /// A tree with many long names: what is said of them fills a pipe, so that a restore waits for whoever reads it.
    private static let tree = """
        mkdir -p tree/sub; head -c 3000000 /dev/urandom > tree/random; ln -s ../random tree/sub/link; ln tree/random tree/sub/hard
        name=$(printf 'x%.0s' $(seq 200)); seq -f "tree/sub/$name-%g" 900 | while read -r file; do echo "$file" > "$file"; done
        chmod 4751 tree/random; chmod 700 tree/sub; chown 1234:5678 tree/random 2> /dev/null; chown -h 77:88 tree/sub/link 2> /dev/null
        touch -d 2001-02-03T04:05:06.789 tree/random; setfattr -n user.holdfast -v kept tree/random
        """

    /// What a tree is, to be compared: content, modes, owners, times, links.
    private static let look = """
        look() { (cd "$1" && find . -printf '%p %y %m %U:%G %T@ %n %l\\n' | grep -v '^\\. ' | sort; find . -type f -exec sha256sum {} + | sort; getfattr -d random); }
        same() { look tree > tree.look; look out > out.look; cmp tree.look out.look && echo same; }

        """

    private static let left = "ls -A home/cache/holdfast | grep staged; :"

    /// A folder with an image of the tree.
    private func placeWithFolder() throws -> Workplace {
        let place = Workplace()
        let made = place.shell(
            "\(Self.tree); holdfast store init store --quiet && holdfast backup tree --to store --quiet")
        try #require(made.status == 0, "\(made)")
        return place
    }

    /// Restores with a script that runs once the copy is whole and the restore has begun: it goes on only when that has ended.
    private func restore(_ place: Workplace, from store: String, meanwhile script: String) -> Outcome {
        place.shell(
            """
            \(Self.look)
            [ ! -e config.toml ] || export HOLDFAST_CONFIG=$PWD/config.toml
            mkfifo said
            timeout -s KILL 60 holdfast restore latest --from \(store) --to out --copy-first --verbose > said 2>&1 &
            holdfast=$!
            while read -r line; do
                case $line in restoring*) echo begun; program=$(pgrep -P $holdfast); \(script) ;; error:* | hint:* | damaged:*) echo "$line" ;; esac
            done < said
            wait $holdfast
            echo "status $?"
            same
            """)
    }

    @Test(
        "What comes back is what was there, with modes, owners and times, and the copy is gone",
        .enabled(if: HostFacts.isRoot))
    func whole() throws {
        let place = try placeWithFolder()
        let outcome = restore(place, from: "store", meanwhile: "ls -A home/cache/holdfast | grep -c staged")
        #expect(outcome.output == "begun\n1\nstatus 0\nsame\n", "\(outcome)")
        #expect(place.shell(Self.left).output == "")
    }

    @Test("A medium that is pulled once the copy is made does not keep the restore from its end")
    func pulled() throws {
        let place = try placeWithFolder()
        let outcome = restore(place, from: "store", meanwhile: "rm -rf store")
        #expect(outcome.output == "begun\nstatus 0\nsame\n", "\(outcome)")
        #expect(place.shell("ls -d store; \(Self.left)").output.contains("staged") == false)
    }

    @Test("Nor does a server that is gone")
    func serverGone() throws {
        let offsite = try OffsitePlace()
        let made = offsite.shell(
            "rm -r tree; \(Self.tree); holdfast store init off --quiet && holdfast backup tree --to off --quiet")
        try #require(made.status == 0, "\(made)")
        let outcome = restore(
            offsite.place, from: "off", meanwhile: "kill -9 \(offsite.server["PID"])")
        #expect(outcome.output == "begun\nstatus 0\nsame\n", "\(outcome)")
        #expect(offsite.shell(Self.left).output == "")
    }

    @Test(
        "A restore that is asked to end, or cannot write, leaves no copy behind",
        arguments: ["copying", "restoring", "failing"])
    func ended(moment: String) throws {
        let place = try placeWithFolder()
        let outcome: Outcome
        switch moment {
        case "copying":
            outcome = place.shell(
                """
                holdfast restore latest --from store --to out --copy-first --rate 300kB > said 2>&1 &
                for i in $(seq 100); do [ -d home/cache/holdfast/staged-*/v ] && break; sleep 0.1; done
                ls home/cache/holdfast | grep -c staged; kill -TERM $!; wait $!; echo "status $?"; ls out
                """)
            #expect(
                outcome.output.hasPrefix("1\nstatus 130\n") && outcome.output.contains("cannot access"), "\(outcome)")
        case "restoring":
            outcome = restore(place, from: "store", meanwhile: "kill -TERM $program")
            #expect(outcome.output.hasPrefix("begun\n") && outcome.output.contains("status 130\n"), "\(outcome)")
        default:
            outcome = place.shell("echo file > out; holdfast restore latest --from store --to out/below --copy-first")
            #expect(outcome.status == 1 && outcome.output.contains("error: "), "\(outcome)")
        }
        #expect(place.shell(Self.left).output == "", "\(outcome)")
    }

    @Test(
        "What a restore that was killed has left is gone on with, and that of another image removed; what is in use stays"
    )
    func killed() throws {
        let place = try placeWithFolder()
        let outcome = place.shell(
            """
            \(Self.look)
            holdfast restore latest --from store --to out --copy-first --rate 300kB > said 2>&1 &
            for i in $(seq 100); do [ -d home/cache/holdfast/staged-*/v ] && break; sleep 0.1; done
            kill -9 $!; wait $!; cd home/cache/holdfast; mkdir -p staged-0123/v staged-4567; cd - > /dev/null
            flock home/cache/holdfast/staged-4567 holdfast restore latest --from store --to out --copy-first --quiet && same
            ls home/cache/holdfast | grep staged; rmdir home/cache/holdfast/staged-4567
            holdfast restore latest --from store --to out --copy-first --quiet & holdfast restore latest --from store --to out2 --copy-first --quiet
            wait $! && diff -r --no-dereference tree out2 && same
            """)
        #expect(outcome.status == 0 && outcome.output.hasSuffix("same\nstaged-4567\nsame\n"), "\(outcome)")
        #expect(place.shell(Self.left).output == "")
    }

    @Test(
        "Where the copy has no room that is one sentence, and nothing is written to the target",
        .enabled(if: HostFacts.isRoot))
    func noRoom() throws {
        let place = try placeWithFolder()
        place.shell("mkdir small; mount -t tmpfs -o size=2m cache small")
        defer { place.shell("umount small") }
        let outcome = place.shell(
            "XDG_CACHE_HOME=$PWD/small holdfast restore latest --from store --to out --copy-first --quiet")
        #expect(outcome.status == 1, "\(outcome)")
        let lines = outcome.output.split(separator: "\n")
        #expect(lines.count == 2 && lines[0].contains("\(place.file("small")) (cache, 2 MB) is full"), "\(outcome)")
        #expect(lines.last?.hasPrefix("hint: ") ?? false && outcome.output.contains("--copy-first"), "\(outcome)")
        #expect(place.shell("ls out; ls -A small/holdfast | grep staged; :").output.contains("cannot access"))
        #expect(place.shell("ls -A small/holdfast | grep staged").output == "")
    }
}
