// The help of every command shows what people type, and what it shows is a command line.

import ArgumentParser
import TestSupport
import Testing

@testable import HoldfastCommands

@Suite struct ExampleTests {
    /// A command that help shows, by its words.
    struct Shown {
        var words: [String]
        var type: any ParsableCommand.Type

        static let all =
            below(RootCommand.self, ["holdfast"]) + [
                Shown(words: ["restorepoint"], type: RestorepointCommand.self),
                Shown(words: ["bwf"], type: BwfCommand.self),
            ]

        static func below(_ type: any ParsableCommand.Type, _ words: [String]) -> [Shown] {
            guard type.configuration.shouldDisplay else { return [] }
            return [Shown(words: words, type: type)]
                + type.configuration.subcommands.flatMap { below($0, words + [$0._commandName]) }
        }

        /// The whole lines of its examples.
        var examples: [String] {
            let parts = type.configuration.discussion.split(separator: examplesHeading + "\n")
            guard parts.count == 2 || type.configuration.discussion.hasPrefix(examplesHeading) else { return [] }
            return parts[parts.count - 1].replacing("\\\n", with: " ").split(separator: "\n").map(String.init)
        }
    }

    @Test("Every command that help shows says what it is for and has one to three examples, in 80 columns")
    func isThere() {
        #expect(Shown.all.count > 45)
        for command in Shown.all {
            #expect(!command.type.configuration.abstract.isEmpty, "\(command.words)")
            #expect((1...3).contains(command.examples.count), "\(command.words): \(command.examples)")
        }
    }

    @Test("Help ends with the examples, none of them broken into two lines")
    func help() {
        for command in Shown.all where command.words[0] == "holdfast" {
            let words = command.words.dropFirst().joined(separator: " ")
            let help = runShell("\(builtProgram) \(words) --help").output
            guard let end = help.split(separator: "\n\n\(examplesHeading)\n").dropFirst().first else {
                Issue.record("\(words): \(help)")
                continue
            }
            #expect(end.replacing("\\\n", with: " ").split(separator: "\n").map(String.init) == command.examples)
            #expect(end.split(separator: "\n").allSatisfy { $0.count <= 80 }, "\(end)")
        }
    }

    @Test("Every example is a command line of the program, and of the command that shows it")
    func isCommandLine() {
        for command in Shown.all {
            for example in command.examples {
                let words = Self.words(of: example)
                let root = Shown.all.first { $0.words == Array(words.prefix(1)) }?.type ?? RootCommand.self
                var parsed: (any ParsableCommand)?
                #expect(throws: Never.self, "\(example)") { parsed = try root.parseAsRoot(Array(words.dropFirst())) }
                #expect(throws: Never.self, "\(example)") { try (parsed as? any HoldfastCommand)?.check() }
                // A group shows what its commands do, and the root what all do.
                let isGroup = !command.type.configuration.subcommands.isEmpty
                #expect(
                    isGroup ? words.starts(with: command.words) : parsed.map { type(of: $0) == command.type } ?? false,
                    "\(example)")
            }
        }
    }

    private static let recipient = "age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p"

    /// The words of our program in a line, as a shell has them without what is piped and redirected.
    static func words(of line: String) -> [String] {
        let programs = Shown.all.filter { $0.words.count == 1 }.map { $0.words[0] + " " }
        let part = line.replacing(/\$\(cat \w+\.pub\)/, with: recipient).replacing(/\ [<>] \S+/, with: "")
            .split(separator: " | ").first { part in programs.contains { part.trimmingPrefix(/\ +/).hasPrefix($0) } }
        return runShell("printf '%s\\n' \(part ?? "")").output.split(separator: "\n").map(String.init)
    }
}
