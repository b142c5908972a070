// `holdfast policy check` and `report` on real stores: two machines, a NAS, a copy offsite, and a steward's key in an office.

import Platform
import Stewardship
import TestSupport
import Testing

@testable import HoldfastCommands

@Suite struct PolicyCommandTests {
    /// A plant that keeps its policy. Each machine has its own state; the office has the keys.
    private func plant() -> Workplace {
        let place = Workplace()
        place.shell(
            """
            machine() { n=$1; shift; HOME=$PWD/$n XDG_CONFIG_HOME=$PWD/$n/config XDG_STATE_HOME=$PWD/$n/state XDG_CACHE_HOME=$PWD/$n/cache "$@"; }
            for n in it other; do holdfast key generate --output $n.txt --quiet >/dev/null; done
            mkdir plc; head -c 50000 /dev/urandom >plc/a
            holdfast store init nas --recipient $(grep -o 'age1[a-z0-9]*' it.txt | head -1) --recipient $(grep -o 'age1[a-z0-9]*' other.txt | head -1) --series office --quiet
            for m in press-01 press-02; do
              mkdir -p $m; machine $m holdfast store join nas --series $m --identity it.txt --yes --quiet
              for n in 1 2; do echo $m $n >>plc/a; machine $m holdfast backup plc --to nas --series $m/plc --quiet; done
            done
            holdfast key steward --to nas --identity it.txt --output steward.key --quiet
            holdfast verify --from nas --identity it.txt --read-data --share --quiet
            holdfast copy --from nas --to bank --identity it.txt --yes --quiet
            cat >c.toml <<T
            [stores.nas]
            url = "$PWD/nas"
            site = "plant"
            [stores.bank]
            url = "$PWD/bank"
            site = "bank"
            offsite = true
            [policy]
            certificates = "$PWD/certificates"
            [policy.presses]
            line = "Line <3>"
            machines = ["press-01", "press-02"]
            series = ["press-*/plc"]
            copies = 2
            sites = 2
            offsite = true
            age = "26h"
            proven = "31d"
            keep = { daily = 7 }
            keep_at_most = "1y"
            recipients = 2
            T
            """)
        return place
    }

    private func check(_ place: Workplace, _ words: String = "") -> Outcome {
        place.shell("holdfast policy check --config c.toml --identity steward.key \(words)")
    }

    /// `rule of subject` of all lines with this verdict.
    private func lines(_ place: Workplace, _ verdict: String, _ words: String = "") -> Set<String> {
        let outcome = place.shell(
            "holdfast policy check --config c.toml --identity steward.key --json \(words) 2>/dev/null | python3 -c 'import json, sys; [print(l[\"rule\"], \"of\", l[\"subject\"]) for l in json.load(sys.stdin)[\"lines\"] if l[\"verdict\"] == \"\(verdict)\"]'"
        )
        return Set(outcome.output.split(separator: "\n").map(String.init))
    }

    @Test("A plant that is right: 0, each rule with its evidence, a page, and not a byte of a store is changed")
    func right() {
        let place = plant()
        let before = place.shell("find nas bank -type f | sort | xargs sha256sum").output
        let outcome = check(place, "--verbose --output page.html")
        #expect(outcome.status == 0 && outcome.output.contains("All 22 rules hold."), "\(outcome)")
        #expect(
            outcome.output.contains(
                /copies of press-01\/plc \(presses\): required: 2 copies.*found: 2 \(bank, nas\) \[bank: [0-9a-f]{8}, 20/
            ), "\(outcome)")
        #expect(place.shell("find nas bank -type f | sort | xargs sha256sum").output == before)
        let page = place.shell("cat page.html; stat -c %a page.html").output
        #expect(page.contains("All 22 rules hold.") && page.hasSuffix("644\n") && !page.contains("<script"))
        let report = place.shell(
            "holdfast report --config c.toml --from $PWD/nas/ --from ./bank --identity steward.key --output plant.html; cat plant.html"
        )
        #expect(
            report.status == 0 && report.output.contains("Line &lt;3&gt;")
                && report.output.contains("<b>press-02/plc</b>"), "\(report)")
        #expect(report.output.contains("2, all as it has to be") && !report.output.contains("<script"), "\(report)")
        #expect(place.shell("find nas bank -type f | sort | xargs sha256sum").output == before)
    }

    @Test(
        "Each rule that fails is named with status 3; a store that is away with status 1, and no copy is called missing for it"
    )
    func wrong() {
        let place = plant()
        place.shell(
            """
            machine() { n=$1; shift; HOME=$PWD/$n XDG_CONFIG_HOME=$PWD/$n/config XDG_STATE_HOME=$PWD/$n/state XDG_CACHE_HOME=$PWD/$n/cache "$@"; }
            mkdir thief; machine thief holdfast store join nas --series thief --identity it.txt --yes --quiet
            machine thief holdfast backup plc --to nas --series thief/x --quiet
            holdfast copy --from nas --to bank --identity it.txt --yes --quiet
            sed -i 's/"press-02"\\]/"press-02", "press-03"]/' c.toml
            touch -d '3 days ago' $(find nas/i bank/i -type f)
            """)
        let outcome = check(place)
        #expect(outcome.status == 3, "\(outcome)")
        #expect(
            lines(place, "fails") == [
                "age of press-01/plc", "age of press-02/plc", "missing machine of press-03", "unknown machine of thief",
            ])
        #expect(
            outcome.output.contains(/age of press-01\/plc .*the newest is 3 d old, in \w+ \[.*\], since 20/),
            "\(outcome)")
        // A volume of the copy is gone: it is no copy any more.
        place.shell("rm $(find bank/v -type f | head -200)")
        #expect(
            lines(place, "fails").isSuperset(of: [
                "copies of press-01/plc", "apart of press-01/plc", "offsite of press-02/plc",
            ]))
        place.shell("mv bank elsewhere")
        let away = check(place)
        #expect(away.status == 1 && away.output.contains("could not be looked at: store of bank"), "\(away)")
        let fails = lines(place, "fails")
        #expect(
            !fails.contains {
                $0.hasPrefix("copies") || $0.hasPrefix("apart") || $0.hasPrefix("offsite") || $0.hasPrefix("age")
            }, "\(fails)")
        #expect(lines(place, "could not be looked at").isSuperset(of: ["store of bank", "copies of press-01/plc"]))
        let report = place.shell(
            "holdfast report --config c.toml --from nas --from bank --identity steward.key --output plant.html")
        #expect(report.status == 1 && report.output.contains("bank could not be looked at"), "\(report)")
        #expect(place.shell("cat plant.html").output.contains("unknown machine"))
    }

    @Test("An image that was read and found damaged is no copy, though all its volumes are there at their lengths")
    func damaged() {
        let place = plant()
        place.shell(
            """
            python3 - <<'T'
            import glob
            for name in glob.glob("bank/v/*/*/*"):
                data = bytearray(open(name, "rb").read())
                if len(data) > 20000: data[len(data) // 2] ^= 1; open(name, "wb").write(data)
            T
            """)
        #expect(lines(place, "fails").isEmpty)
        let read = place.shell("holdfast verify --from bank --identity it.txt --read-data --share --mark")
        #expect(read.status == 3, "\(read)")
        let wrong = lines(place, "fails")
        #expect(wrong.isSuperset(of: ["copies of press-01/plc", "offsite of press-02/plc"]), "\(wrong)")
    }

    @Test("What a hostile writer puts into a store breaks neither the check nor a page")
    func hostile() {
        let place = plant()
        let name = "press-01/<script>alert(1)</script>"
        place.shell(
            """
            machine() { n=$1; shift; HOME=$PWD/$n XDG_CONFIG_HOME=$PWD/$n/config XDG_STATE_HOME=$PWD/$n/state XDG_CACHE_HOME=$PWD/$n/cache "$@"; }
            machine press-01 holdfast backup plc --to nas --series '\(name)' --quiet
            machine press-01 holdfast backup plc --to nas --series "$(printf 'press-01/\\033[31mred\\xe2\\x80\\xae')" --quiet
            touch -d '3 years' $(find nas/i -type f)
            for k in a d i v; do g=$(ls nas/$k 2>/dev/null | head -1); g=${g:-$(ls nas/i | head -1)}; mkdir -p nas/$k/$g
              head -c 5000 /dev/urandom >nas/$k/$g/0123456789abcdef0123456789abcdef; mkfifo nas/$k/$g/1123456789abcdef0123456789abcdef; done
            """)
        let outcome = check(place, "--output page.html")
        #expect(outcome.status == 3, "\(outcome)")
        #expect(!outcome.output.contains("\u{1b}"), "\(outcome)")
        let report = place.shell(
            "holdfast report --config c.toml --from nas --identity steward.key --output plant.html")
        #expect(report.status == 0, "\(report)")
        for page in ["page.html", "plant.html"] {
            let text = place.shell("cat \(page)").output
            #expect(!text.contains("<script") && !text.contains("\u{1b}") && !text.contains("\u{202e}"), "\(page)")
            #expect(text.contains("&lt;script&gt;"), "\(page)")
        }
    }

    @Test(
        "No page is written through a link, over what is no file, or to standard output; without rules it is said what to do"
    )
    func refused() {
        let place = plant()
        place.shell("echo mine >target; ln -s target link.html; mkdir folder.html real; ln -s real way")
        for output in ["link.html", "folder.html", "way/page.html", "nowhere/page.html"] {
            let outcome = check(place, "--output \(output)")
            #expect(outcome.status == 1 && outcome.output.contains("was not written"), "\(outcome)")
        }
        #expect(place.shell("cat target; ls real").output == "mine\n")
        #expect(check(place, "--output -").status == 2)
        let bare = place.shell("holdfast policy check --identity steward.key")
        #expect(bare.status == 2 && bare.output.contains("[policy.NAME]"), "\(bare)")
        #expect(place.shell("holdfast report --from nas --identity steward.key --output bare.html").status == 0)
        #expect(place.shell("cat bare.html").output.contains("No policy is set"))
        let foreign = place.shell("holdfast policy check --config c.toml")
        #expect(foreign.status == 1 && foreign.output.contains("could not be looked at: store of nas"), "\(foreign)")
    }

    @Test(
        "`report` looks at all stores of the configuration where none is given, and says what to do where there is none"
    )
    func reportOfAll() {
        let place = plant()
        let report = place.shell("holdfast report --config c.toml --identity steward.key --output plant.html")
        #expect(report.status == 0 && report.output.contains("2 stores"), "\(report)")
        #expect(place.shell("cat plant.html").output.contains("<td data-l=\"In\">bank, nas</td>"))
        place.shell("printf '[stores.again]\nurl = \"%s/nas/\"\n' $PWD >>c.toml")
        let twice = place.shell("holdfast report --config c.toml --identity steward.key --output plant.html")
        #expect(twice.status == 0 && twice.output.contains("which counts once"), "\(twice)")
        place.shell("mv bank elsewhere")
        let away = place.shell("holdfast report --config c.toml --identity steward.key --output plant.html")
        #expect(away.status == 1 && away.output.contains("bank could not be looked at"), "\(away)")
        let bare = place.shell("holdfast report --identity steward.key --output plant.html")
        #expect(bare.status == 2 && bare.output.contains("the configuration names none"), "\(bare)")
        #expect(bare.output.contains("--from STORE"), "\(bare)")
    }

    @Test(
        "`diff --from` tells a byte that was changed with size and time kept, where content is read, and not what is expected"
    )
    func diff() {
        let place = Workplace()
        place.shell(
            """
            mkdir -p tree/bin tree/log; head -c 300000 /dev/urandom >tree/bin/plc; echo 1 >tree/log/a; holdfast store init store --quiet
            holdfast backup tree --to store --name plc --quiet; touch -r tree/bin/plc stamp
            printf x | dd of=tree/bin/plc bs=1 seek=150000 conv=notrunc status=none; touch -r stamp tree/bin/plc; echo 2 >tree/log/b
            """)
        let quick = place.shell("holdfast diff --from store --expected /log 2>/dev/null")
        #expect(quick.status == 0 && !quick.output.contains("plc\n"), "\(quick)")
        let whole = place.shell("holdfast diff plc --from store --content --expected log 2>/dev/null")
        #expect(whole.status == 0 && whole.output == "* \(place.path)/tree/bin/plc\n", "\(whole)")
        #expect(place.shell("holdfast diff --from store --content").output.contains("+ \(place.path)/tree/log/b"))
        #expect(place.shell("holdfast diff a b --from store").status == 2)
        #expect(place.shell("holdfast diff nobody --from store").status == 2)
    }

    @Test("A store may be called offsite, as many are; the setting of that name below [stores] is told")
    func nameOfStore() throws {
        let named = try Configuration("[stores]\noffsite = '/mnt/b'\n[policy.a]\nstores = ['offsite']", path: "/c")
        #expect(named.stores["offsite"] != nil && named.policy.tables.map(\.stores) == [["offsite"]])
        let own = try Configuration("[stores.offsite]\nurl = '/mnt/b'\noffsite = true", path: "/c")
        #expect(own.stores["offsite"]?.isOffsite == true)
        #expect(throws: Problem.self) { try Configuration("[stores]\nnas = '/mnt/a'\noffsite = true", path: "/c") }
    }

    private static let mistakes: [(String, String)] = [
        ("copies = 0", "copies wants a number from 1 to 1000"), ("copies = '2'", "copies wants a number"),
        ("age = '1 day'", "age wants a span"), ("stores = ['x']", "there is no store x"),
        ("stores = []", "stores names no store"),
        ("offsite = 1", "offsite wants true or false"), ("keep = {}", "keep has no rule"),
        ("keep = { within-daily = '1d' }", "there is no within-daily in keep"),
        ("media = { kinds = ['tape'] }", "there is no kind tape; there are usb"),
        ("media = { size = 1 }", "there is no size in media"),
        ("lost = ['bob']", "lost wants recipients"), ("machines = ['a/b']", "ends before the slash"),
        ("age_at_most = '1d'", "there is no setting age_at_most in [policy.NAME]"),
        ("[jobs.x]\nsources = ['/a']\nto = ['nas']\nexpected = ['a']", "expected goes with integrity"),
        ("[jobs.x]\ndisk = '/dev/sda'\nto = ['nas']\nintegrity = 'latest'", "of a disk, which is not compared"),
        ("[jobs.x]\nintegrity = 'a b'", "integrity wants"),
        ("[media]\nserial = 'x'", "each medium has a table of its own"),
        ("[media.a]\nsince = '2026-13-01'", "since wants a day"),
        ("[media.a]\nstore = 'x'", "there is no store x"),
        ("[policy]\ndrill = '/x'", "there is no setting drill in [policy]"),
    ]

    @Test("Each mistake in a policy is told with its place", arguments: mistakes)
    func mistake(line: String, expected: String) {
        #expect { try Configuration("[stores]\nnas = '/mnt/nas'\n[policy.a]\n\(line)", path: "/c") } throws: { error in
            let message = Problem(error).message
            return message.hasPrefix("/c, line ") && message.contains(expected)
        }
    }
}
