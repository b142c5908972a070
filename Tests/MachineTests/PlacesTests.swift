// Where Holdfast has what: one home, the machine's for root, and nothing lost on the way there.

import Glibc
import Machine
import Platform
import TestSupport
import Testing

/// A scratch folder, which goes with it.
private final class Scratch {
    let path: BytePath
    init() throws {
        path = BytePath("/tmp/holdfast-places-\(getpid())-\(Timestamp.now().nanoseconds)")
        try makeFolders(path)
    }
    deinit { shell("rm -rf \(path)") }
}

@Suite struct PlacesTests {
    private func places(_ isRoot: Bool, _ variables: [String: String] = [:]) -> Places {
        Places(isRoot: isRoot, home: "/nowhere/home") { variables[$0].map { BytePath($0) } }
    }

    @Test("Root's places are the machine's, others' are the user's, and the environment says others to both")
    func standard() {
        let root = places(true)
        #expect(root.state == "/var/lib/holdfast" && root.keys == root.state && root.configuration == "/etc/holdfast")
        #expect(root.identity == "/etc/holdfast/identity.txt")
        let user = places(false)
        #expect(user.state == "/var/lib/holdfast" && user.keys == "/nowhere/home/.local/state/holdfast")
        #expect(
            user.cache == "/nowhere/home/.cache/holdfast"
                && user.identity == "/nowhere/home/.config/holdfast/identity.txt")
        for isRoot in [true, false] {
            let given = places(isRoot, ["XDG_STATE_HOME": "/x/s", "XDG_CACHE_HOME": "/x/k", "XDG_CONFIG_HOME": "/x/c"])
            #expect(
                given.keys == "/x/s/holdfast" && given.cache == "/x/k/holdfast"
                    && given.configuration == "/x/c/holdfast")
            let state = places(isRoot, ["HOLDFAST_STATE": "/x/state"])
            #expect(state.state == "/x/state" && state.keys == "/x/state" && state.cache == "/x/state/cache")
        }
    }

    @Test(
        "A monitor's user, who has no jobs of his own, is told of the machine's; who has some, or names a place, of those"
    )
    func looking() throws {
        let scratch = try Scratch()
        let (home, machine) = (scratch.path.appending("home"), scratch.path.appending("machine"))
        func keys(isRoot: Bool = false, _ variable: String? = nil) -> BytePath {
            Places(isRoot: isRoot, home: home) { $0 == variable ? scratch.path.appending("given") : nil }
                .looking(at: machine).keys
        }
        let own = home.appending(".local/state/holdfast")
        #expect(keys() == own)
        try makeFolders(machine.appending("jobs"))
        #expect(keys() == machine && keys(isRoot: true) == "/var/lib/holdfast")
        #expect(keys("HOLDFAST_STATE") == scratch.path.appending("given"))
        #expect(keys("XDG_STATE_HOME") == scratch.path.appending("given/holdfast"))
        try makeFolders(own.appending("jobs"))
        #expect(keys() == own)
    }

    @Test(
        "Root's keys and records of runs come over from the home folder once, whatever interrupts it, and another key stays"
    )
    func adopted() throws {
        let scratch = try Scratch()
        let (home, new) = (scratch.path.appending("home"), scratch.path.appending("state"))
        shell(
            """
            cd \(scratch.path); s=home/.local/state/holdfast/stores; mkdir -p $s/aa/runs $s/bb home/.cache/holdfast/stores/aa; touch $s/aa/runs/r1
            echo key >$s/aa/writer.key; echo old >$s/bb/writer.key; mkdir -p state/stores/bb; echo other >state/stores/bb/writer.key
            echo walk >home/.cache/holdfast/stores/aa/walk-1
            """)
        var places = Places(isRoot: true, home: home) { _ in nil }
        places.apply(state: new, cache: scratch.path.appending("cache"))
        #expect(try places.adoptHome().count == 1)
        #expect(try places.adoptHome().isEmpty)
        #expect(
            shell("cd \(new)/stores; cat aa/writer.key bb/writer.key; ls aa/runs; stat -c %a aa/writer.key")
                == "key\nother\nr1\n600\n")
        #expect(shell("cat \(scratch.path)/cache/stores/aa/walk-1") == "walk\n")
        #expect(shell("cd \(home)/.local/state/holdfast/stores; find . -type f") == "./bb/writer.key\n")
    }

    @Test(
        "Of the configuration only what is secret is left out of images, whatever it is called; of the state all the rest"
    )
    func secrets() throws {
        let scratch = try Scratch()
        shell(
            """
            cd \(scratch.path); mkdir -p s/etc/filter.d s/log s/stores; echo 'state = "/x"' >s/etc/config.toml; echo AGE-SECRET-KEY-1Q >s/etc/hidden
            printf -- '-----BEGIN OPENSSH PRIVATE KEY-----' >s/etc/k; echo {} >s/points.json
            """)
        let own = places(true, ["HOLDFAST_STATE": "\(scratch.path)/s"]).ownFiles().filter { $0.isBelow(scratch.path) }
        let names = Set(own.map { String(decoding: scratch.path.remainder(of: $0), as: UTF8.self) })
        #expect(names.isSuperset(of: ["s/log", "s/stores", "s/points.json", "s/etc/hidden", "s/etc/k"]))
        #expect(names.isDisjoint(with: ["s", "s/etc", "s/etc/config.toml", "s/etc/filter.d"]))
    }

    @Test("No source but this one names a place of Holdfast's")
    func literals() throws {
        let sources = packageFolder.appending("Sources")
        let pattern = "/(var/lib|etc|run|var/cache)/holdfast"
        let found = try runProgram(["grep", "-rnE", "--include=*.swift", "\(pattern)", ProgramWord(sources)]).lines
        let wrong = found.filter { line in
            let code = line.split(separator: ":", maxSplits: 2).last.map { String($0) } ?? ""
            let isComment = code.drop { $0 == " " }.hasPrefix("//")
            // The engine's own list goes when it is made from places alone.
            return !isComment && !line.contains("/Machine/Places.swift") && !line.contains("/Store/MachineState.swift")
        }
        #expect(wrong.isEmpty)
    }
}

@Suite struct MachineLockTests {
    @Test("One command at a time holds a machine, and a link in the place of the lock is not followed")
    func exclusion() throws {
        let scratch = try Scratch()
        do {
            let lock = try MachineLock(scratch.path)
            #expect(lock.state == scratch.path)
            #expect(throws: MachineLocked.self) { _ = try MachineLock(scratch.path) }
        }
        _ = try MachineLock(scratch.path)
        shell("cd \(scratch.path); rm lock; ln -s elsewhere lock")
        #expect(throws: SystemError.self) { _ = try MachineLock(scratch.path) }
        #expect(!exists(scratch.path.appending("elsewhere")))
    }
}
