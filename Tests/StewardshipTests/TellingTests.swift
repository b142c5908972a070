// What others are told of jobs: a monitor's plugin, metrics, files, a server and a program.

import Glibc
import Machine
import Platform
import Stores
import TestSupport
import Testing

@testable import Stewardship

@Suite struct TellingTests {
    let scratch = Scratch()
    static let now = monday + 100 * day

    private func job(_ name: String = "plant", every: Int64? = day, copies: [String] = []) -> Job {
        var job = Job(name: name, source: .paths(["/srv"]), to: ["nas"])
        job.copies = copies
        job.timing = every.map { Timing(every: $0) }
        return job
    }

    /// A record of a job that went well so long ago.
    private func record(
        _ name: String = "plant", ago: Int64?, status: Int32 = 0, sentence: String = "nas: done", copied: Int64? = nil
    ) -> JobRecord.Known {
        var record = JobRecord(job: name)
        record.lastSuccess = ago.map { Self.now - $0 }
        var store = JobRecord.StoreRecord(isCopy: false)
        store.lastSuccess = record.lastSuccess
        store.exitStatus = status
        record.stores["nas"] = store
        if let copied {
            var copy = JobRecord.StoreRecord(isCopy: true)
            copy.lastSuccess = Self.now - copied
            record.stores["offsite"] = copy
        }
        record.lastAttempt = JobRecord.JobAttempt(
            began: Self.now - (ago ?? 0), ended: Self.now - (ago ?? 0) + 60, durationSeconds: 60, exitStatus: status,
            sentence: sentence,
            image: JobRecord.ImageCounts(
                series: "press-01/plant", entries: 3, files: 2, filesRead: 1, processedBytes: 100, newBytes: 10,
                storedBytes: 5), findings: status == 3 ? 2 : 0)
        return JobRecord.Known(record: record)
    }

    struct Case: Sendable {
        var ago: Int64?
        var every: Int64? = day
        var status: Int32 = 0
        var warn: Int64?
        var crit: Int64?
        var verdict: Verdict
    }

    @Test(
        "A job is told when it is late by hours, and critical when it was missed twice, or as a monitor's limits say",
        arguments: [
            Case(ago: hour, verdict: .fine), Case(ago: 26 * hour - 1, verdict: .fine),
            Case(ago: 26 * hour, verdict: .warning), Case(ago: 50 * hour - 1, verdict: .warning),
            Case(ago: 50 * hour, verdict: .critical), Case(ago: nil, verdict: .critical),
            Case(ago: 8 * day, every: 7 * day, verdict: .warning), Case(ago: 7 * day, every: 7 * day, verdict: .fine),
            Case(ago: 2 * hour, every: 3600, verdict: .warning), Case(ago: nil, every: nil, verdict: .warning),
            Case(ago: 400 * day, every: nil, verdict: .fine), Case(ago: hour, status: 3, verdict: .warning),
            Case(ago: hour, status: 1, verdict: .warning), Case(ago: hour, status: 130, verdict: .fine),
            Case(ago: 60 * hour, status: 1, verdict: .critical), Case(ago: -2 * day, verdict: .warning),
            Case(ago: -hour, verdict: .fine), Case(ago: hour, warn: 1800, verdict: .warning),
            Case(ago: hour, warn: 1800, crit: 3600, verdict: .critical),
            Case(ago: 3 * day, crit: 4 * day, verdict: .warning),
            Case(ago: .min, verdict: .critical),
        ])
    func verdict(_ it: Case) {
        // A time that nobody can reckon with.
        let ago = it.ago == .min ? 500_000 * day : it.ago
        let health = JobHealth(
            job(every: it.every), record(ago: ago, status: it.status),
            limits: AgeLimits(warning: it.warn, critical: it.crit), now: Self.now)
        #expect(health.verdict == it.verdict, "\(health.reasons)")
        #expect(health.reasons.isEmpty == (it.verdict == .fine))
    }

    @Test("A job that was never done is late only once its first time and what a run may be late have gone by")
    func new() {
        func health(_ lateness: Int64, limits: AgeLimits = AgeLimits()) -> JobHealth {
            JobHealth(
                job(), JobRecord.Known(record: JobRecord(job: "plant")), limits: limits,
                firstDue: Self.now - lateness, now: Self.now)
        }
        for (lateness, verdict) in [
            (-3 * day, Verdict.fine), (0, .fine), (2 * hour - 1, .fine), (2 * hour, .warning),
            (day + 2 * hour - 1, .warning), (day + 2 * hour, .critical), (500_000 * day, .critical),
        ] {
            let told = health(lateness)
            #expect(told.verdict == verdict && (told.firstDue == nil) == (verdict > .fine), "\(lateness)")
        }
        #expect(health(-1, limits: AgeLimits(warning: 60, critical: 120)).verdict == .fine)
        #expect(health(0, limits: AgeLimits(warning: 60, critical: 120)).verdict == .critical)
    }

    @Test("A hold that lasts longer than a job's interval is told, whatever the job's age")
    func held() {
        func reasons(_ length: Int64, every: Int64? = day) -> [String] {
            JobHealth(
                job(every: every), record(ago: hour),
                held: HeldWork(since: Self.now - length, by: "/run/hold is there"),
                now: Self.now
            ).reasons
        }
        #expect(reasons(day) == ["the plant has held work for 24 h: /run/hold is there"])
        #expect(reasons(day - 1) == [] && reasons(-day) == [] && reasons(100 * day, every: nil) == [])
        let health = JobHealth(
            job(), record(ago: 60 * hour), held: HeldWork(since: Self.now - 60 * hour, by: "x"), now: Self.now)
        #expect(health.verdict == .critical && health.reasons.count == 2, "\(health.reasons)")
    }

    @Test("Since when work is held stays known over looks, and a note that is damaged is none")
    func heldNote() throws {
        let places = scratch.places
        #expect(HeldWork.read(places) == nil)
        #expect(HeldWork.note("a", places, now: Self.now) == nil)
        #expect(HeldWork.note("b", places, now: Self.now + day) == nil)
        #expect(HeldWork.read(places) == HeldWork(since: Self.now, by: "a"))
        // A clock that was ahead.
        #expect(HeldWork.note("c", places, now: Self.now - day) == nil)
        #expect(HeldWork.read(places)?.since == Self.now - day)
        try replaceFile(places.heldWork, Array("{\"since\":99999999999999999,\"by\":\"x\"}".utf8), mode: 0o644)
        #expect(HeldWork.read(places) == nil)
        HeldWork.review(nil, places)
        #expect(!exists(places.heldWork))
    }

    @Test("A copy that has fallen behind is told, though the job itself is in time")
    func lateCopy() {
        let late = JobHealth(
            job(copies: ["offsite"]), record(ago: hour, copied: 60 * hour), now: Self.now)
        #expect(late.verdict == .critical && late.reasons == ["offsite was last done 2 d ago"])
        let never = JobHealth(job(copies: ["offsite"]), record(ago: hour), now: Self.now)
        #expect(never.verdict == .critical && never.reasons == ["offsite has nothing of it yet"])
    }

    @Test(
        "What is not known, not ended, not proven or damaged is told as that, and before what the last run said of itself"
    )
    func doubt() throws {
        func health(_ known: JobRecord.Known, unended: Int64? = nil) -> JobHealth {
            JobHealth(job(), known, unended: unended, now: Self.now)
        }
        let damaged = health(JobRecord.Known(record: JobRecord(job: "plant"), damage: "plant.json is damaged"))
        #expect(damaged.verdict == .critical && damaged.reasons == ["plant.json is damaged"])
        let killed = health(record(ago: hour), unended: Self.now - 60)
        #expect(killed.verdict == .warning && killed.reasons[0].contains("did not come to its end"))
        var known = record(ago: hour, status: 3)
        for (status, verdict, word) in [(3, Verdict.critical, "is damaged"), (4, .warning, "could not be checked")] {
            known.record.stores["nas"]?.verifyStatus = Int32(status)
            let told = health(known)
            #expect(told.verdict == verdict && told.reasons[0].contains(word), "\(told.reasons)")
        }
    }

    @Test("A monitor gets one first line with numbers behind one bar, whatever a sentence holds")
    func pluginAnswer() throws {
        let jobs = [
            JobHealth(
                job(), record(ago: hour, status: 1, sentence: "nas: a | b\nOK - all is well\u{1b}[2J"), now: Self.now),
            JobHealth(job("it's"), record("it's", ago: hour), now: Self.now),
        ]
        let answer = PluginAnswer(jobs)
        let lines = answer.text.split(separator: "\n")
        #expect(answer.verdict == .warning && lines.count == 3)
        #expect(
            lines[0].hasPrefix("WARNING - plant: the last run: nas: a / b") && lines[0].count(where: { $0 == "|" }) == 1
        )
        #expect(!answer.text.contains("\u{1b}") && !lines.dropFirst().contains { $0.hasPrefix("OK - all") })
        #expect(PluginAnswer([]).verdict == .unknown)
        #expect(PluginAnswer(unknown: "a\nb|c").text == "UNKNOWN - a\\x0ab/c\n")
    }

    @Test(
        "Status files are replaced whole, go where no link leads, and one that fails keeps no other from being written")
    func files() throws {
        shell("cd \(scratch.path); mkdir own other; ln -s other link; echo 3 >own/value")
        var files = StatusFiles()
        files.json = scratch.file("link/status.json")
        files.value = scratch.file("own/value")
        files.metrics = scratch.file("own/holdfast.prom")
        let jobs = [JobHealth(job(), record(ago: 30 * hour), now: Self.now)]
        let problems = files.write(jobs, program: "1", scratch.places)
        #expect(problems.count == 1 && problems[0].contains("symbolic link"), "\(problems)")
        #expect(
            shell("cd \(scratch.path); cat own/value; ls other | wc -l; ls -A own; stat -c %a own/value")
                == "1\n0\nholdfast.prom\nvalue\n644\n")
        // What is no file is not replaced by one, and nothing of Holdfast's own is.
        shell("cd \(scratch.path); mkfifo own/fifo; mkdir -p state/jobs; echo {} >state/jobs/plant.json")
        files.json = scratch.file("own/fifo")
        files.metrics = scratch.file("state/jobs/plant.json")
        #expect(files.write(jobs, program: "1", scratch.places).count == 2)
        #expect(shell("cd \(scratch.path); test -p own/fifo && cat state/jobs/plant.json") == "{}\n")
        shell("rm \(scratch.path)/own/fifo")
        files.metrics = nil
        files.json = scratch.file("own/status.json")
        #expect(files.write(jobs, program: "1", scratch.places).isEmpty)
        #expect(
            shell(
                "python3 -c 'import json; d = json.load(open(\"\(scratch.path)/own/status.json\")); print(d[\"verdict\"], d[\"jobs\"][0][\"name\"])'"
            ) == "1 plant\n")
    }

    @Test(
        "What the node exporter collects is what was written",
        .enabled(if: exists("/usr/bin/prometheus-node-exporter"), "it is not installed"))
    func nodeExporter() throws {
        var files = StatusFiles()
        files.metrics = scratch.file("holdfast.prom")
        let jobs = [
            JobHealth(job("a\"b\\c"), record(ago: hour), now: Self.now),
            JobHealth(job("other"), record("other", ago: nil), now: Self.now),
        ]
        #expect(files.write(jobs, program: "1", scratch.places).isEmpty)
        let said = shell(
            """
            port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
            prometheus-node-exporter --collector.disable-defaults --collector.textfile --collector.textfile.directory=\(scratch.path) \\
                --web.listen-address=127.0.0.1:$port >\(scratch.path)/log 2>&1 & exporter=$!
            python3 -B - $port <<'END'
            import sys, time, urllib.request
            for _ in range(200):
                try: text = urllib.request.urlopen(f"http://127.0.0.1:{sys.argv[1]}/metrics").read().decode(); break
                except OSError: time.sleep(0.05)
            print("\\n".join(l for l in text.splitlines() if l.startswith(("holdfast_", "node_textfile_scrape"))))
            END
            kill $exporter
            """)
        #expect(said.contains("node_textfile_scrape_error 0\n"), "\(said)")
        #expect(said.contains(#"holdfast_job_health{job="a\"b\\c",series="press-01/plant"} 0"#), "\(said)")
        #expect(said.contains(#"holdfast_job_health{job="other",series="press-01/plant"} 2"#), "\(said)")
        #expect(
            said.contains(
                #"holdfast_backup_last_success_timestamp_seconds{job="a\"b\\c",series="press-01/plant",store="nas"}"#))
    }

    @Test(
        "Messages that do not arrive are said and counted, those that do are such as their readers expect, and no secret of an address is shown"
    )
    func notices() throws {
        let attempt = try #require(record(ago: hour, status: 3).record.lastAttempt)
        shell(
            "mkdir -p \(scratch.path)/state/jobs; printf '#!/bin/sh\\ncat >>\(scratch.path)/got; exit $(cat \(scratch.path)/status)\\n' >\(scratch.path)/hook; chmod 755 \(scratch.path)/hook; echo 0 >\(scratch.path)/status"
        )
        var notifier = Notifier()
        notifier.ping = MessageAddress("http://127.0.0.1:1/secret-uuid")
        let problems = notifier.send(.end(of: attempt, job: "plant", run: "r"), scratch.places)
        #expect(
            problems.count == 1 && problems[0].contains("http://127.0.0.1:1 was not told")
                && !problems[0].contains("secret"), "\(problems)")
        #expect(Notifier.failures(scratch.places) == 1)
        // A server that takes what comes, and one that refuses.
        let server =
            shell(
                """
                cd \(scratch.path); python3 -B - >port 2>/dev/null <<'END' &
                import http.server, sys, threading
                class Server(http.server.BaseHTTPRequestHandler):
                    def do_POST(self):
                        body = self.rfile.read(int(self.headers["content-length"])).decode()
                        with open("pings", "a") as file: file.write(self.path + " " + body.replace("\\n", "/") + "\\n")
                        self.send_response(404 if "refuse" in self.path else 200); self.send_header("content-length", "0"); self.end_headers()
                    def log_message(self, *rest): pass
                server = http.server.HTTPServer(("127.0.0.1", 0), Server)
                print(server.server_address[1], flush=True)
                threading.Timer(30, server.shutdown).start()
                server.serve_forever()
                END
                for try in $(seq 200); do [ -s port ] && break; sleep 0.05; done; cat port
                """
            ).split(separator: "\n").first ?? ""
        notifier.ping = MessageAddress("http://127.0.0.1:\(server)/uuid?a=b")
        notifier.command = scratch.file("hook")
        let isRoots = !HostFacts.isRoot || ProgramOwner.problem(scratch.file("hook")) == nil
        for notice in [
            Notice(.start, job: "plant", run: "r"), .end(of: attempt, job: "plant", run: "r"),
            .end(of: try #require(record(ago: hour, status: 1).record.lastAttempt), job: "plant", run: "r"),
        ] {
            let said = notifier.send(notice, scratch.places)
            #expect(said.isEmpty == isRoots, "\(said)")
        }
        let pings = shell("cat \(scratch.path)/pings").split(separator: "\n").map { $0.split(separator: " ")[0] }
        #expect(pings == ["/uuid/start?a=b&rid=r", "/uuid?a=b&rid=r", "/uuid/fail?a=b&rid=r"])
        #expect(shell("cat \(scratch.path)/pings").contains("findings: 2"))
        if isRoots {
            #expect(
                shell(
                    "python3 -c 'import json; print([json.loads(l)[\"event\"] for l in open(\"\(scratch.path)/got\")])'"
                ) == "['start', 'success', 'failure']\n")
            shell("echo 5 >\(scratch.path)/status")
            #expect(
                notifier.send(Notice(.start, job: "plant", run: "r"), scratch.places).first?.contains("ended with 5")
                    == true)
        }
        notifier.command = nil
        notifier.ping = MessageAddress("http://127.0.0.1:\(server)/refuse")
        #expect(
            notifier.send(Notice(.start, job: "plant", run: "r"), scratch.places).first?.contains("it answers with 404")
                == true)
    }

    @Test(
        "What is no address of a server, or has a user in it, is none",
        arguments: [
            "", "hc.example.com", "ftp://a/b", "https://", "https:///x", "https://user:word@host/x", "https://a b/",
            "https://host/ü",
            "http://host/x#y",
        ])
    func addresses(_ text: String) { #expect(MessageAddress(text) == nil) }
}
