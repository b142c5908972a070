// What only ZFS has: clones that hang on points, holds of other programs, datasets inside. In the lab's virtual machine.

import Glibc
import Images
import Platform
import RestorePoints
import TestSupport
import Testing

@Suite(.serialized, .enabled(if: Place.pool != nil, "there is no ZFS here; Tests/Lab/inside runs these where it is"))
struct ZFSLayoutTests {
    private func container(_ place: Place) -> String {
        "\(Place.pool ?? "")/\(place.scratch.description.split(separator: "-").last ?? "")"
    }

    @Test(
        "Points can be destroyed whatever hangs on them or holds them, and what was live once goes with the last of its points"
    )
    func lineage() throws {
        let place = try Place(.zfs)
        place.write("file", "one")
        let tree = try place.setUp()
        _ = try tree.create(PointRequest(name: "one"), user: "test")
        place.write("file", "two")
        _ = try tree.create(PointRequest(name: "two"), user: "test")
        let held = shell("zfs list -Ho name -t snapshot -r \(container(place)) | head -1 | tr -d '\\n'")
        shell("zfs hold mine \(held)")
        for name in ["one", "two", "one"] {
            _ = try tree.carryOut(tree.planRollback(to: tree.point(named: name), discardNewer: false), user: "test")
            #expect(shell("cat \(place.root)/file") == name)
        }
        #expect(
            shell("zfs list -Ho name -r \(container(place)) | wc -l") == "5\n", "container, live, and three that were")
        // The live one hangs on the first point, and another program holds that.
        try tree.destroy(tree.points().map(\.name), factory: false)
        #expect(try tree.points().isEmpty)
        #expect(shell("cat \(place.root)/file") == "one")
        shell("zfs release mine $(zfs list -Ho name -t snapshot -r \(container(place)) | head -1)")
        _ = try tree.create(PointRequest(name: "again"), user: "test")
        try tree.destroy(["again"], factory: false)
        #expect(shell("zfs list -Ho name -r \(container(place)) | wc -l") == "2\n", "nothing is left but the live one")
        #expect(shell("zfs list -Ho name -t snapshot -r \(container(place))") == "")
        #expect(shell("cat \(place.root)/file") == "one")
    }

    /// A script in the place of `zfs`, for as long as the machine runs: tests beside this one run it, too, and a shell opens its script once more
    /// by its path. Whoever has a file beside its state folder is killed before it runs `zfs` with the words that this names.
    private static let fake = shell(
        """
        folder=$(mktemp -d /tmp/holdfast-zfs-XXXXXX); zfs=$(command -v zfs); cp $zfs $folder/real
        cat > $folder/fake <<'END'
        #!/bin/sh
        [ -e FOLDER/on ] || exec FOLDER/real "$@"
        state=$(tr '\\0' '\\n' < /proc/$PPID/cmdline | grep -A1 -x -e --state | tail -n 1)
        if [ -n "$state" ] && [ -e "$state.before" ]; then
            words=$(cat "$state.before")
            case "$*" in $words) kill -9 $PPID; exit 1 ;; esac
        fi
        exec FOLDER/real "$@"
        END
        sed -i "s#FOLDER#$folder#g" $folder/fake; chmod 755 $folder/fake; mount --bind $folder/fake $zfs; echo -n $folder
        """)

    /// What is said once a rollback of "two" to "one" was killed before it runs `zfs` with these words, and then `script` was run.
    private func killed(before step: String, _ place: Place, _ script: String) throws -> String {
        place.write("file", "one")
        let tree = try place.setUp()
        _ = try tree.create(PointRequest(name: "one"), user: "test")
        place.write("file", "two")
        return shell(
            """
            exec 2>&1; hf() { \(builtProgram) "$@" --state \(place.state); }
            echo '\(step)' > \(place.state).before; touch \(Self.fake)/on
            hf rollback one --yes --quiet; rm \(Self.fake)/on \(place.state).before; \(script)
            """)
    }

    @Test(
        "A rollback that ended between its names, with nothing mounted at the tree's place, is finished by recover",
        arguments: ["rename?*/plant?*-left-*", "rename?*?*/plant", "mount?*"])
    func betweenNames(_ step: String) throws {
        let place = try Place(.zfs)
        let said = try killed(
            before: step, place, "ls \(place.root)/file; hf status; hf recover; echo $?; cat \(place.root)/file")
        #expect(
            said.contains("cannot access") && said.contains("was interrupted") && said.hasSuffix("\n0\none"),
            "\(said)")
    }

    @Test("A state that a rollback has left is a point where its record is lost")
    func lostRecord() throws {
        let place = try Place(.zfs)
        let said = try killed(
            before: "snapshot?*-left-*", place, "rm \(place.state)/journal/rollback.json; hf create more; echo $?")
        #expect(said.hasSuffix("\n0\n"), "\(said)")
        let tree = try place.open()
        let left = try #require(tree.points().first { $0.name.hasPrefix("found.") }, "\(said)")
        _ = try tree.carryOut(tree.planRollback(to: left, discardNewer: false), user: "test")
        #expect(shell("cat \(place.root)/file") == "two")
    }

    @Test("Snapshots of other programs are never touched")
    func foreign() throws {
        let place = try Place(.zfs)
        place.write("file", "one")
        shell(
            "zfs snapshot \(container(place))/plant@holdfast-of-somebody; zfs snapshot \(container(place))/plant@daily")
        let tree = try place.setUp()
        _ = try tree.create(PointRequest(name: "one"), user: "test")
        _ = try tree.carryOut(tree.planRollback(to: tree.point(named: "one"), discardNewer: false), user: "test")
        try tree.destroy(tree.points().map(\.name), factory: false)
        let left = shell("zfs list -Ho name -t snapshot -r \(container(place))")
        #expect(left.contains("@daily") && left.contains("@holdfast-of-somebody"), "\(left)")
    }

    @Test("Datasets inside and programs at work are refused with a code and a mend, and nothing changes")
    func refused() throws {
        let place = try Place(.zfs)
        place.write("file", "good")
        let tree = try place.setUp()
        let point = try tree.create(PointRequest(name: "good"), user: "test").point
        place.write("file", "bad")
        func codes() throws -> [String] { try refusals(tree, to: point, place) }
        let process = shell("cd \(place.root); sleep 4000 >/dev/null 2>&1 & echo -n $!")
        #expect(try codes() == ["busy"])
        shell("kill -9 \(process); while kill -0 \(process) 2>/dev/null; do sleep 0.01; done")
        shell("zfs create \(container(place))/plant/inner")
        #expect(try codes() == ["nested-datasets"])
        shell("zfs destroy \(container(place))/plant/inner")
        #expect(try codes() == [])
    }

    @Test("A backup reads a snapshot, and leaves none behind")
    func backup() throws {
        let place = try Place(.zfs)
        place.write("file", "x")
        let tree = try place.setUp()
        do {
            let snapshot = try #require(try tree.snapshot())
            place.write("file", "y")
            #expect(String(decoding: try readWhole(snapshot.path.appending("file"), limit: 10), as: UTF8.self) == "x")
        }
        #expect(shell("zfs list -Ho name -t snapshot -r \(container(place))") == "")
    }

    @Test("A point takes two child processes")
    func cost() throws {
        let place = try Place(.zfs)
        place.write("file", "x")
        _ = try place.setUp()
        let trace = place.scratch.appending("trace")
        shell(
            """
            HOME=\(place.scratch) HOLDFAST_CONFIG= strace -f -qq -o \(trace) -e trace=execve \(builtProgram) create one \
            --state \(place.state) --quiet
            """)
        #expect(shell("grep 'execve(.* = 0' \(trace) | grep -vc /tmp/holdfast-zfs") == "3\n", "itself and two")
    }
}
