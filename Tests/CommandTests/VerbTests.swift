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

    @Test(
        "A word that names no command is said to, with the command that was meant",
        arguments: [
            ("bakcup /x --to S", "there is no command bakcup. Did you mean backup?"),
            ("list", "there is no command list. Did you mean status?"),
            ("commit /plant/a", "there is no command commit. Did you mean filter commit?"),
            ("filter enalbe", "there is no command enalbe. Did you mean enable?"),
            ("--json filter enalbe", "there is no command enalbe. Did you mean enable?"),
            ("--quiet key ad x --to S", "there is no command ad. Did you mean add?"),
            ("--json nix", "there is no command nix"), ("help nix", "there is no command nix"),
            ("/opt/plc backup --to S", "there is no command /opt/plc"),
        ])
    func unknownCommand(line: String, text: String) {
        let outcome = Workplace().holdfast(line)
        #expect(outcome.status == 2 && outcome.output.contains(text), "\(outcome)")
    }

    @Test(
        "An option that is misspelt is named, with the one that was meant, and not what is missing for it",
        arguments: [
            ("restore latest --form S --to x", "unknown option '--form'. Did you mean '--from'?"),
            ("backup /x -to S", "unknown option '-to'. Did you mean '--to'?"),
            ("backup /x --To S", "unknown option '--To'. Did you mean '--to'?"),
            ("images --form S", "unknown option '--form'. Did you mean '--from'?"),
            ("backup /x", "give either --to STORE or --output FILE"),
            ("backup --to S", "give at least one path to back up"),
            ("restore latest --from S", "give --to DIR, --disk DEVICE, or --dry-run"),
            ("export x --from S --json", "--json and export exclude each other"),
        ])
    func unknownOption(line: String, text: String) {
        let outcome = Workplace().holdfast(line)
        #expect(outcome.status == 2 && outcome.output.contains("error: \(text)"), "\(outcome)")
        #expect(outcome.output.contains("--help` tells more"), "\(outcome)")
    }

    @Test("A private key where a public one belongs is not shown")
    func privateKey() {
        let outcome = Workplace().holdfast("backup /x --to s --recipient AGE-SECRET-KEY-1SECRETSECRET")
        #expect(outcome.status == 2 && !outcome.output.contains("1SECRETSECRET"), "\(outcome)")
    }

    @Test("Without /proc a command is the command that it is, and no help", .enabled(if: HostFacts.isRoot))
    func withoutProc() {
        let place = Workplace()
        let outcome = place.shell(
            """
            mkdir tree; echo x > tree/x; holdfast store init store --quiet
            unshare -m bash -c 'umount -l /proc; holdfast backup tree --to store; echo "status $?"; holdfast nix'
            """)
        #expect(outcome.output.contains("there is no command nix"), "\(outcome)")
        #expect(!outcome.output.contains("OVERVIEW"), "\(outcome)")
    }
}
