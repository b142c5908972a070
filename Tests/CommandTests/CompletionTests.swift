// The completion scripts, in the shell that they are for.

import TestSupport
import Testing

@Suite struct CompletionTests {
    /// What bash offers for the last word of a line, sorted.
    private func completions(_ place: Workplace, _ line: String) -> [String] {
        place.shell(
            """
            bash -c 'source <(holdfast --generate-completion-script bash); complete -p holdfast > /dev/null || exit 1
            COMP_LINE=\"\(line)\"; COMP_POINT=${#COMP_LINE}; COMP_TYPE=9; read -ra COMP_WORDS <<< \"$COMP_LINE\"
            [[ $COMP_LINE == *\" \" ]] && COMP_WORDS+=(\"\"); COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
            f=$(complete -p holdfast | sed \"s/.*-F \\([^ ]*\\).*/\\1/\")
            $f holdfast \"${COMP_WORDS[COMP_CWORD]}\" \"${COMP_WORDS[COMP_CWORD-1]}\"; printf \"%s\\n\" \"${COMPREPLY[@]}\"' | sort
            """
        ).output.split(separator: "\n").map(String.init)
    }

    @Test(
        "Where a path is expected, bash offers files, and folders where one is",
        arguments: [
            ("holdfast backup pl", ["plant", "plans.txt"]), ("holdfast backup plant pl", ["plant", "plans.txt"]),
            ("holdfast backup plant --to na", ["nas"]), ("holdfast backup plant --output pl", ["plant", "plans.txt"]),
            ("holdfast images --from na", ["nas"]), ("holdfast restore --input pl", ["plant", "plans.txt"]),
            ("holdfast restore latest --from nas --to pl", ["plant"]), ("holdfast verify --from na", ["nas"]),
            ("holdfast images --identity pl", ["plant", "plans.txt"]),
            ("holdfast images --config pl", ["plant", "plans.txt"]),
            ("holdfast store info na", ["nas"]), ("holdfast key generate --output pl", ["plant", "plans.txt"]),
            ("holdfast key add age1x --to na", ["nas"]), ("holdfast setup --root pl", ["plant", "plans.txt"]),
            ("holdfast filter enable --path pl", ["plant", "plans.txt"]), ("holdfast wipe pl", ["plant", "plans.txt"]),
            ("holdfast certificate verify pl", ["plant", "plans.txt"]),
        ])
    func paths(line: String, expected: [String]) {
        let place = Workplace()
        place.shell("mkdir plant nas; touch plans.txt nas.txt")
        #expect(completions(place, line) == expected.sorted(), "\(line)")
    }

    @Test("Commands and options are offered as well")
    func words() {
        let place = Workplace()
        #expect(completions(place, "holdfast res") == ["restore"])
        #expect(completions(place, "holdfast key a") == ["add"])
        #expect(completions(place, "holdfast key add --lab") == ["--label"])
    }

    /// A line as it is typed, with Tab behind it or at `|`; and the words that it has then.
    private static let typed = [
        ("holdfast roll", "<holdfast><rollback>"), ("holdfast sto", "<holdfast><store>"),
        ("holdfast filter exc", "<holdfast><filter><except>"),
        ("holdfast backup --compr", "<holdfast><backup><--compression>"),
        ("holdfast setup --backend bt", "<holdfast><setup><--backend><btrfs>"),
        ("holdfast setup --points k", "<holdfast><setup><--points><keep>"),
        ("holdfast wipe --level pu", "<holdfast><wipe><--level><purge>"),
        ("holdfast rollback Comm", "<holdfast><rollback><Commissioning>"),
        ("holdfast rollback 2026", "<holdfast><rollback><2026-11-20T08:56:14Z>"),
        ("holdfast destroy Commissioning 2026-11-20T08:5", "<holdfast><destroy><Commissioning><2026-11-20T08:56:14Z>"),
        ("holdfast diff Commissioning fac", "<holdfast><diff><Commissioning><factoryreset>"),
        ("holdfast factory-reset --to fac", "<holdfast><factory-reset><--to><factoryreset>"),
        ("holdfast backup --to na", "<holdfast><backup><--to><nas>"),
        ("holdfast backup --to=na", "<holdfast><backup><--to=nas>"),
        ("holdfast store info my", "<holdfast><store><info><my store>"),
        ("holdfast images --from my\\ st", "<holdfast><images><--from><my store>"),
        ("holdfast retire --from nas press-01/oth", "<holdfast><retire><--from><nas><press-01/other>"),
        ("holdfast prune --from nas --series press-01/oth", "<holdfast><prune><--from><nas><--series><press-01/other>"),
        ("holdfast retire --from secret press", "<holdfast><retire><--from><secret><press>"),
        ("holdfast restore --from nas plc", "<holdfast><restore><--from><nas><plc one>"),
        ("holdfast export --from my\\ store oth", "<holdfast><export><--from><my store><other>"),
        ("holdfast restore --from nas \\$", "<holdfast><restore><--from><nas><$(touch hacked)>"),
        ("holdfast verify --from nas lat", "<holdfast><verify><--from><nas><latest>"),
        ("holdfast restore --from secret lat", "<holdfast><restore><--from><secret><lat>"),
        ("holdfast restore --from missing lat", "<holdfast><restore><--from><missing><lat>"),
        ("holdfast restore other --from nas --to my", "<holdfast><restore><other><--from><nas><--to><my store>"),
        ("holdfast restore other --from nas --to my\\ st", "<holdfast><restore><other><--from><nas><--to><my store>"),
        ("holdfast backup tr", "<holdfast><backup><tree>"),
        ("holdfast backup --output wi", "<holdfast><backup><--output><with blank.txt>"),
    ]

    private static let settings = "export HOLDFAST_STATE=$PWD/state HOLDFAST_CONFIG=$PWD/config.toml"

    /// A store, another one that only a passphrase opens, points, and names that are hard on shells.
    private static let start = """
        mkdir tree plant store rollback; echo x > tree/a; echo 'a secret' > pass; touch 'with blank.txt'
        \(settings)
        printf '[stores]\\nnas = "%s/my store"\\n' "$PWD" > config.toml
        ( set -e; holdfast store init secret --passphrase --passphrase-file pass; holdfast backup tree --to secret
        rm -r state/stores; holdfast store init 'my store' --series press-01
        for name in 'plc one' other '$(touch hacked)'; do holdfast backup tree --to nas --name "$name"; done
        holdfast setup --root plant; holdfast create Commissioning; holdfast create 2026-11-20T08:56:14Z ) > log 2>&1 || cat log
        """

    @Test(
        "Typed in a real shell, Tab completes words, points, stores, images and files",
        arguments: [
            "bash", "bash-completion", "zsh", "fish",
        ])
    func typed(shell: String) throws {
        let place = Workplace()
        let needed =
            shell == "bash-completion" ? "[ -e /usr/share/bash-completion/bash_completion ]" : "command -v \(shell)"
        try #require(place.shell(needed).status == 0, "\(shell) is missing; Tests/run installs it")
        let helper = "\(packageFolder)/Tests/CommandTests/type-in-shell.py"
        let prepared = place.shell(Self.start)
        #expect(prepared.output.isEmpty, "\(prepared)")
        var wrong = Self.typed
        var said = ""
        // Nobody waits for more than a second and a half: where other tests are at work, it may be typed again.
        for _ in 0..<5 where !wrong.isEmpty {
            let lines = wrong.map { "'" + $0.0.replacing("'", with: #"'\''"#) + "'" }.joined(separator: " ")
            let outcome = place.shell("\(Self.settings)\npython3 -B \(helper) \(shell) \(lines)")
            // Whether a folder has its slash is the shell's own way.
            let words = outcome.output.replacing("my store/>", with: "my store>").replacing("tree/>", with: "tree>")
                .split(separator: "\n", omittingEmptySubsequences: false)
            said = "\(outcome)"
            wrong = wrong.enumerated().filter { $0.offset >= words.count || words[$0.offset] != $0.element.1 }.map(
                \.element)
        }
        #expect(wrong.isEmpty, "\(wrong.map(\.1)): \(said)")
        #expect(place.shell("ls").output.contains("hacked") == false)
    }

    @Test("What a shell asks for is told at once, without a question, a trace or a message")
    func looksOnly() {
        let place = Workplace()
        let outcome = place.shell(
            """
            \(Self.start)
            mkdir pipe; mkfifo pipe/HOLDFAST key; rm -rf home/cache
            before=$(find . -printf '%p %T@ %s\\n' | sort)
            for from in nas secret pipe missing config.toml; do
                for more in '' '--identity key' '--identity tree' '--config tree' '--state tree'; do
                    line="holdfast restore --from $from $more"
                    timeout 60 holdfast ---completion restore -- positional@0 2 0 $line 2>&1 >/dev/null || echo "$line: $?"
                    timeout 60 holdfast ---completion rollback -- positional@0 2 0 $line 2>&1 >/dev/null || echo "$line: $?"
                done
            done
            [ "$before" = "$(find . -printf '%p %T@ %s\\n' | sort)" ] || find . -mmin -1
            """)
        #expect(outcome.output.isEmpty, "\(outcome)")
    }
}
