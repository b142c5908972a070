// What becomes of stores behind a line that cuts, stalls and loses answers, and of commands that are killed, stopped and suspended meanwhile.
// What has to hold each time is in offsite-faults.sh.

import Glibc
import Platform
import Synchronization
import TestSupport
import Testing

/// Where the store is.
enum FaultyKind: String, CaseIterable, Sendable, CustomTestStringConvertible {
    /// Our own object store, Ceph's gateway, SFTP's server in the place of ssh, and ssh with an sshd.
    case s3, ceph, sftp, ssh

    var isObjects: Bool { self == .s3 || self == .ceph }
    var testDescription: String { rawValue }

    /// What this machine has servers for.
    static let usual = [s3] + (getuid() == 0 && exists(BytePath(SFTPShim.server)) ? [sftp] : [])
    static let real =
        (exists("/usr/bin/radosgw") ? [ceph] : [])
        + (getuid() == 0 && exists("/usr/sbin/sshd") && exists("/usr/bin/ssh") ? [ssh] : [])
}

private enum SFTPShim {
    static let server = "/usr/lib/openssh/sftp-server"
}

/// The servers of a kind, which several places may share: each has a line of its own.
final class FaultyServer: Sendable {
    let kind: FaultyKind
    /// nil: the server is a program that each connection starts.
    let server: TestServer?

    init(_ kind: FaultyKind) throws {
        self.kind = kind
        server =
            switch kind {
            case .s3: try TestServer("refusing", "--enforce-condition")
            case .ceph: try TestServer("ceph")
            case .ssh: try TestServer("sshd")
            case .sftp: nil
            }
    }

    func value(_ name: String) -> String { server?[name] ?? "" }
}

/// A workplace with a store `off` on the other side of a line with faults.
final class FaultyPlace: Sendable {
    let place = Workplace(in: "/dev/shm")
    let kind: FaultyKind
    /// The object store's.
    let secret: String
    private let server: FaultyServer
    private let proxy: TestServer?
    /// A shell's, before anything else.
    private let prelude: String

    convenience init(_ kind: FaultyKind) throws { try self.init(FaultyServer(kind)) }

    init(_ server: FaultyServer) throws {
        self.server = server
        kind = server.kind
        let line = "\(place.path)/line"
        // Those that share a server have names of their own there.
        let own = place.path.split(separator: "/").last ?? ""
        var url = "sftp://server\(place.path)/remote/"
        var settings = ""
        var prelude = ""
        if kind.isObjects {
            let proxy = try TestServer("faults", "http \(server.value("ENDPOINT").dropFirst(7)) --state \(line)")
            self.proxy = proxy
            secret = server.value("SECRET_KEY")
            let bucket = server.value(kind == .ceph ? "PLAIN_BUCKET" : "BUCKET")
            url =
                "s3://\(bucket)/\(own)/NAME?endpoint=\(proxy["ENDPOINT"])&region=\(server.value("REGION"))"
            settings = "credentials = \"\(place.path)/key\""
            prelude = """
                (umask 77; printf 'aws_access_key_id = %s\\naws_secret_access_key = %s\\n' \(server.value("ACCESS_KEY")) \(secret) > key)
                """
        } else {
            proxy = nil
            var command = SFTPShim.server
            secret = "of-nobody-0123456789"
            if kind == .ssh {
                url = "sftp://plain\(server.value("FOLDER"))/\(own)-"
                command = "\(place.path)/real-ssh -F \(server.value("CONFIG")) @"
                prelude = "cp /usr/bin/ssh real-ssh\n"
            }
            settings = "ssh = [\"\(place.path)/ssh\"]"
            prelude += """
                \(builtScripts)/Servers/faults sftp --shim \(place.path)/ssh --direct --state \(line) -- \(command)
                mkdir -p remote
                child='faults sftp .*\(line)\\|\(place.path)/real-ssh'
                """
        }
        let path = url.contains("NAME") ? url.split(separator: "NAME").map(String.init) : [url, ""]
        self.prelude = """
            . \(builtScripts)/CommandTests/offsite-faults.sh
            store_url() { echo "\(path[0])$1\(path[1])"; }
            store_settings() { echo '\(settings)'; }
            \(prelude)
            [ -e home/config/holdfast/identity.txt ] || holdfast key generate --quiet > /dev/null
            """
        place.shell("mkdir -p line home; : > config.toml")
    }

    /// Runs steps of offsite-faults.sh.
    /// - Returns: what was not as it should be.
    func problems(_ steps: String) -> String {
        let script = "export HOLDFAST_CONFIG=\(place.path)/config.toml\n\(prelude)\n\(steps)"
        return place.shell("cat > run.sh <<'STEPS'\n\(script)\nSTEPS\nbash run.sh").output
    }

    /// An empty store, with an image in it.
    static let begun = "begun line\n"
}

/// Runs each of the scripts in a place of its own, all on one server and at the same time: most of what faults cost is waiting.
/// - Returns: what was not as it should be.
private func problems(_ kind: FaultyKind, _ scripts: [String]) throws -> String {
    let server = try FaultyServer(kind)
    let places = try scripts.map { (try FaultyPlace(server), $0) }
    let found = Mutex("")
    let begun = HostFacts.secondsSinceStart
    let threads = places.map { place, script in
        WorkerThread {
            let words = place.problems(script)
            let runs = place.place.shell("cat runs 2> /dev/null; :").output
            print("over \(kind.rawValue): \(runs)", terminator: runs.isEmpty ? "\n" : "")
            found.withLock { $0 += words }
        }
    }
    for thread in threads { thread.join() }
    print("over \(kind.rawValue): \(scripts.count) at once, \(HostFacts.secondsSinceStart - begun) s")
    return found.withLock { $0 }
}

@Suite("Stores behind a line with faults") struct OffsiteFaultTests {
    @Test(
        "Cuts before, within and after each request cost no image, and nothing has to be unlocked",
        arguments: FaultyKind.usual + FaultyKind.real)
    func cuts(kind: FaultyKind) throws {
        let steps = kind == .ceph || kind == .ssh ? ["second"] : ["first", "second", "sent", "fetched", "restored"]
        var scripts = [FaultyPlace.begun + steps.map { "some \($0)\n" }.joined() + "undamaged"]
        if runsAll {
            scripts = steps.flatMap { step in
                ["cut-before", "cut-within", "cut-after"].map {
                    FaultyPlace.begun + "every \(step) \($0)\nundamaged"
                }
            }
        }
        #expect(try problems(kind, scripts) == "")
    }

    @Test("Requests that are refused in a storm, late or slow cost time and no image", arguments: FaultyKind.usual)
    func slowness(kind: FaultyKind) throws {
        var faults = ["--delay 50", "--rate 1"]
        if kind == .s3 {
            let storms = runsAll ? (1...10).map { ($0, Double($0) / 12) } : [(1, 0.2)]
            faults += storms.map { "--storm \($0.1) --seed \($0.0)" }
        }
        let steps = runsAll ? ["first", "second", "sent", "fetched", "restored"] : ["second", "restored"]
        let scripts = faults.map { fault in
            FaultyPlace.begun + steps.map { "step \($0) '\($0)\(fault)' '\(fault)'\n" }.joined() + "undamaged"
        }
        #expect(try problems(kind, scripts) == "")
    }

    @Test(
        "kill -9 at any moment of a backup, copy or restore costs no image and leaves no ssh behind",
        arguments: [FaultyKind.s3] + (FaultyKind.real.contains(.ssh) ? [.ssh] : []))
    func kills(kind: FaultyKind) throws {
        let place = try FaultyPlace(kind)
        let seed = Int.random(in: 1...30000)
        print("kills over \(kind.rawValue): seed \(seed)")
        let problems = place.problems(FaultyPlace.begun + "RANDOM=\(seed)\nkills \(runsAll ? 34 : 2)")
        #expect(problems == "", "seed \(seed)")
    }

    @Test("A laptop that is closed in the middle of a backup goes on, or does it again", arguments: FaultyKind.usual)
    func day(kind: FaultyKind) throws {
        let place = try FaultyPlace(kind)
        var script = FaultyPlace.begun + "step day held --hold 3\n"
        if runsAll {
            script +=
                "step day gone '--cut-before 1-' 3\nstep day long --hold 100\nstep day gone-long '--cut-before 1-' 100\n"
        }
        #expect(place.problems(script + "undamaged") == "")
    }

    @Test("A command that waits for a silent server ends when it is asked to", arguments: FaultyKind.usual)
    func stopped(kind: FaultyKind) throws {
        let place = try FaultyPlace(kind)
        var script = FaultyPlace.begun
        for number in kind == .s3 ? [0, 9] : [0, 90] {
            script += "stopped backup-\(number) \(number) holdfast backup tree --to off --quiet\n"
            script += "stopped restore-\(number) \(number / 3) holdfast restore latest --from off --to result --quiet\n"
        }
        #expect(place.problems(script + "whole; next last; undamaged") == "")
        print("ended over \(kind.rawValue): \(place.place.shell("tr '\\n' ' ' < took").output)")
    }

    @Test(
        "A server that stops answering is given up, and asked again", .enabled(if: runsAll), arguments: FaultyKind.usual
    )
    func silence(kind: FaultyKind) throws {
        let place = try FaultyPlace(kind)
        let script = "step silent early 1 75\nstep silent late \(kind == .s3 ? 10 : 100) 75\n"
        #expect(place.problems(FaultyPlace.begun + script + "undamaged") == "")
    }

    @Test("The key of a store is seen neither in what is said and kept nor in any process", arguments: FaultyKind.usual)
    func secrets(kind: FaultyKind) throws {
        let place = try FaultyPlace(kind)
        let script = """
            change watched; faults --rate 0.4
            export AWS_SECRET_ACCESS_KEY=\(kind == .s3 ? "" : place.secret) AWS_ACCESS_KEY_ID=\(kind == .s3 ? "" : "x")
            [ -n "$AWS_ACCESS_KEY_ID" ] || unset AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY
            watched holdfast backup tree --to off --verbose
            cp said all-said
            watched holdfast restore latest --from off --to result --verbose
            cat said >> all-said
            watched holdfast store check off --verbose
            cat said shown >> all-said
            [ -s shown ] || echo "nothing was seen"
            faults '--cut-before 1-'
            judged holdfast images --from off --verbose
            cat said >> all-said
            [ -z "\(kind == .s3 ? "" : "x")" ] || [ -s children ] || echo "no ssh was seen"
            grep -lF '\(place.secret)' children \(kind == .s3 ? "all-said" : "")
            grep -rlF '\(place.secret)' home tree result remote line 2> /dev/null
            :
            """
        #expect(place.problems(FaultyPlace.begun + script) == "")
    }
}
