// The menu itself: what is offered, who is at work, and how a command is shown, run and told of.

internal import Images
internal import Machine
internal import Platform
internal import Reporting

final class Menu {
    let terminal: MenuTerminal
    let session: Session
    let stick: MenuStick?
    let isLive: Bool
    /// The machine that this is the recovery system of.
    let machine: MenuMachine?
    /// Options for each command.
    let given: [ProgramWord]
    /// Devices that alone count where a machine or its disk is looked for; empty: all.
    let among: [BytePath]

    /// Something that ends an action, said in the language of the menu.
    struct Said: Error {
        var text: String
    }

    init(
        _ terminal: MenuTerminal, session: Session, stick: MenuStick?, isLive: Bool, machine: MenuMachine?,
        given: [ProgramWord], among: [BytePath]
    ) {
        self.terminal = terminal
        self.session = session
        self.stick = stick
        self.isLive = isLive
        self.machine = machine
        self.given = given
        self.among = among
    }

    // MARK: What is offered

    private struct Entry {
        var title: MenuWord
        /// Whether two consoles cannot do it at once.
        var isExclusive = true
        /// Whether the machine itself would want a password before it.
        var isOwners = true
        var action: (Menu) throws -> Void
    }

    private var entries: [Entry] {
        var entries = [
            Entry(title: .backup) { try $0.backup() }, Entry(title: .restore) { try $0.restore() },
            Entry(title: .copyOrVerify) { try $0.copyOrVerify() },
            Entry(title: .points, isOwners: false) { try $0.points() },
            Entry(title: .wipe) { try $0.wipe() },
        ]
        if isLive {
            entries += [
                Entry(title: .keyboard, isExclusive: false, isOwners: false) { try $0.languageAndKeyboard() },
                Entry(title: .network) { try $0.network() },
                Entry(title: .shell, isExclusive: false) { try $0.shell() },
                Entry(title: .restart, isOwners: false) { try $0.endMachine(restarting: true) },
                Entry(title: .switchOff, isOwners: false) { try $0.endMachine(restarting: false) },
            ]
        } else {
            entries.append(Entry(title: .language, isExclusive: false) { try $0.chooseLanguage() })
        }
        return entries
    }

    /// Until the end of the input, or of the menu where it is not all that runs.
    /// - Parameter first: what is done before anybody is asked anything.
    func run(_ first: (Menu) throws -> Void) throws {
        try first(self)
        try chooseLanguage()
        while true {
            let entries = entries
            terminal.space()
            terminal.say(heading)
            let choice: Int
            do {
                choice = try terminal.choose(
                    MenuWord.whatToDo.text(terminal.language), entries.map { $0.title.text(terminal.language) },
                    allowsBack: !isLive, back: .end)
            } catch is MenuTerminal.Back { return }
            try take(entries[choice])
        }
    }

    private var heading: String {
        let place = stick.map { "\($0)" } ?? "-"
        return MenuWord.heading.text(terminal.language, [Version.tool, HostFacts.hostName, place])
    }

    /// Does one thing. Whatever comes of it, the menu goes on.
    private func take(_ entry: Entry) throws {
        do {
            let isShared = isLive || HostFacts.isRoot && stick?.isMounted == true
            let lock = entry.isExclusive && isShared ? try MenuLock(entry.title.text(.english)) : nil
            defer { lock?.release() }
            if entry.isOwners { try machine?.checkOwner(self, isLocked: lock != nil) }
            try entry.action(self)
        } catch let error as MenuTerminal.Ended {
            throw error
        } catch let error as Interrupted {
            throw error
        } catch is MenuTerminal.Back {
        } catch let said as Said {
            terminal.say(said.text)
            try terminal.waitForEnter()
        } catch let other as MenuLock.Taken {
            terminal.say(.otherConsole, other.work)
            try terminal.waitForEnter()
        } catch {
            tell(error)
            try terminal.waitForEnter()
        }
    }

    func tell(_ error: any Error) {
        let problem = Problem(error)
        terminal.say(.failure, Text.withoutKeys(problem.message))
        if let hint = problem.hint { terminal.say(.hint, hint) }
    }

    func said(_ word: MenuWord, _ arguments: String...) -> Said { Said(text: word.text(terminal.language, arguments)) }

    // MARK: Commands

    /// Shows what will be done, and the commands that do it, and has that confirmed.
    /// - Throws: `Back`, with nothing done.
    func confirm(_ lines: [String], _ commands: [[ProgramWord]]) throws {
        terminal.space()
        lines.forEach { terminal.say($0) }
        terminal.say(.willRun)
        for command in commands { terminal.sayWhole("  " + Self.shown(command)) }
        _ = try terminal.choose(.lastConfirmation, [MenuWord.start])
    }

    private static func shown(_ command: [ProgramWord]) -> String {
        command.map { shellWord($0.shown) }.joined(separator: " ")
    }

    /// Runs a command of this program, or another program, on this terminal.
    func start(_ command: [ProgramWord]) throws -> Int32 {
        var words = command
        if words.first == "holdfast" {
            words[0] = ProgramWord(try ProgramFiles.executable)
            words += given
        }
        terminal.space()
        let status = try runInForeground(
            words, variables: [Terminal.patienceVariable: "600"], stop: session.progress.stop)
        try session.progress.stop.checkStop()
        terminal.forgetTyped()
        return status
    }

    /// What a status means.
    func tell(status: Int32, ofOther isOther: Bool = false) {
        terminal.space()
        switch status {
        case 0: terminal.say(.statusDone)
        case 1 where !isOther: terminal.say(.statusFailed)
        case 2 where !isOther: terminal.say(.statusUsage)
        case 3 where !isOther: terminal.say(.statusFindings)
        case 4 where !isOther: terminal.say(.statusRefused)
        case 130: terminal.say(.statusInterrupted)
        case 129...: terminal.say(.statusCrashed, "\(status - 128)")
        default: terminal.say(.statusOther, "\(status)")
        }
    }

    /// Runs a command, tells of it, and waits until that was read.
    @discardableResult
    func carryOut(_ command: [ProgramWord]) throws -> Int32 {
        let status = try start(command)
        tell(status: status, ofOther: command.first != "holdfast")
        try terminal.waitForEnter()
        return status
    }

    // MARK: Language

    func chooseLanguage() throws {
        let languages = MenuLanguage.offered
        // Each in its own words, whatever is spoken now.
        let choice = try terminal.choose(
            languages.map { MenuWord.language.text($0) }.joined(separator: " / "), languages.map(\.name),
            allowsBack: false)
        terminal.language = languages[choice]
        terminal.say(.commandsAreEnglish)
    }
}
