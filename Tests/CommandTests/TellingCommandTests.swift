// How jobs stand, as a monitor, a PLC and somebody at the machine are told.

import Platform
import TestSupport
import Testing

@testable import HoldfastCommands

@Suite struct TellingCommandTests {
    private func plant(_ more: String = "") -> Workplace {
        let place = Workplace()
        place.shell(
            """
            mkdir tree; echo one > tree/file
            cat > config.toml <<'END'
            [jobs.plant]
            sources = ["\(place.file("tree"))"]
            to = ["\(place.file("store"))"]
            every = "1d"
            \(more)
            END
            """)
        place.holdfast("store init store --quiet")
        return place
    }

    private let config = "--config config.toml"

    @Test(
        "A monitor is told of what was never done, of what went well, and that nothing can be judged where that is so")
    func check() {
        let place = plant()
        let new = place.holdfast("check \(config)")
        #expect(new.status == 0 && new.output.hasPrefix("OK - 1 job, not done yet: plant | "), "\(new)")
        place.shell("touch -d '27 hours ago' config.toml")
        let never = place.holdfast("check \(config)")
        #expect(
            never.status == 2 && never.output.hasPrefix("CRITICAL - plant: it has not been done yet | "), "\(never)")
        #expect(place.holdfast("schedule run \(config)").status == 0)
        let well = place.holdfast("check \(config)")
        #expect(
            well.status == 0 && well.output.hasPrefix("OK - 1 job, the oldest success") && well.isQuiet,
            "\(well)")
        #expect(well.output.contains(";93600;180000;0"))
        let strict = place.holdfast("check \(config) --warn 1m --crit 2h")
        #expect(strict.status == 0 && strict.output.contains(";60;7200;0"), "\(strict)")
        for line in [
            "check --config missing.toml", "check \(config) --bogus", "check \(config) --warn 2h --crit 1h",
            "check \(config) --warn soon",
        ] {
            let unknown = place.holdfast(line)
            #expect(unknown.status == 3 && unknown.output.hasPrefix("UNKNOWN - "), "\(line): \(unknown)")
            #expect(unknown.output.split(separator: "\n").count == 1, "\(unknown)")
        }
        // Nobody writes to it.
        place.shell("mkfifo fifo")
        let fifo = place.holdfast("check --config fifo")
        #expect(fifo.status == 3 && fifo.output.contains("nobody writes to it"), "\(fifo)")
        #expect(place.shell("cat config.toml | holdfast check --config /dev/stdin").status == 0)
        place.shell(": > config.toml")
        let none = place.holdfast("check \(config)")
        #expect(none.status == 3 && none.output == "UNKNOWN - there is no job in the configuration\n", "\(none)")
    }

    @Test("A job is new from the first look that finds it, whatever is written into the configuration later")
    func new() {
        // A time of the day that is not now.
        let place = plant("window = \"03:00-04:00\"")
        place.shell("sed -i \"s/03:00-04:00/$(date -d '5 hours' +%H:00)-$(date -d '6 hours' +%H:00)/\" config.toml")
        #expect(place.holdfast("schedule run \(config)").output == "nothing is due\n")
        place.shell("touch -d '9 days ago' config.toml")
        let new = place.holdfast("check \(config)")
        #expect(new.status == 0 && new.output.contains("not done yet: plant"), "\(new)")
        place.shell(
            "f=$(find home -name plant.json); sed -i \"s/\\(\\\"since\\\" : \\)[0-9]*/\\1$(date -d '9 days ago' +%s)/\" $f; touch config.toml"
        )
        let late = place.holdfast("check \(config)")
        #expect(late.status == 2 && late.output.contains("plant: it has not been done yet"), "\(late)")
    }

    @Test("A program is told the same as a monitor: the state, each job and what is not right, as one document")
    func document() {
        let place = plant()
        place.shell("touch -d '27 hours ago' config.toml")
        let never = place.holdfast("check \(config) --json")
        #expect(
            never.status == 2 && never.output.hasPrefix(#"{"state":"critical","status":2,"jobs":[{"name":"plant","#))
        #expect(
            never.output.hasSuffix(
                #""findings":[{"job":"plant","state":"critical","reason":"it has not been done yet"}]}"# + "\n"),
            "\(never)")
        #expect(place.holdfast("schedule run \(config)").status == 0)
        let well = place.holdfast("check \(config) --json")
        #expect(well.status == 0 && well.output.hasPrefix(#"{"state":"ok","status":0,"#), "\(well)")
        #expect(well.output.contains(#""findings":[]}"#) && well.output.contains(#""warnAge":93600,"#), "\(well)")
        // The members of a job are those of `status`.
        let jobs =
            "python3 -c 'import json,sys; [j.pop(\"age\") for d in [json.load(sys.stdin)[\"jobs\"]] for j in d] and print(d)'"
        #expect(
            place.shell("holdfast check \(config) --json | \(jobs)").output
                == place.shell("holdfast status \(config) --json | \(jobs)").output)
        let unknown = place.shell("holdfast check --config missing.toml --json 2>/dev/null; echo $?").output
        #expect(unknown.hasPrefix(#"{"state":"unknown","status":3,"error":{"message":"#), "\(unknown)")
        #expect(unknown.hasSuffix("\n3\n"))
    }

    @Test("The page of status has the jobs, also where no tree is protected, and says what is not right")
    func status() {
        let place = plant()
        let new = place.holdfast("status \(config) --state state")
        #expect(new.status == 0 && new.output.contains("plant") && new.isQuiet, "\(new)")
        place.shell("touch -d '27 hours ago' config.toml")
        let never = place.holdfast("status \(config) --state state")
        #expect(
            never.status == 3 && never.output.contains("plant")
                && never.output.contains("plant: it has not been done yet"), "\(never)")
        #expect(place.holdfast("schedule run \(config) --state state").status == 0)
        let well = place.holdfast("status \(config) --state state")
        #expect(well.status == 0 && well.output.contains("plant") && well.isQuiet, "\(well)")
        let document = place.holdfast("status \(config) --state state --json")
        #expect(document.status == 0 && document.output.contains(#""name":"plant""#), "\(document)")
        #expect(place.holdfast("status --state state").output.contains("setup"), "who has neither is told how to begin")
    }

    @Test("Files of status are written by each run, due or not, and a message that does not arrive changes no result")
    func files() {
        let place = plant(
            """
            [notify]
            ping = "http://127.0.0.1:1/uuid"
            command = "/nowhere/hook"
            [status]
            json = "PLACE/status.json"
            value = "PLACE/value"
            metrics = "PLACE/holdfast.prom"
            """)
        place.shell("sed -i \"s,PLACE,$PWD,\" config.toml")
        let first = place.holdfast("schedule run \(config)")
        #expect(first.status == 0 && first.output.contains("http://127.0.0.1:1 was not told"), "\(first)")
        #expect(!first.output.contains("uuid"))
        #expect(
            place.shell("cat value; grep notify_failures holdfast.prom | tail -1").output
                == "0\nholdfast_notify_failures_total 4\n")
        place.shell("rm value status.json holdfast.prom")
        let second = place.holdfast("schedule run \(config)")
        #expect(second.status == 0 && second.output == "nothing is due\n", "\(second)")
        #expect(place.shell("cat value; ls status.json holdfast.prom").output == "0\nholdfast.prom\nstatus.json\n")
    }

    @Test(
        "A mistake in what is told is told itself, with its place and what can stand there",
        arguments: [
            ("[notify]\nping = \"ftp://x\"", "line 2, column 8: ping wants a URL that begins with https:// or http://"),
            ("[notify]\nping = 3", "line 2, column 8"),
            ("[notify]\ncommand = \"hook\"", "line 2, column 11: the path of command is not absolute"),
            (
                "[notify]\nmail = \"x\"",
                "line 2, column 1: there is no setting mail in [notify]; there are ping and command"
            ),
            ("[status]\nmetrics = \"/run/metrics\"", "line 2, column 11: metrics wants a path that ends in .prom"),
            ("[status]\nvalue = true", "line 2, column 9"), ("status = 1", "line 1"),
        ])
    func mistakes(_ text: String, _ said: String) {
        #expect {
            _ = try Configuration(text, path: "c.toml")
        } throws: { "\($0)".contains(said) || Problem($0).message.contains(said) }
    }

    @Test(
        "A status takes the place of nothing that is none, and of one it does", arguments: ["json", "value", "metrics"])
    func mistyped(kind: String) {
        let place = plant()
        let status = "[status]\n\(kind) = \"\(place.file("out.prom"))\"\n"
        place.shell("cp config.toml mistyped.toml; printf '%s' '\(status)' >> mistyped.toml")
        place.shell("cp store/HOLDFAST before")
        for file in ["store/HOLDFAST", "config.toml", "tree/file"] {
            place.shell("cp \(file) out.prom; cp \(file) was")
            let run = place.holdfast("schedule run plant --config mistyped.toml")
            #expect(run.output.contains("was not written as a status of jobs"), "\(file): \(run)")
            #expect(place.shell("cmp out.prom was").status == 0, "\(file)")
        }
        place.shell(": > out.prom")
        for _ in 0..<2 {
            let run = place.holdfast("schedule run plant --config mistyped.toml")
            #expect(run.status == 0 && !run.output.contains("was not written"), "\(run)")
        }
        #expect(place.shell("test -s out.prom").status == 0)
    }
}

extension Outcome {
    fileprivate var isQuiet: Bool { !output.contains("warning: ") }
}
