// Ctrl-C and `kill`: a command that is interrupted says so, and takes nothing for damaged or gone because of it.

import TestSupport
import Testing

@Suite struct InterruptionTests {
    /// A store, an image in a file and an archive of some hundred files.
    private func makeImages(_ place: Workplace) {
        let made = place.shell(
            """
            mkdir -p tree/a; for i in $(seq 80); do head -c $((i * 1500)) /dev/urandom > tree/a/$i; done
            head -c 6000000 /dev/urandom > tree/large
            holdfast store init store --quiet && holdfast store init other --quiet && holdfast backup tree --to store --quiet &&
                holdfast backup tree --output image.hf --quiet && tar cf archive.tar tree
            """)
        #expect(made.status == 0, "\(made)")
    }

    /// The commands that read images, each with what holds of what it leaves once it was interrupted. `N` is another number each time.
    // A second signal ends at once, and `timeout` sends two: a file may just have got its name, and is whole then.
    private static let commands: [(words: String, after: String)] = [
        ("restore latest --from store --to restored-N", "true"),
        ("restore latest --from store --to restored-N --json", "true"),
        ("restore latest --from store --dry-run", "true"),
        ("restore --input image.hf --to restored-N", "true"),
        ("restore --input - --dry-run < image.hf", "true"),
        ("verify --from store", "true"),
        ("verify --from store --read-data", "true"),
        ("verify --input image.hf", "true"),
        ("images --from store", "true"),
        ("images --input image.hf", "true"),
        ("export latest --from store > exported-N.tar", "[ ! -s exported-N.tar ] || ! tar tf exported-N.tar"),
        ("copy --from store --to replica-N", "true"),
        ("copy latest --from store --output copy-N.hf", "[ ! -e copy-N.hf ] || holdfast verify --input copy-N.hf"),
        ("copy --input image.hf --to other", "true"),
        ("import --to other --name tree < archive.tar", "true"),
        ("backup tree --to other", "true"),
        ("backup tree --output backup-N.hf", "[ ! -e backup-N.hf ] || holdfast verify --input backup-N.hf"),
    ]

    @Test("Whatever is interrupted ends with 130, at any moment, and calls nothing damaged, missing or gone")
    func interrupted() {
        let place = Workplace()
        makeImages(place)
        let moments = runsAll ? 20 : 3
        var script = """
            once() {
              # Each read takes its time, so that there is something to interrupt. A shell has what is behind `&` ignore SIGINT.
              timeout --preserve-status -s $1 $2 env --default-signal=INT strace -D -f -qq -o /dev/null -e trace=read,pread64 \
                -e inject=read,pread64:delay_enter=3000 sh -c "exec holdfast $3" > out-$4.txt 2>&1
              status=$?
              [ $status = 0 ] && return
              if [ $status != 130 ] && [ $status != 143 ] || grep -Ei 'damaged|missing|gone|torn|truncated|lost' out-$4.txt
              then echo "fails with $status after $2 s: $3"; cat out-$4.txt; return; fi
              ( eval "$5" ) > /dev/null 2>&1 || echo "leaves something whole after $2 s: $3"
              echo interrupted
            }

            """
        var number = 0
        for moment in 0..<moments {
            for command in Self.commands {
                number += 1
                let words = command.words.replacing("N", with: "\(number)")
                let after = command.after.replacing("N", with: "\(number)")
                let delay = 0.2 + 0.5 * Double(moment) / Double(moments)
                let signal = number % 2 == 0 ? "INT" : "TERM"
                script += "once \(signal) \(delay) '\(words)' \(number) '\(after)' > said-\(number).txt &\n"
                if number % 6 == 0 { script += "wait\n" }
            }
        }
        let outcome = place.shell("\(script)wait; cat said-*.txt")
        let lines = outcome.output.split(separator: "\n")
        #expect(lines.allSatisfy { $0 == "interrupted" }, "\(outcome)")
        #expect(lines.count > number / 3, "of \(number) commands \(lines.count) were still at work")
    }
}
