// The configuration is written by hand: a mistake in it is told with its place, and no text of it can bring the program down.

import Glibc
import Platform
import RestorePoints
import Stewardship
import Stores
import TestSupport
import Testing

@testable import HoldfastCommands

@Suite struct ConfigurationTests {
    /// Runs a command that reads the configuration and touches nothing else.
    private func run(_ configuration: [UInt8], in place: Workplace = Workplace()) throws -> Outcome {
        place.shell("rm -f config.toml")
        try writeNew(BytePath(place.file("config.toml")), configuration)
        return place.holdfast("images --from nowhere --config config.toml")
    }

    @Test(
        "A mistake in the configuration is told with line, column and what would be right",
        arguments: [
            ("stors = 1", "line 1, column 1: there is no setting stors; there are identity, state, cache"),
            ("state = '/a'\n\n  [stores]\nx = '/b'\n  y = 'c'\n", "line 5, column 7: the path of the store y is not"),
            ("[stores]\nx = 5", "line 2, column 5: the store x wants a path as a string"),
            (
                "# a\n[hooks]\nbefor = '/x'",
                "line 3, column 1: there is no setting befor in [hooks]; there are before, after and scan"
            ),
            ("[hooks]\nscan = ['/x']", "line 2, column 8: scan wants a path as a string"),
            ("[hooks]\nscan = 'clamscan'", "line 2, column 8: the path of scan is not absolute"),
            ("identity = ['/a',\n '/b', 7]", "line 2, column 8: identity wants paths as strings"),
            ("identity = ['/a', 'b']", "line 1, column 19: the path of identity is not absolute"),
            ("identity = true", "line 1, column 12: identity wants a path, or an array of paths"),
            (
                "x = 1",
                "there are identity, state, cache, series, [hooks], [stores], [stores.NAME], [jobs.NAME], [schedule], [notify], [status], [packages], [policy], [policy.NAME], [media.NAME] and [approval]"
            ),
            (
                "[packages]\npoints = 1",
                "line 2, column 1: there is no setting points in [packages]; there are point, backup, wait and"
            ),
            ("[packages]\npoint = 1", "line 2, column 9: point wants true or false"),
            ("[packages]\nbackup = true", "line 2, column 10: backup wants the name of a job as a string"),
            ("[packages]\nbackup = 'x'", "line 2, column 10: there is no job x; no table [jobs.NAME] makes one"),
            (
                "[packages]\nbackup = 'x'\n[jobs.y]\nsources = ['/a']\nto = ['/b']",
                "line 2, column 10: there is no job x; there are y"
            ),
            ("[packages]\nwait = '5m'", "line 2, column 8: wait has nothing to wait for: set backup"),
            ("[packages]\nrequired = true", "line 2, column 12: required has no backup that could be: set backup"),
            ("[packages]\nwait = 5", "line 2, column 8: wait wants a span from \"1m\" to \"1d\" as a string"),
            ("[packages]\nwait = '2d'", "line 2, column 8: wait wants a span"),
            ("[packages]\nrequired = 'no'", "line 2, column 12: required wants true or false"),
            ("hooks = 1", "line 1, column 9: [hooks] wants to be a table"),
            ("'state' = ''", "line 1, column 11: the path of state is not absolute"),
            ("state = '/a'\nstate = '/b'", "line 2, column"),
            ("state = '/a", "line 1, column 12"),
            ("state = \"/a\\u0000b\"", "line 1, column 9: the path of state holds a zero byte"),
            ("zzz = 1\naaa = 1", "line 1, column 1: there is no setting zzz"),
            ("größe = 1", "line 1, column 3: Error while parsing key-value pair: expected '=', saw 'ö'"),
            ("[[[x]", "line 1, column 3: "),
        ])
    func mistakes(text: String, message: String) throws {
        let outcome = try run(Array(text.utf8))
        #expect(outcome.status == 2, "\(outcome)")
        #expect(outcome.output.contains(message), "\(outcome)")
    }

    @Test(
        "A store may be called as a setting of another table is",
        arguments: ["offsite", "backup", "line", "media", "keep", "hold"])
    func storesCalledAsSettings(name: String) throws {
        let outcome = try run(Array("[stores]\n\(name) = '/srv/store'\n".utf8))
        #expect(!outcome.output.contains("stands below") && outcome.output.contains("nowhere"), "\(outcome)")
    }

    @Test("What is right is taken")
    func right() throws {
        let place = Workplace()
        place.shell("mkdir tree")
        place.holdfast("backup tree --to store")
        let outcome = try run(
            Array("identity = ['\(place.identity)']\n[stores]\n\"line 3\" = '\(place.file("store"))'\n".utf8), in: place
        )
        #expect(outcome.output.contains("nowhere"), "\(outcome)")
        let listed = place.holdfast("images --from 'line 3' --config config.toml")
        #expect(listed.status == 0 && listed.output.contains("tree"), "\(listed)")
    }

    @Test("The file that explains the settings sets none, and with all of them taken in each of them")
    func explained() throws {
        let text = runShell("\(builtProgram) explain-settings").output
        let none = try Configuration(text, path: "/x")
        #expect(none.identities.isEmpty && none.state == nil && none.stores.isEmpty && !none.makesPointBeforePackages)
        let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
        // What stands in place of something else is not set beside it.
        let others = Settings.tables.flatMap(\.settings).filter(\.isAlternative).map { "#" + $0.example }
        let all = try Configuration(
            lines.filter { !others.contains(String($0)) }.map {
                $0.hasPrefix("#") && !$0.hasPrefix("# ") ? $0.dropFirst() : $0
            }.joined(separator: "\n"),
            path: "/etc/passwd")
        #expect(all.identities == ["/etc/holdfast/identity.txt"] && all.state == "/var/lib/holdfast")
        #expect(all.cache == "/var/cache/holdfast" && all.series == "/etc/holdfast/series")
        #expect(all.hooks.before != nil && all.hooks.after != nil && all.scan == "/usr/local/lib/holdfast/scan")
        #expect(all.stores["nas"]?.settings.location.description == "/mnt/nas/line3" && all.makesPointBeforePackages)
        let store = try #require(all.stores["NAME"])
        #expect(store.settings.location.description == "s3://plant/line3?endpoint=https://s3.example.com")
        #expect(store.settings.credentials == .file("/etc/holdfast/s3") && store.settings.rate == 2_000_000)
        #expect(store.settings.transport.authorities == "/etc/holdfast/plant-ca.pem" && store.mayBecomeStore)
        #expect(store.settings.transport.proxy != nil && store.settings.transport.noProxy != nil)
        #expect(store.site == "head office" && store.fingerprint != nil)
        let job = try #require(all.jobs.first)
        #expect(job.name == "NAME" && job.source == .paths(["/", "/boot", "/boot/efi"]) && job.to == ["nas"])
        #expect(job.copies == ["/mnt/usb/line3"] && job.priority == .high && job.rate == 4_000_000 && job.verify == 5)
        #expect(job.timing?.every == 86_400 && job.timing?.reread == 28 * 86_400 && job.timing?.window.days.count == 5)
        #expect(
            job.keep?.description == "--keep-last 3 --keep-daily 7 --keep-weekly 4 --keep-monthly 12 --keep-within 14d")
        #expect(job.hooks?.before != nil && job.hooks?.after != nil && job.excludes.count == 2)
        #expect(all.schedule.hold == .file("/run/plant/producing") && all.schedule.memory == 1 << 29)
        #expect(all.schedule.processors?.text == "0-1")
        #expect(all.packageBackup == PackageBackup(job: "NAME"))
        let rules = try #require(all.policy.tables.first)
        #expect(
            rules.name == "NAME" && rules.stores == ["nas"] && rules.copies == 2
                && rules.media?.least == 500_000_000_000)
        #expect(all.policy.media.first?.custody == "safe of building 2, A. Berg" && all.policy.signers != nil)
        #expect(store.isOffsite && job.integrity == .latest && job.expected.count == 2)
        #expect(lines.allSatisfy { $0.count <= 80 }, "\(text)")
        for setting in Settings.tables.flatMap(\.settings) { #expect(text.contains("\n#" + setting.example + "\n")) }
    }

    @Test("No text of a configuration stops the program otherwise than with a sentence")
    func hostile() throws {
        let place = Workplace()
        let a60 = Array(repeating: "a", count: 60).joined(separator: ".")
        var texts: [[UInt8]] = [
            "[[[x]", "[", "\u{fefd}A", "x \u{3001}= 1", "x = \u{e4}", "[[", "[[x", "[x]]", "[]", "[[]]", "[x.]", "[.x]",
            "x", "x=", "x==", "=", ".", "x.=1", "x=[",
            "x=[,]",
            "x={", "x={,}", "x={a=1,a=1}", "x='''", "x=\"\"\"", "x=\"\\", "x=\"\\u12", "x=\"\\UFFFFFFFF\"", "x=0x",
            "x=1e999999",
            "x=99999999999999999999", "x=1__0", "x=_1", "x=1979-13-45", "x=1979-05-27 07:32", "x=25:61:61", "x=+nan",
            "x=-",
            "[a]\n[[a]]", "[[a]]\n[a]", "a=[]\n[[a]]", "a={}\n[a.b]", "a.b=1\na=2", "a=1\na.b=2", "[a.b]\n[a]\nb.c=1",
            "\"\"=1",
            "'a\nb'=1", "x=\u{0}", "\u{feff}x", "x='\u{85}'", "\u{85}\u{2028}", "x=1\rstate=1", "#\u{1}",
            String(repeating: "[", count: 200_000), "x=" + String(repeating: "[", count: 200_000),
            "x=" + String(repeating: "{a=", count: 200_000), String(repeating: "a.", count: 400_000) + "a=1",
            "[" + String(repeating: "a.", count: 400_000) + "a]", String(repeating: "\(a60)=[\n{", count: 5000),
            "x=\"" + String(repeating: "\\n", count: 400_000) + "\"",
            (0..<5000).map { "[\(a60).b\($0)]" }.joined(separator: "\n"),
        ].map { Array($0.utf8) }
        texts += [[0xff], [0xed, 0xa0, 0x80], Array("x='".utf8) + [0xc3], Array("x=1 #".utf8) + [0xfe, 0xff]]
        for text in texts {
            let outcome = try run(text, in: place)
            // Some are well formed, and then hold no setting that there is.
            #expect([1, 2].contains(outcome.status), "\(printable(Array(text.prefix(80)))): \(outcome)")
            #expect(outcome.output.hasPrefix("error: "), "\(printable(Array(text.prefix(80)))): \(outcome)")
        }
    }

    @Test(
        "Programs that others than root could have written into the file are not run as root, wherever it names them",
        .enabled(if: HostFacts.isRoot, "nobody else is asked"),
        arguments: [
            "[hooks]\nscan = \"/bin/true\"", "[schedule]\nhold = [\"/bin/true\"]", "[notify]\ncommand = \"/bin/true\"",
            "[stores.x]\nurl = \"sftp://h/x\"\nssh = [\"/bin/true\"]",
            "[stores.x]\nurl = \"s3://h/b\"\ncredentials = [\"/bin/true\"]",
        ])
    func writable(_ text: String) {
        let place = Workplace()
        place.shell("printf '%s\\n' '\(text)' >c.toml; chmod 666 c.toml")
        let outcome = place.holdfast("schedule status --config c.toml")
        #expect(
            outcome.status == 4 && outcome.output.contains("not run as root: others than its owner may write"),
            "\(outcome)")
    }
}
