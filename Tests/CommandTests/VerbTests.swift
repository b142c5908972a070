// Global options stand before the verb or after it, whichever verb it is.

import Platform
import TestSupport
import Testing

@testable import HoldfastCommands

@Suite struct VerbTests {
    static let globals = [
        "--json", "--yes", "--quiet", "--verbose", "--config=/x", "--config /x", "--identity=/x", "--identity /x",
        "--passphrase-file=/x", "--passphrase-file /x",
    ]

    @Test("Every command takes every global option in front of its words, and is recorded under them")
    func inFront() {
        let commands = CommandWords.all(in: RootCommand.self)
        #expect(commands.contains(["filter", "except", "add"]) && commands.contains(["certificate", "verify"]))
        for command in commands {
            #expect(CommandWords.find(command + ["status", "x"], in: RootCommand.self) == command)
            for option in Self.globals {
                let words = option.split(separator: " ").map(String.init)
                #expect(
                    ArgumentText.behindCommand(words + command + ["name", "-x"], in: RootCommand.self)
                        == command + words + ["name", "-x"])
            }
        }
    }

    @Test("The program takes them so, each command by its own help")
    func program() {
        for command in CommandWords.all(in: RootCommand.self) {
            let words = command.joined(separator: " ")
            let outcome = runShell("HOLDFAST_CONFIG= \(builtProgram) --quiet --identity /x \(words) --help")
            #expect(outcome.status == 0 && outcome.output.contains("USAGE: holdfast \(words)"), "\(words): \(outcome)")
        }
    }
}
