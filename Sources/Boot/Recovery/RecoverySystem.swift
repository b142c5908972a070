// The system that a machine starts when its own does not: rolls back, restores, and has a shell, without anything of `/`.
//
//     <place>/<id>                       an empty file, by which boot loaders find the place
//     <place>/A, <place>/B               two generations: vmlinuz, initrd, live, SHA256SUMS
//     <place>/grub.cfg                   starts the newest; the commit point of each update
//     <place>/recovery                   id, newest generation and kernels, for us

internal import Cryptography
internal import Glibc
public import Platform
public import Reporting

public struct RecoverySystem: Sendable {
    static let listName = "recovery"
    private static let menuEntry: BytePath = "/etc/grub.d/42_holdfast"
    private static let settings: BytePath = "/etc/default/grub.d/holdfast.cfg"
    /// Bytes that a generation needs at most, as far as is known before it is made.
    private static let usualSize: UInt64 = 80 << 20

    /// What the boot menu calls it.
    public static let title = RecoveryScripts.title

    public let place: RecoveryPlace
    /// Linux of the newest generation.
    public let kernel: String
    /// Whether it returns from a trial without being asked.
    let returnsByItself: Bool

    /// Why the firmware's own menu does not have it; nil where it does, or where there is none.
    public private(set) var missesFirmware: String?

    /// What it is, and what it needs of the machine.
    public var words: String {
        let needs =
            switch place.kind {
            case .firmware where FirmwareEntry(place)?.isInstalled == true:
                "it needs nothing of / or /boot, and the firmware's menu has it as \(FirmwareEntry.label)"
            case .firmware: "it needs nothing of / or /boot"
            case .state: "it needs the file system of \(place.folder)"
            case .boot: "it needs /boot"
            }
        return "Linux \(kernel) in \(place.folder): \(needs)"
    }

    /// What is installed; nil where nothing is.
    public static func installed(state: BytePath) throws -> RecoverySystem? {
        for place in try RecoveryPlace.all(state: state) {
            guard let record = try Record(in: place.folder) else { continue }
            let file = place.folder.appending("grub.cfg")
            let menu = try exists(file) ? readRegular(file, limit: 1 << 16) : []
            return RecoverySystem(
                place: place, kernel: record.kernels[record.current] ?? "",
                returnsByItself: String(decoding: menu, as: UTF8.self).contains("$" + StartCounterMenu.returnVariable))
        }
        return nil
    }

    /// What tells it from those of other machines; nil where there is none.
    static func identifier(state: BytePath, root: BytePath) throws -> String? {
        for place in try RecoveryPlace.all(state: state, root: root) {
            if let record = try Record(in: place.folder) { return record.id }
        }
        return nil
    }

    /// What it would be made of and is not here.
    public static func missing() -> [MissingPart] {
        LiveSystem.missing() + (exists("/etc/grub.d") ? [] : [MissingPart("GRUB's menu", package: "grub-common")])
    }

    /// Makes it, or a new generation of it. A crash leaves the one that was there before, and repeating this goes on.
    /// - Returns: nil where no place has the room.
    /// - Throws: `LiveError`, `BootError`, `SystemError`.
    public static func install(state: BytePath, stop: Stop) throws -> RecoverySystem? {
        guard let place = try RecoveryPlace.choose(state: state, needed: usualSize) else { return nil }
        let facts = try MachineFacts(state: state)
        var record = try Record(in: place.folder) ?? Record(id: hexadecimal(try SecureRandom.bytes(4)))
        let scratch = try ScratchFolder()
        let live = try LiveSystem(recovering: facts, in: scratch.path, stop: stop)
        try makeFolders(place.folder, mode: 0o700)
        let generation = record.current == "A" ? "B" : "A"
        try put(live, in: place.folder, generation)
        let marker = place.folder.appending(record.id)
        if !exists(marker) { try writeNew(marker, []) }
        record.current = generation
        record.kernels[generation] = live.kernel.version
        try replaceFile(
            place.folder.appending("grub.cfg"),
            Array(RecoveryScripts.menu(place, id: record.id, current: generation, kernels: record.kernels).utf8),
            mode: 0o644)
        try replaceFile(place.folder.appending(listName), Array(record.text.utf8), mode: 0o644)
        try putIntoMenu(place, id: record.id, counter: StartCounter.install(id: record.id, state: state))
        var made = RecoverySystem(place: place, kernel: live.kernel.version, returnsByItself: true)
        // The machine's own menu has it already.
        do { try FirmwareEntry(place)?.install(id: record.id) } catch {
            let problem = explained(error)
            made.missesFirmware = problem.sentence + (problem.mend.map { "; \($0)" } ?? "")
        }
        return made
    }

    /// Takes it away, and its entry with it.
    public static func remove(state: BytePath) throws {
        var isInMenu = false
        for file in [menuEntry, StartCounterMenu.place, settings] where exists(file) {
            try removeFile(file)
            isInMenu = true
        }
        if isInMenu { try updateMenu() }
        try StartCounter.remove(state: state)
        for place in try RecoveryPlace.all(state: state) where exists(place.folder.appending(listName)) {
            try FirmwareEntry(place)?.remove()
            try Descriptor.open(place.folder.parent, .directory).removeTree(place.folder.lastComponent)
        }
    }

    // MARK: Parts

    /// A generation in the place of one that nothing starts any more.
    private static func put(_ live: LiveSystem, in folder: BytePath, _ generation: String) throws {
        let home = try Descriptor.open(folder, .directory)
        try home.removeTree(Array(generation.utf8))
        try home.makeDirectory(Array(generation.utf8))
        let place = folder.appending(generation)
        var sums = ""
        for name in ["vmlinuz", "initrd", "live"] {
            let source = try Descriptor.open(live.folder.appending(name))
            let copy = try Descriptor.open(place.appending(name), [.write, .create, .exclusive], mode: 0o600)
            guard try source.copyContent(to: copy, size: source.status().size) else {
                throw SystemError(EIO, "copy", "\(place.appending(name))", detail: "it became shorter meanwhile")
            }
            try copy.synchronize()
            sums += "\(hexadecimal(try fileDigest(live.folder.appending(name)).bytes))  \(name)\n"
        }
        try writeNew(place.appending("SHA256SUMS"), Array(sums.utf8), mode: 0o600)
    }

    private static func putIntoMenu(_ place: RecoveryPlace, id: String, counter: StartCounter?) throws {
        guard exists(menuEntry.parent) else { return }
        var isNew = false
        let hasEntry = try InstalledFile.put(
            Array(RecoveryScripts.entry(place, id: id).utf8), at: menuEntry, mode: 0o755)
        let hasSettings = try InstalledFile.put(
            Array(RecoveryScripts.settings(isCounting: counter != nil).utf8), at: settings, mode: 0o644)
        if hasEntry || hasSettings { isNew = true }
        if let counter {
            let text = StartCounterMenu.text(counter, recovery: place, id: id)
            if try InstalledFile.put(Array(text.utf8), at: StartCounterMenu.place, mode: 0o755) { isNew = true }
            // An update of the menu may have been cut off behind its parts.
            if try !StartCounterMenu.isTaken(counter) { isNew = true }
        } else if exists(StartCounterMenu.place) {
            try removeFile(StartCounterMenu.place)
            isNew = true
        }
        if isNew { try updateMenu() }
    }

    private static func updateMenu() throws {
        guard programPath("grub-mkconfig") != nil, exists("/boot/grub") else { return }
        try runOrThrow(["grub-mkconfig", "-o", "/boot/grub/grub.cfg"])
    }

    /// What is installed, in lines of a name and a value.
    private struct Record {
        var id: String
        var current = ""
        var kernels: [String: String] = [:]

        init(id: String) { self.id = id }

        /// nil: none is here.
        init?(in folder: BytePath) throws {
            let file = folder.appending(RecoverySystem.listName)
            guard exists(file) else { return nil }
            let text = String(decoding: try readRegular(file, limit: 1 << 16), as: UTF8.self)
            var values: [String: String] = [:]
            for line in text.split(separator: "\n") {
                let words = line.split(separator: " ", maxSplits: 1).map(String.init)
                if words.count == 2 { values[words[0]] = words[1] }
            }
            // From the EFI system partition, where others may have written.
            guard let id = values["id"], id.utf8.count == 8, decodeHexadecimal(id) != nil,
                let current = values["current"],
                ["A", "B"].contains(current)
            else { return nil }
            self.id = id
            self.current = current
            for name in ["A", "B"] {
                if let kernel = values[name], BytePath("/\(kernel)").isPlainInScripts { kernels[name] = kernel }
            }
        }

        var text: String {
            "id \(id)\ncurrent \(current)\n"
                + kernels.sorted { $0.key < $1.key }.map { "\($0.key) \($0.value)\n" }.joined()
        }
    }
}
