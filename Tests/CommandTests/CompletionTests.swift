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

    @Test("The scripts for other shells are made, and name files where files are", arguments: ["zsh", "fish"])
    func others(shell: String) {
        let script = Workplace().shell("holdfast --generate-completion-script \(shell)")
        #expect(script.status == 0)
        #expect(script.output.contains(shell == "zsh" ? "_files" : "_complete_directories"), "\(script)")
    }
}
