// What the Debian package's scripts and its hook call: none of it stops a package manager, and each says what it did not do.

import Platform
import TestSupport
import Testing

@Suite(.enabled(if: HostFacts.isRoot, "trees are protected by root"))
struct PackageCommandTests {
    private func protected() -> Workplace {
        let place = Workplace()
        place.shell("mkdir tree; echo 1 >tree/a; holdfast setup --root $PWD/tree --state $PWD/state --yes --quiet")
        return place
    }

    private func points(_ place: Workplace) -> [Substring] {
        place.shell("holdfast status --state $PWD/state --json | grep -o 'before-packages[^\"]*' | sort -u").output
            .split(
                separator: "\n")
    }

    @Test("No point is made before packages are changed, until the configuration wants it; then one for each run")
    func changing() {
        let place = protected()
        let silent = place.holdfast("package changing --state $PWD/state")
        #expect(silent.status == 0 && silent.output == "" && points(place) == [], "\(silent)")
        place.shell("printf '[packages]\\npoint = true\\n' >config.toml; chmod go-w config.toml")
        for run in 1...2 {
            // As apt does: a child of it runs a shell for each step.
            let outcome = place.shell(
                """
                cat >run.py <<'E'
                import os, sys
                for step in range(3):
                    child = os.fork()
                    if not child: os._exit(os.WEXITSTATUS(os.system("holdfast package changing --state $PWD/state --config config.toml || true")))
                    os.waitpid(child, 0)
                E
                python3 run.py
                """)
            #expect(outcome.status == 0 && outcome.output.split(separator: "created").count == 2, "\(outcome)")
            #expect(outcome.output.contains("it alone is protected"))
            #expect(points(place).count == run)
        }
    }

    @Test("Who changes packages does not finish a rollback by that")
    func interrupted() {
        let place = protected()
        let outcome = place.shell(
            """
            printf '[packages]\\npoint = true\\n' >config.toml; chmod go-w config.toml; echo 3 >tree/a
            strace -f -qq -o /dev/null -e trace=syncfs -e inject=syncfs:signal=KILL:when=1 holdfast rollback factoryreset --state $PWD/state --yes --quiet
            holdfast package changing --state $PWD/state --config config.toml; holdfast package removing --state $PWD/state; ls state/journal
            """)
        #expect(
            outcome.output.contains(
                "the point before-packages is not made: the rollback to factoryreset is not at its end"),
            "\(outcome)")
        #expect(outcome.output.contains("`holdfast recover") && outcome.output.contains("rollback.json"), "\(outcome)")
    }

    /// A machine with a job, and a configuration that wants it done before packages are changed.
    private func backedUp(_ packages: String, _ rest: String = "") -> Workplace {
        let place = Workplace()
        place.shell(
            """
            mkdir tree; echo 1 >tree/a
            cat >config.toml <<'END'
            [stores]
            local = "\(place.file("local"))"
            [jobs.plant]
            sources = ["\(place.file("tree"))"]
            to = ["local"]
            [packages]
            backup = "plant"
            \(packages)
            \(rest)
            END
            """)
        place.holdfast("store init local --quiet")
        return place
    }

    /// The hook, as apt calls it.
    private func apt(_ place: Workplace) -> Outcome {
        let folder = BytePath(#filePath).parent.parent.parent
        return place.shell(
            """
            step=$(sed -n 's/^DPkg::Pre-Invoke {"\\(.*\\)";};$/\\1/p' \(folder)/Sources/Packaging/apt-hook | sed "s|/usr/bin/holdfast|$(which holdfast)|g")
            export HOLDFAST_CONFIG=config.toml
            sh -c "$step" && echo changed
            """)
    }

    @Test("A fresh backup comes before packages are changed, whatever was backed up a moment ago")
    func backup() {
        let place = backedUp("")
        place.holdfast("schedule run plant --config config.toml")
        let outcome = apt(place)
        #expect(outcome.output.hasSuffix("made a backup by the job plant\nchanged\n"), "\(outcome)")
        #expect(place.holdfast("images --from local --json").output.split(separator: "\"sequence\"").count - 1 == 2)
    }

    @Test("Without a fresh backup packages are changed all the same, unless it is required", arguments: [true, false])
    func noBackup(isRequired: Bool) {
        let place = backedUp("required = \(isRequired)")
        place.shell("mv local away")
        let outcome = apt(place)
        #expect(outcome.output.contains("there is no fresh backup by the job plant: local: "), "\(outcome)")
        #expect(outcome.output.contains("changed\n") == !isRequired, "\(outcome)")
        #expect(outcome.output.contains("error: no package is changed") == isRequired, "\(outcome)")
        let document = place.shell(
            "HOLDFAST_CONFIG=config.toml holdfast package changing --json 2>/dev/null; echo $?"
        ).output
        #expect(document.hasPrefix(#"{"error":{"message":"no package is changed: "#) == isRequired, "\(document)")
        #expect(document.hasSuffix(isRequired ? "\n4\n" : "3\n"), "\(document)")
        place.shell("mv away local")
        #expect(apt(place).output.hasSuffix("changed\n"))
    }

    @Test("A hold of the plant keeps nobody waiting who changes packages")
    func hold() {
        let place = backedUp("", "[schedule]\nhold = \"/dev/null\"")
        let outcome = place.shell("export HOLDFAST_CONFIG=config.toml; timeout 30 holdfast package changing; echo $?")
        #expect(outcome.output.contains("the plant holds work: /dev/null is there"), "\(outcome)")
        #expect(outcome.output.hasSuffix("3\n"), "\(outcome)")
    }

    @Test("A pipe in the place of the configuration holds up nobody")
    func pipe() {
        let place = Workplace()
        let outcome = place.shell(
            "mkdir -p home/config/holdfast; mkfifo home/config/holdfast/config.toml; unset HOLDFAST_CONFIG; timeout 20 holdfast package removing"
        )
        #expect(outcome.status == 0, "\(outcome)")
    }

    @Test(
        "Where no point can be made, that is said, and the package manager goes on",
        arguments: ["mv tree other", "rm -r state", "printf x >state/points.json; rm state/points.2.json"])
    func noPoint(_ why: String) {
        let place = protected()
        place.shell("printf '[packages]\\npoint = true\\n' >config.toml; chmod go-w config.toml; \(why)")
        let outcome = place.shell("holdfast package changing --state $PWD/state --config config.toml || true")
        #expect(outcome.status == 0 && outcome.output.contains("the point before-packages is not made: "), "\(outcome)")
    }

    @Test("An upgrade does nothing where nothing is protected, and waits for a rollback that is under way")
    func upgraded() {
        let place = protected()
        let none = place.holdfast("package upgraded --state $PWD/none")
        #expect(none.status == 0 && none.output == "", "\(none)")
        place.shell(
            """
            mkdir state/bin; touch state/bin/holdfast
            echo 2 >tree/b; holdfast create p --state $PWD/state --quiet; echo 3 >tree/a
            strace -f -qq -o /dev/null -e trace=syncfs -e inject=syncfs:signal=KILL:when=1 holdfast rollback p --state $PWD/state --yes --quiet
            """)
        let waits = place.holdfast("package upgraded --state $PWD/state")
        #expect(waits.status == 0 && waits.output.contains("the rollback to p comes first"), "\(waits)")
        place.holdfast("recover --state $PWD/state")
        let after = place.holdfast("package upgraded --state $PWD/state")
        #expect(after.status == 0 && !after.output.contains("comes first"), "\(after)")
    }

    @Test("Whoever removes the program hears what stays")
    func removing() {
        let place = protected()
        let outcome = place.holdfast("package removing --state $PWD/state")
        #expect(outcome.status == 0 && outcome.output.contains("restore points stay in "), "\(outcome)")
        #expect(place.holdfast("package removing --state $PWD/none").output == "")
    }
}
