// Backup by numbers: which disk or folder, where to, what it is called, who can open it.

internal import Images
internal import Platform
internal import Reporting

/// What is backed up.
private enum MenuSubject {
    /// A disk, or a file that is an image of one.
    case disk(BytePath, MenuDiskFacts)
    case folder(BytePath)
}

extension Menu {
    func backup() throws {
        let subject = try chooseSubject()
        let target = try chooseTarget()
        if let store = place(of: target) { return try backup(subject, to: target, store) }
        let host = try self.host(of: subject)
        let name = try askName(offered: MenuNames.image(of: host, at: Timestamp.now().local("%Y-%m-%dT%H%M")))
        let (named, free) = try look(at: target)
        let passphrase = try named == nil ? askNewPassphrase() : nil
        defer { passphrase?.file?.erase() }
        let keys = named ?? (passphrase?.options ?? [], "passphrase")
        let wantsLabel = try terminal.choose(.labelWanted, [MenuWord.yes, .no]) == 0
        let folder = folder(of: target)
        let image = folder.appending(name + MenuContent.ending)
        let command =
            ["holdfast", "backup"] + words(of: subject) + ["--output", ProgramWord(image)]
            + Self.parts + ["--name", ProgramWord(name)] + keys.options
        try confirm(
            [
                MenuWord.backupWill.text(terminal.language, [shown(subject), "\(image)"]),
                MenuWord.nothingElseIsWritten.text(terminal.language),
            ] + warning(ofRoom: free, for: subject), [command])
        let label = MenuLabel(
            image: name + MenuContent.ending, host: host, time: Timestamp.now().localText,
            machine: HostFacts.hardwareSeries, content: facts(of: subject)?.lines ?? [shown(subject)],
            used: facts(of: subject)?.used, smallestTarget: facts(of: subject)?.smallestTarget,
            newest: try newestChange(of: subject), opensWith: keys.words)
        try carryOut(command, onto: target) { status in
            if [0, 3].contains(status), wantsLabel { write(label, beside: image) }
        }
    }

    private func backup(_ subject: MenuSubject, to target: MenuTarget, _ store: [UInt8]) throws {
        let command = ["holdfast", "backup"] + words(of: subject) + ["--to", ProgramWord(bytes: store)]
        try confirm(
            [MenuWord.backupWill.text(terminal.language, [shown(subject), printable(store)])], [command])
        try carryOut(command, onto: target)
    }

    // MARK: What

    private func chooseSubject() throws -> MenuSubject {
        if try terminal.choose(.backupWhat, [MenuWord.wholeDisk, .folderOrFile]) == 1 {
            return .folder(try terminal.askPath(.typeFolder, mustExist: true))
        }
        let path = try chooseDisk(.whichDisk, other: .otherDisk, isRead: true)
        terminal.say(.looking)
        return .disk(path, try MenuDiskFacts(path, given: given, session))
    }

    private func words(of subject: MenuSubject) -> [ProgramWord] {
        switch subject {
        case .disk(let path, _): ["--disk", ProgramWord(path)]
        case .folder(let path): [ProgramWord(path)]
        }
    }

    private func shown(_ subject: MenuSubject) -> String {
        switch subject {
        case .disk(let path, _), .folder(let path): "\(path)"
        }
    }

    private func facts(of subject: MenuSubject) -> MenuDiskFacts? {
        if case .disk(_, let facts) = subject { return facts }
        return nil
    }

    /// When something of it was changed last, as it is shown; nil: that cannot be told, or would take too long.
    private func newestChange(of subject: MenuSubject) throws -> String? {
        switch subject {
        case .disk(_, let facts): return facts.newest
        case .folder(let path):
            let root = try Descriptor.open(path, .place)
            let status = try root.status()
            if status.kind == .file { return Text.localMinute(status.modified) }
            if status.kind != .directory { return nil }
            terminal.say(.looking)
            return try NewestChange.below(Descriptor.open(path, .directory), staying: true, stop: session.progress.stop)
                .map(Text.localMinute)
        }
    }

    /// The machine that it is of: on a rescue stick, that of the disk.
    private func host(of subject: MenuSubject) throws -> String {
        if let host = facts(of: subject)?.host, !host.isEmpty { return Text.safe(host) }
        if !isLive { return Text.safe(HostFacts.hostName) }
        let typed = try terminal.ask(.typeHost, offered: "machine")
        return Text.safe(String(decoding: typed, as: UTF8.self))
    }

    // MARK: Who opens it

    /// Who can open what is made there, and how much room there is.
    private func look(at target: MenuTarget) throws -> (named: (options: [ProgramWord], words: String)?, free: UInt64) {
        func look(_ folder: BytePath) throws -> (named: (options: [ProgramWord], words: String)?, free: UInt64) {
            (try recipients(lookingIn: folder), try Descriptor.open(folder, .directory).space().free)
        }
        guard target.isOnStick, let stick else { return try look(folder(of: target)) }
        return try stick.use(writing: false, self, look)
    }

    private func askNewPassphrase() throws -> (file: MenuKeyFile?, options: [ProgramWord]) {
        terminal.say(.noRecipients)
        // The menu was told of a file that has it.
        if session.global.passphraseFile != nil { return (nil, ["--passphrase"]) }
        let file = try newPassphrase()
        return (file, ["--passphrase", "--passphrase-file", ProgramWord(file.path)])
    }

    private func warning(ofRoom free: UInt64, for subject: MenuSubject) -> [String] {
        guard let used = facts(of: subject)?.used, used > free else { return [] }
        return [MenuWord.littleRoom.text(terminal.language, [Text.size(free), Text.size(used)])]
    }

    /// The image is there by now; its label is a help, and no more.
    private func write(_ label: MenuLabel, beside image: BytePath) {
        var label = label
        let place = MenuLabel.place(beside: image)
        do {
            label.size = try MenuContent.images(below: image.parent).first { $0.path == image }?.size
            try writeNew(place, label.bytes, mode: 0o644)
            terminal.say(.labelWritten, "\(place)")
        } catch { tell(error) }
    }
}

/// Names that FAT and Windows take.
enum MenuNames {
    private static let longest = 64
    /// What Windows takes for devices, whatever ending they have.
    private static let devices = Set(
        ["con", "prn", "aux", "nul"] + (1...9).flatMap { ["com\($0)", "lpt\($0)"] })

    static func image(of host: String, at time: String) -> String {
        let plain = String(host.map { isPlain($0) ? $0 : "-" }.prefix(longest - time.count - 1))
        let name = plain + "-" + time
        return isFit(name) ? name : "machine-" + time
    }

    static func isFit(_ name: String) -> Bool {
        (1...longest).contains(name.count) && name.allSatisfy(isPlain) && name.first != "." && name.first != "-"
            && name.last != "." && !devices.contains(name.lowercased().prefix { $0 != "." }.description)
    }

    private static func isPlain(_ character: Character) -> Bool {
        character.isASCII && (character.isLetter || character.isNumber || ".-_".contains(character))
    }
}
