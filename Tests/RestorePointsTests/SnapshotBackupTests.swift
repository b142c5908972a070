// Backups of a protected btrfs tree read a snapshot: one instant, and unchanged files stay unopened.

import Glibc
import Images
import Platform
import Reporting
import RestorePoints
import TestSupport
import Testing

@Suite(.serialized, .enabled(if: HostFacts.isRoot, "points are made by root"))
struct SnapshotBackupTests {
    private func holdfast(_ command: String, _ place: Place) -> String {
        shell(
            """
            export HOME=\(place.scratch)/home; export XDG_CONFIG_HOME=$HOME/c XDG_STATE_HOME=$HOME/s XDG_CACHE_HOME=$HOME/k HOLDFAST_CONFIG=
            mkdir -p $HOME; cd \(place.scratch); \(builtProgram) \(command) 2>&1
            """)
    }

    @Test(
        "Hooks stand around points and backups; a first one that fails leaves nothing, and the second one always runs")
    func hooks() throws {
        for kind in [BackendKind.btrfs, .tree] {
            let place = try Place(kind)
            place.write("file", "x")
            let note = place.scratch.appending("note")
            shell(
                """
                cd \(place.scratch); for h in before after; do printf '#!/bin/sh\\necho %s $* >> %s; test ! -e %s/fail-%s\\n' $h \(note) \(place.scratch) $h > $h
                chmod +x $h; done; printf '[hooks]\\nbefore = "%s"\\nafter = "%s"\\n' $PWD/before $PWD/after > config.toml
                """)
            _ = holdfast("setup --root \(place.root) --state \(place.state)", place)
            func run(_ command: String) -> String {
                shell("rm -f \(note)")
                _ = holdfast("\(command) --config config.toml --state \(place.state) --yes", place)
                return shell("cat \(note)")
            }
            #expect(run("create one") == "before create \(place.root)\nafter create \(place.root)\n")
            _ = holdfast("store init store", place)
            #expect(
                run("backup \(place.root) --to store") == "before backup \(place.root)\nafter backup \(place.root)\n")
            shell("touch \(place.scratch)/fail-before")
            #expect(run("create two") == "before create \(place.root)\nafter create \(place.root)\n")
            #expect(try place.open().points().map(\.name) == ["factoryreset", "one"])
            #expect(holdfast("create two --config config.toml --state \(place.state)", place).contains("the hook"))
        }
    }

    @Test(
        "Hooks are told the bytes of a tree's name, and find what was installed by hand, and nothing of the caller's environment"
    )
    func hookWords() throws {
        let place = try Place(.tree)
        for name in [Array("a\\x2db".utf8), [0x62, 0xff]] {
            let tree = place.scratch.appending(name)
            let said = place.scratch.appending("said")
            let hook = place.scratch.appending("hook \\")
            try makeFolders(tree)
            try replaceFile(
                hook, Array("#!/bin/sh\nprintf %s \"$2\" >\(said)\ncd \"$2\" && env >>\(said)\n".utf8), mode: 0o755)
            setenv("HOLDFAST_SECRET", "x", 1)
            defer { unsetenv("HOLDFAST_SECRET") }
            try Hooks(before: hook).around("create", tree, Progress(), Findings()) {}
            let text = try readWhole(said, limit: 1 << 16)
            #expect(text.starts(with: tree.bytes))
            let variables = String(decoding: text.dropFirst(tree.bytes.count), as: UTF8.self)
            #expect(variables.contains(":/usr/local/sbin:/usr/local/bin"))
            #expect(!variables.contains("HOLDFAST_SECRET"))
        }
    }

    @Test(
        "A backup of a protected subvolume is of one instant, though a program goes on writing, and opens no unchanged file"
    )
    func instant() throws {
        let place = try Place(.btrfs)
        shell("cd \(place.root); mkdir d; for i in $(seq 1 300); do echo $i > d/$i; done")
        _ = try place.setUp()
        // One file is written after the other, always the same number in both.
        let writer = shell(
            """
            (i=0; while :; do i=$((i+1)); echo $i > \(place.root)/first.new; mv \(place.root)/first.new \(place.root)/first
            echo $i > \(place.root)/d/z; done) >/dev/null 2>&1 & echo -n $!
            """)
        defer { shell("kill -9 \(writer)") }
        usleep(200_000)
        _ = holdfast("store init \(place.scratch)/store", place)
        var texts: [String] = []
        for _ in 0..<3 {
            texts.append(
                holdfast("backup \(place.root) --to \(place.scratch)/store --state \(place.state) --json", place))
            usleep(1_100_000)
        }
        shell("kill -9 \(writer)")
        #expect(
            texts.allSatisfy { $0.contains("\"point\":\"snapshot\"") && $0.contains("\"findings\":[]") }, "\(texts)")
        // Another snapshot has another st_dev; only what the program wrote is opened.
        let read = texts[2].split(separator: "\"filesRead\":").last.flatMap { Int($0.prefix { $0.isNumber }) }
        #expect((read ?? 999) <= 3, "\(texts[2])")
        shell("ls \(place.scratch)/mount/@holdfast/*/ > \(place.scratch)/left")
        #expect(shell("cat \(place.scratch)/left") == "", "no view stays")
        _ = holdfast("restore latest --from store --to back", place)
        let numbers = shell("cat \(place.scratch)/back/first \(place.scratch)/back/d/z").split(separator: "\n")
            .compactMap { Int($0) }
        #expect(numbers.count == 2 && (numbers[0] - numbers[1] == 0 || numbers[0] - numbers[1] == 1), "\(numbers)")
    }

    @Test("A backup of a point holds that state under the tree's own path, and the list of images says which point")
    func point() throws {
        let place = try Place(.btrfs)
        place.write("file", "good")
        let tree = try place.setUp()
        _ = try tree.create(PointRequest(name: "good"), user: "test")
        place.write("file", "bad")
        _ = holdfast("store init store", place)
        let made = holdfast("backup --point good --to store --state \(place.state) --json", place)
        #expect(made.contains("\"point\":\"good\""), "\(made)")
        #expect(made.contains("\(place.root)"))
        _ = holdfast("restore latest --from store --to back", place)
        #expect(shell("cat \(place.scratch)/back/file") == "good")
        #expect(
            holdfast("backup --point nope --to store --state \(place.state)", place).contains("there is no point nope"))
    }
}
