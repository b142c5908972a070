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

    @Test("No point is made before packages are changed, until the configuration wants it; then one serves a while")
    func changing() {
        let place = protected()
        let silent = place.holdfast("package changing --state $PWD/state")
        #expect(silent.status == 0 && silent.output == "" && points(place) == [], "\(silent)")
        place.shell("printf '[packages]\\npoint = true\\n' >config.toml; chmod go-w config.toml")
        for round in 1...3 {
            let outcome = place.holdfast("package changing --state $PWD/state --config config.toml")
            #expect(outcome.status == 0 && outcome.output.contains("created") == (round == 1), "\(outcome)")
            #expect(points(place).count == 1)
        }
        // One of yesterday does not.
        place.shell(
            "python3 -c 'import json; f=\"state/points.json\"; d=json.load(open(f)); d[\"points\"][-1][\"time\"] -= 86400; json.dump(d, open(f, \"w\"))'"
        )
        #expect(place.holdfast("package changing --state $PWD/state --config config.toml").output.contains("created"))
        #expect(points(place).count == 2)
    }

    @Test(
        "Where no point can be made, that is said, and the package manager goes on",
        arguments: ["mv tree other", "rm -r state", "printf x >state/points.json; rm state/points.2.json"])
    func noPoint(_ why: String) {
        let place = protected()
        place.shell("printf '[packages]\\npoint = true\\n' >config.toml; chmod go-w config.toml; \(why)")
        let outcome = place.shell("holdfast package changing --state $PWD/state --config config.toml || true")
        #expect(outcome.status == 0 && outcome.output.contains("no point of before is made: "), "\(outcome)")
    }

    @Test("An upgrade does nothing where nothing is protected, and waits for a rollback that is under way")
    func upgraded() {
        let place = protected()
        let none = place.holdfast("package upgraded --state $PWD/none")
        #expect(none.status == 0 && none.output == "", "\(none)")
        place.shell(
            """
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
