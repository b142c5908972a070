// Where an image goes: the stick or a folder, as one file, or a store.

internal import Images
internal import Platform

enum MenuTarget {
    case stick
    case folder(BytePath)
    case store([UInt8])
    /// By its path on the stick.
    case storeOnStick([UInt8])

    var isOnStick: Bool {
        switch self {
        case .stick, .storeOnStick: true
        case .folder, .store: false
        }
    }
}

extension Menu {
    /// FAT holds no file of 4 GiB and more; each part stays well below, also where somebody copies it to a stick later.
    static let parts: [ProgramWord] = ["--part-size", "4000000000"]

    /// - Parameters:
    ///   - allowsStick: not where it is read from.
    ///   - allowsFile: not what is one file already.
    func chooseTarget(allowsStick: Bool = true, allowsFile: Bool = true) throws -> MenuTarget {
        let offersStick = allowsStick && stick != nil
        let words = (offersStick ? [MenuWord.toStick] : []) + (allowsFile ? [.intoFolder] : []) + [.intoStore]
        switch words[try terminal.choose(.backupWhere, words)] {
        case .toStick: return try chooseOnStick(allowsFile: allowsFile)
        case .intoFolder: return .folder(try terminal.askPath(.typeFolder, mustExist: true))
        default: return .store(try terminal.ask(.typeStore))
        }
    }

    /// One file on it, or one of its stores.
    private func chooseOnStick(allowsFile: Bool) throws -> MenuTarget {
        guard let stick else { return .stick }
        let stores = try stick.use(writing: false, self) { root in
            try MenuContent.stores(below: root).map { Array(root.remainder(of: $0)) }
        }
        if stores.isEmpty {
            if allowsFile { return .stick }
            throw said(.noImages, "\(stick)")
        }
        let file = allowsFile ? [MenuWord.ontoStick.text(terminal.language)] : []
        let choice = try terminal.choose(
            .backupWhere,
            file
                + stores.map { MenuWord.storeLine.text(terminal.language, [$0.isEmpty ? "/" : printable($0)]) })
        return choice < file.count ? .stick : .storeOnStick(stores[choice - file.count])
    }

    /// The store that it is; nil of what becomes a file.
    func place(of target: MenuTarget) -> [UInt8]? {
        switch target {
        case .store(let store): store
        case .storeOnStick(let name): folder(of: .stick).appending(name).bytes
        case .stick, .folder: nil
        }
    }

    func folder(of target: MenuTarget) -> BytePath {
        switch target {
        case .folder(let path): path
        case .stick, .storeOnStick: stick?.root ?? "/"
        case .store: "/"
        }
    }

    /// Runs a command that writes there, and tells of it. The stick is writable for that long.
    /// - Parameter then: what else belongs to it, with the command's status.
    func carryOut(_ command: [ProgramWord], onto target: MenuTarget, then: (Int32) -> Void = { _ in }) throws {
        func work() throws -> Int32 {
            let status = try start(command)
            then(status)
            return status
        }
        guard target.isOnStick, let stick else {
            tell(status: try work())
            return try terminal.waitForEnter()
        }
        let status = try stick.use(writing: true, self) { _ in try work() }
        tell(status: status)
        terminal.say([0, 3].contains(status) ? .stickMayGo : .stickIsFree)
        try terminal.waitForEnter()
    }

    func askName(offered: String) throws -> String {
        let typed = try terminal.ask(.typeName, offered: offered) { bytes in
            MenuNames.isFit(String(decoding: bytes, as: UTF8.self))
                ? nil : MenuWord.unfitName.text(self.terminal.language)
        }
        return String(decoding: typed, as: UTF8.self)
    }
}
