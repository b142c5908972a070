// Restore, verify and copy by numbers: where the image is, which one, what opens it, and where it goes.

internal import Images
internal import Platform
internal import Reporting

/// Where an image is read from.
enum MenuSource {
    case file(BytePath, MenuContent.Image?)
    case store([UInt8])

    var words: [ProgramWord] {
        switch self {
        case .file(let path, _): ["--input", ProgramWord(path)]
        case .store(let store): ["--from", ProgramWord(bytes: store)]
        }
    }

    var shown: String {
        switch self {
        case .file(let path, _): "\(path)"
        case .store(let store): printable(store)
        }
    }

    /// Bytes of the smallest disk for it, where somebody has written that beside it.
    var smallestTarget: UInt64? {
        if case .file(_, let image) = self { return image?.label?.smallestTarget }
        return nil
    }

    var isStore: Bool {
        if case .store = self { return true }
        return false
    }
}

extension Menu {
    func restore() throws {
        try withSource { source, root in
            try withKey(to: source.words, lookingIn: root) { key in
                while true {
                    switch try terminal.choose(
                        MenuWord.restoreWhat.text(terminal.language, [source.shown]),
                        [MenuWord.toDisk, .toFolder, .showNeeds, .justCheck].map { $0.text(terminal.language) })
                    {
                    case 0: return try restoreToDisk(source, key)
                    case 1: return try restoreToFolder(source, key)
                    case 2: try look(at: source, key)
                    default: try verify(source, key)
                    }
                }
            }
        }
    }

    /// What the image says of itself, and of the hardware that it wants.
    private func look(at source: MenuSource, _ key: [ProgramWord]) throws {
        let list: [ProgramWord] = ["holdfast", "images"] + source.words + key
        // Of a store the images come first: who knows none cannot name one.
        var isOfFiles = false
        if case .file(_, let image) = source, let label = image?.label { isOfFiles = label.smallestTarget == nil }
        if source.isStore || isOfFiles {
            try carryOut(list)
            return
        }
        try carryOut(["holdfast", "images", "--needs"] + source.words + key)
    }

    private func verify(_ source: MenuSource, _ key: [ProgramWord]) throws {
        let all: [ProgramWord] = source.isStore ? ["--read-data"] : []
        try carryOut(["holdfast", "verify"] + source.words + all + key)
    }

    private func restoreToDisk(_ source: MenuSource, _ key: [ProgramWord]) throws {
        let disk = try chooseDisk(.ontoWhichDisk, other: .otherDisk, smallest: source.smallestTarget)
        tellFit(of: source, on: disk)
        try restore(
            source, key, to: ["--disk", ProgramWord(disk)],
            says: [MenuWord.restoreDiskWill.text(terminal.language, [source.shown, "\(disk)"]), serialIsAsked])
    }

    private func restoreToFolder(_ source: MenuSource, _ key: [ProgramWord]) throws {
        let folder = try terminal.askPath(.typeFolder, mustExist: false)
        var other: [ProgramWord] = []
        if case .file(_, let image) = source, let label = image?.label, label.isOfThisHardware == false {
            let choice = try terminal.choose(
                MenuWord.otherHardware.text(terminal.language, [label.machine, Text.safe(HostFacts.hardwareSeries)]),
                [MenuWord.refuseOtherHardware, .takeOtherHardware].map { $0.text(terminal.language) })
            if choice == 1 { other = ["--other-hardware"] }
        }
        try restore(
            source, key, to: ["--to", ProgramWord(folder)] + other,
            says: [MenuWord.restoreFolderWill.text(terminal.language, [source.shown, "\(folder)"])])
    }

    private func restore(
        _ source: MenuSource, _ key: [ProgramWord], to target: [ProgramWord], says lines: [String]
    ) throws {
        let copy = try copyFirst(of: source)
        defer { copy?.remove() }
        let words = copy.map { ["--input", ProgramWord($0.image)] } ?? source.words
        let copiesStore = try copy == nil && offersCopy(of: source)
        let checks = try terminal.choose(.checkFirst, [MenuWord.checkFirstYes, .checkFirstNo]) == 0
        let all: [ProgramWord] = source.isStore ? ["--read-data"] : []
        let verify = ["holdfast", "verify"] + words + all + key
        let command = ["holdfast", "restore"] + words + (copiesStore ? ["--copy-first"] : []) + target + key
        try confirm(lines, (copy.map { [$0.command] } ?? []) + (checks ? [verify] : []) + [command])
        if let copy {
            try copy.prepare()
            let status = try start(copy.command)
            if status != 0 {
                tell(status: status, ofOther: true)
                return try terminal.waitForEnter()
            }
            terminal.say(.inMemoryNow)
        }
        if checks {
            let status = try start(verify)
            tell(status: status)
            if status != 0 {
                if status != 3 { return try terminal.waitForEnter() }
                _ = try terminal.choose(.damagedGoOn, [MenuWord.start])
            }
        }
        try carryOut(command)
    }

    private var serialIsAsked: String { MenuWord.serialIsAsked.text(terminal.language) }

    /// Says whether the label beside the image says that it fits. The command itself looks again, at the image.
    private func tellFit(of source: MenuSource, on disk: BytePath) {
        guard let smallest = source.smallestTarget, let size = BlockDevice.at(disk)?.size, size >= smallest else {
            return
        }
        terminal.say(.fits, Text.size(smallest), Text.size(size))
    }

    // MARK: Copy or verify

    func copyOrVerify() throws {
        let isCopy = try terminal.choose(.whatToDo, [MenuWord.verifyImage, .copyImage]) == 1
        try withSource { source, root in
            try withKey(to: source.words, lookingIn: root) { key in
                if isCopy {
                    try copy(source, key, isOnStick: root != nil && root == stick?.root)
                } else {
                    try verify(source, key)
                }
            }
        }
    }

    private func copy(_ source: MenuSource, _ key: [ProgramWord], isOnStick: Bool) throws {
        var command: [ProgramWord] = ["holdfast", "copy"]
        let target = try chooseTarget(allowsStick: !isOnStick, allowsFile: source.isStore)
        let place: [UInt8]
        if let store = self.place(of: target) {
            place = store
            command += source.words + ["--to", ProgramWord(bytes: store)]
        } else {
            // Which of the store's images, and the file that it becomes.
            command.append(ProgramWord(bytes: try terminal.ask(.typeImage)))
            let name = try askName(
                offered: MenuNames.image(of: "copy", at: Timestamp.now().local("%Y-%m-%dT%H%M")))
            place = folder(of: target).appending(name + MenuContent.ending).bytes
            command += source.words + Self.parts + ["--output", ProgramWord(bytes: place)]
        }
        command += key
        try confirm([MenuWord.copyWill.text(terminal.language, [source.shown, printable(place)])], [command])
        try carryOut(command, onto: target)
    }

    // MARK: Where an image is

    /// Has an image, or a store, chosen, and the stick there as long as `body` lasts.
    private func withSource(_ body: (MenuSource, BytePath?) throws -> Void) throws {
        let onStick = stick == nil ? [] : [MenuWord.onStick.text(terminal.language)]
        let choice = try terminal.choose(
            .whereIsImage,
            onStick + [MenuWord.inFolder, .inFile, .inStore].map { $0.text(terminal.language) })
        switch choice - onStick.count {
        case 0:
            let folder = try terminal.askPath(.typeFolder, mustExist: true)
            try body(try chooseImage(below: folder), folder)
        case 1:
            let path = try terminal.askPath(.typeFile, mustExist: true)
            try body(.file(path, nil), nil)
        case 2: try body(.store(try terminal.ask(.typeStore)), nil)
        default:
            try stick?.use(writing: false, self) { root in try body(try chooseImage(below: root), root) }
        }
    }

    private func chooseImage(below root: BytePath) throws -> MenuSource {
        let images = try MenuContent.images(below: root)
        let stores = try MenuContent.stores(below: root)
        if images.isEmpty && stores.isEmpty { throw said(.noImages, "\(root)") }
        let choice = try terminal.choose(
            .whichImage,
            images.map { line($0, below: root) }
                + stores.map { MenuWord.storeLine.text(terminal.language, [$0 == root ? "/" : name($0, root)]) })
        if choice < images.count { return .file(images[choice].path, images[choice]) }
        return .store(stores[choice - images.count].bytes)
    }

    private func name(_ path: BytePath, _ root: BytePath) -> String {
        printable(root.remainder(of: path))
    }

    private func line(_ image: MenuContent.Image, below root: BytePath) -> String {
        let name = name(image.path, root)
        guard let label = image.label else {
            return "\(name)  \(Text.size(image.size))  "
                + MenuWord.withoutLabel.text(terminal.language, [Text.localMinute(image.modified)])
        }
        let fit = MenuWord.sameHardware.text(terminal.language)
        let newest = label.newest.map { ", " + MenuWord.newestChange.text(terminal.language, [$0]) } ?? ""
        return "\(name)  \(Text.size(image.size))  \(label.host), \(label.time)\(newest)"
            + (label.isOfThisHardware == true
                ? "  (\(fit))" : label.isOfThisHardware == false ? "  (\(label.machine))" : "")
    }
}
