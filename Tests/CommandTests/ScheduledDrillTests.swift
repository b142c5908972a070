// Drills that nobody makes by hand, as a timer has them made, and what is told of them.

import Platform
import TestSupport
import Testing

@testable import HoldfastCommands

@Suite struct ScheduledDrillTests {
    private let config = "--config config.toml"

    /// A machine with a job whose drill opens images with the identity that made the store.
    private func plant(_ drill: String = "kind = \"full\", here = true", _ more: String = "") -> Workplace {
        let place = Workplace()
        place.shell(
            """
            mkdir tree; echo one > tree/file; seq 100000 > tree/large; for i in $(seq 40); do echo "content $i" > tree/f$i; done
            holdfast store init local --quiet
            cat > config.toml <<'END'
            [stores]
            local = "\(place.file("local"))"
            [jobs.plant]
            sources = ["\(place.file("tree"))"]
            to = ["local"]
            every = "1d"
            drill = { every = "30d", identity = "\(place.identity)", \(drill) }
            \(more)
            END
            """)
        return place
    }

    /// As if the last drill had been so many days ago.
    private func age(_ place: Workplace, days: Int) {
        place.shell(
            """
            python3 - $(find . -name plant.drill) <<'END'
            import json, sys
            d = json.load(open(sys.argv[1])); t = \(days) * 86400
            if "lastSuccess" in d: d["lastSuccess"] -= t
            d["lastAttempt"]["began"] -= t
            json.dump(d, open(sys.argv[1], "w"))
            END
            """)
    }

    @Test("A drill that is due comes after the images of a run, or alone, and not again until its interval is over")
    func due() {
        let place = plant("kind = \"full\", here = true", "[status]\nmetrics = \"METRICS\"")
        place.shell("sed -i \"s,METRICS,$PWD/holdfast.prom,\" config.toml")
        let first = place.holdfast("schedule run \(config)")
        #expect(first.status == 0 && first.output.contains("plant: local: the image "), "\(first)")
        #expect(first.output.contains(", full: passed; ") && first.output.contains("SHA-256"), "\(first)")
        #expect(place.holdfast("schedule run \(config)").output == "nothing is due\n")
        let reports = "$(find home -path '*drills*' -name '*.json')"
        #expect(place.shell("ls \(reports) | wc -l; holdfast drill verify \(reports)").output.hasPrefix("1\nsound: "))
        let status = place.holdfast("schedule status \(config)")
        #expect(status.status == 0 && status.output.contains(/\(drill, full\)  20.* now  20/), "\(status)")
        let document = place.holdfast("schedule status \(config) --json").output
        #expect(
            document.contains(#""drill":{"due":false,"next":"20"#)
                && document.contains(#""kind":"full","verdict":"passed""#))
        for name in ["last_success_timestamp_seconds", "duration_seconds", "rto_seconds"] {
            #expect(place.shell("grep -c '^holdfast_drill_\(name){' holdfast.prom").output == "1\n")
        }
        age(place, days: 40)
        #expect(place.holdfast("schedule status \(config)").output.contains(/\(drill, full\) .* now\n/))
        let late = place.holdfast("check \(config)")
        #expect(late.status == 1 && late.output.contains("it was last drilled 40 d ago"), "\(late)")
        let alone = place.holdfast("schedule run \(config)")
        #expect(alone.status == 0 && alone.output.contains("full: passed"), "\(alone)")
        #expect(!alone.output.contains("the image was made") && !alone.output.contains("local: the image"), "\(alone)")
        #expect(place.holdfast("check \(config)").status == 0)
        let log = place.holdfast("log --verb 'schedule run' --json").output
        #expect(log.contains("SHA-256") && log.contains("full: passed"))
    }

    @Test("A job that is asked for by its name makes no drill, and one by hand is the one that was due")
    func byHand() {
        let place = plant()
        let named = place.holdfast("schedule run plant \(config)")
        #expect(named.status == 0 && !named.output.contains("passed"), "\(named)")
        let sample = place.holdfast("drill plant \(config) --kind sample")
        #expect(sample.status == 0 && sample.output.contains("does not count for plant"), "\(sample)")
        #expect(place.holdfast("schedule status \(config) --json").output.contains(#""drill":{"due":true"#))
        #expect(place.holdfast("drill plant \(config)").status == 0)
        #expect(place.holdfast("schedule run \(config)").output == "nothing is due\n")
    }

    @Test(
        "A drill that finds damage ends the run with 3, is critical with its report until one passes, and undoes no image"
    )
    func damage() {
        let place = plant()
        #expect(place.holdfast("schedule run \(config)").status == 0)
        place.shell(
            """
            cp -a local good
            for f in $(find local/v -type f ! -name '*.2'); do [ -e $f.2 ] && continue; python3 - $f <<'END'
            import os, sys
            path = sys.argv[1]; data = bytearray(open(path, "rb").read()); middle = len(data) // 3
            data[middle:middle + 200] = bytes(200); os.chmod(path, 0o600); open(path, "wb").write(data)
            END
            done
            """)
        age(place, days: 40)
        let failed = place.holdfast("schedule run \(config)")
        #expect(failed.status == 3 && failed.output.contains("full: failed"), "\(failed)")
        #expect(place.holdfast("schedule run \(config)").output == "nothing is due\n")
        let check = place.holdfast("check \(config)")
        #expect(check.status == 2 && check.output.contains("CRITICAL - plant: the full drill of "), "\(check)")
        #expect(check.output.contains("drills/drill-") && check.output.contains("`holdfast drill plant`"), "\(check)")
        let status = place.holdfast("status \(config) --json")
        #expect(
            status.output.contains(#""verdict":"failed""#) && status.output.contains(#""failuresInARow":0"#),
            "\(status)")
        // Its scope says what came back, and not the whole.
        let share = place.shell(
            "python3 -c 'import glob, json; print(min(json.load(open(f))[\"scope\"][\"share\"] for f in glob.glob(\"home/state/holdfast/drills/*.json\")))'"
        )
        #expect(Int(share.output.split(separator: "\n").first ?? "").map { $0 < 1000 } == true, "\(share)")
        place.shell("rm -r local; mv good local")
        #expect(place.holdfast("drill plant \(config)").status == 0)
        #expect(place.holdfast("check \(config)").status == 0)
    }

    @Test(
        "What a rule refuses or a start lacks is said once, told by a monitor with what mends it, and not tried every quarter of an hour"
    )
    func obstacles() {
        for (drill, reason) in [
            ("kind = \"sample\"", "is not to lie here"), ("kind = \"boot\", here = true", "the image is not of /"),
        ] {
            let place = plant(drill)
            let state = "--state \(place.file("state"))"
            let run = place.holdfast("schedule run \(config) \(state)")
            #expect(run.status == 3 && run.output.contains(reason), "\(run)")
            #expect(run.output.contains("plant: local: the image "), "\(run)")
            #expect(place.holdfast("schedule run \(config) \(state)").output == "nothing is due\n")
            let check = place.holdfast("check \(config) \(state)")
            #expect(check.status == 1 && check.output.contains("its drill could not be made: "), "\(check)")
            #expect(check.output.contains("`holdfast drill plant \(state)`"), "\(check)")
            #expect(place.shell("ls state/drills/*.json | wc -l").output == "1\n")
            let status = place.holdfast("status \(config) \(state)")
            #expect(status.status == 3 && status.output.contains(reason), "\(status)")
        }
    }

    @Test("A key that lies on the machine itself is told by the check of the policy, refused or allowed")
    func policy() {
        let place = plant(
            "kind = \"full\", here = true",
            """
            [policy]
            drills = "PLACE/home/state/holdfast/drills"
            signers = "PLACE/home/state/holdfast/certificate/key.pub"
            [policy.line]
            drilled = "90d"
            """)
        place.shell("sed -i \"s,PLACE,$PWD,\" config.toml")
        #expect(place.holdfast("schedule run \(config)").status == 0)
        let check = place.holdfast("policy check \(config) --output page.html")
        #expect(check.status == 3 && check.output.contains("fails: key on the machine of "), "\(check)")
        #expect(check.output.contains("the file \(place.identity), which the job names, on "), "\(check)")
        #expect(place.shell("grep -c 'key on the machine' page.html").output == "1\n")
        place.shell("sed -i 's/^drilled/key_on_machine = true\\n&/' config.toml")
        let allowed = place.holdfast("policy check \(config)")
        #expect(allowed.status == 0 && allowed.output.contains("is on the machine: the file "), "\(allowed)")
    }

    @Test("A machine that drills what another one backs up needs no image of its own, and reads with its own key")
    func elsewhere() {
        let place = plant()
        place.shell("sed -i '/^drill/d' config.toml")
        #expect(place.holdfast("schedule run \(config)").status == 0)
        let series = place.shell("hostname").output.split(separator: "\n").first ?? ""
        place.shell(
            """
            cp \(place.identity) key; mkdir -p other; cat > other.toml <<'END'
            [jobs.press]
            sources = ["/nowhere"]
            to = ["\(place.file("local"))"]
            series = "\(series)/plant"
            drill = { every = "30d", identity = "\(place.file("key"))", here = true }
            END
            """)
        let machine = "HOME=$PWD/other XDG_CONFIG_HOME=$PWD/other XDG_STATE_HOME=$PWD/other XDG_CACHE_HOME=$PWD/other"
        let run = place.shell("\(machine) holdfast schedule run --config other.toml")
        #expect(run.status == 0 && run.output.contains("sample: passed"), "\(run)")
        let check = place.shell("\(machine) holdfast check --config other.toml")
        #expect(check.status == 0, "\(check)")
    }
}
