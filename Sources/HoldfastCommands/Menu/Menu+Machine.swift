// Restore points, wiping, and what a system that was started from a stick needs: keyboard, network, shell, restart.

internal import Glibc
internal import Images
internal import Platform
internal import Reporting

extension Menu {
    // MARK: Restore points

    func points() throws {
        if let machine { return try machine.whileUp(self) { try points(of: $0) } }
        guard isLive else { return try points(of: nil) }
        let resting = try chooseResting()
        try points(of: resting.place) { isChanged, body in try resting.whileMounted(writing: isChanged, body) }
    }

    /// - Parameters:
    ///   - place: where the machine is that does not run; nil: it is this one.
    ///   - whileThere: has it there for one command, which changes something or not.
    private func points(
        of place: MenuMachine.Place?, whileThere: (Bool, () throws -> Void) throws -> Void = { try $1() }
    ) throws {
        let choices: [(title: MenuWord, words: [ProgramWord], changes: Bool)] = [
            (.pointsStatus, ["status"], false), (.pointsRollback, ["rollback"], true), (.pointsUndo, ["undo"], true),
            (.pointsReset, ["factory-reset"], true), (.filterStatus, ["filter", "status"], false),
            (.filterDisable, ["filter", "disable"], true), (.pointsLog, ["log"], false),
        ]
        while true {
            let choice = choices[try terminal.choose(.points, choices.map(\.title))]
            // It takes what was done since the machine was delivered.
            if choice.title == .pointsReset { try machine?.checkOwner(self, isLocked: true) }
            let command = ["holdfast"] + choice.words + (place?.options(for: choice.words) ?? [])
            // The command shows what it would do, and asks once more.
            if choice.changes { try confirm([MenuWord.asksOnceMore.text(terminal.language)], [command]) }
            try whileThere(choice.changes) { try carryOut(command) }
        }
    }

    // MARK: Wiping

    func wipe() throws {
        let disk = try chooseDisk(.wipeWhich, other: .otherMedium)
        guard let device = BlockDevice.at(disk) else { throw said(.noDevice, "\(disk)") }
        let level: ProgramWord =
            try terminal.choose(.wipeHow, [MenuWord.wipeClear, .wipePurge]) == 0 ? "clear" : "purge"
        let name = MenuNames.image(
            of: "wipe-\(device.confirmation)", at: Timestamp.now().local("%Y-%m-%dT%H%M"))
        var command = ["holdfast", "wipe", ProgramWord(disk), "--level", level]
        let file = stick?.root.appending(name + ".json")
        if let file { command += ["--certificate", ProgramWord(file)] }
        try confirm(
            [
                MenuWord.wipeWill.text(
                    terminal.language,
                    [
                        "\(disk)",
                        [device.model, Text.size(device.size)].filter { !$0.isEmpty }.joined(separator: ", "),
                        device.serial.isEmpty ? "-" : device.serial,
                    ]),
                file.map { MenuWord.certificateGoes.text(terminal.language, ["\($0)"]) }
                    ?? MenuWord.noCertificate.text(terminal.language),
                MenuWord.serialIsAsked.text(terminal.language),
            ], [command])
        guard let stick else {
            try carryOut(command)
            return
        }
        // What would keep a certificate from being written has to show before hours of work: the stick is there from the beginning.
        let status = try stick.use(writing: true, self) { _ in try start(command) }
        tell(status: status)
        // The certificate of a wipe that did not reach all is there, too.
        terminal.say([0, 3].contains(status) ? .stickMayGo : .stickIsFree)
        try terminal.waitForEnter()
    }

    // MARK: Keyboard

    private static let keyboards = [
        ("us", "English (US)"), ("uk", "English (UK)"), ("de", "Deutsch"), ("jp106", "Japanese (106)"),
        ("fr", "Francais"), ("it", "Italiano"), ("es", "Espanol"),
    ]

    func languageAndKeyboard() throws {
        try chooseLanguage()
        let choice = try terminal.choose(.whichKeyboard, Self.keyboards.map { "\($0.0)  \($0.1)" })
        let status = try start(["loadkeys", ProgramWord(Self.keyboards[choice].0)])
        if status == 0 { return terminal.say(.keyboardIsSet, Self.keyboards[choice].0) }
        tell(status: status, ofOther: true)
        try terminal.waitForEnter()
    }

    // MARK: Shell and end

    func shell() throws {
        terminal.say(.shellEnds)
        let shell: BytePath = exists("/bin/bash") ? "/bin/bash" : "/bin/sh"
        // What it ended with is that of the last thing that was typed.
        _ = try start([ProgramWord(shell)])
    }

    func endMachine(restarting: Bool) throws {
        let isSystemd = exists("/run/systemd/system")
        let verb: ProgramWord = restarting ? "reboot" : "poweroff"
        try confirm(
            [MenuWord.endWill.text(terminal.language)],
            [isSystemd ? ["systemctl", verb] : ["sync"], [verb]].suffix(isSystemd ? 1 : 2).map { $0 })
        if isSystemd {
            try carryOut(["systemctl", verb])
        } else {
            try Platform.endMachine(restarting: restarting)
        }
    }
}
