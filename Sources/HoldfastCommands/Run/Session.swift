// One command's run: its options, its configuration, its keys, and what it shows.

internal import Cryptography
internal import Images
internal import Machine
internal import Platform
internal import Reporting
internal import Stewardship
internal import Stores

final class Session: Sendable {
    let global: GlobalValues
    let configuration: Configuration
    let places: Places
    let console: Console
    let progress: Progress
    let findings: Findings
    private let shown = Shown()

    /// What was shown as the result, in sentences.
    var summary: [String] { shown.monitor.withLock { shown.lines } }

    /// The same as a document, in one line.
    var document: String { shown.monitor.withLock { shown.document }.encoded }

    let loaded = Loaded()

    /// What is opened once a command.
    struct StoreKey: Hashable {
        var location: StoreLocation
        var moment: Int64?
    }

    final class Loaded: @unchecked Sendable {
        let monitor = Monitor()
        var keys: [IdentityFile.Keys]?
        var stores: [StoreKey: (store: any ObjectStore, isWritten: Bool)] = [:]
        /// Stores of which it has been said that nothing is pinned.
        var unpinned: Set<StoreFingerprint> = []
        /// Passphrases that were typed, by what they are to open: nobody types one twice.
        var typed: [String: Secret] = [:]
    }

    /// What goes on record beside the result: whose word it had, and for which order.
    var remembered: [String] { shown.monitor.withLock { shown.remembered } }

    func remember(_ sentence: String) { shown.monitor.withLock { shown.remembered.append(sentence) } }

    /// The second person who agreed; nil: nobody has been asked.
    var approver: String? { shown.monitor.withLock { shown.approver } }

    func approve(by person: String) { shown.monitor.withLock { shown.approver = person } }

    private final class Shown: @unchecked Sendable {
        let monitor = Monitor()
        var lines: [String] = []
        var remembered: [String] = []
        var approver: String?
        var document = JSON.object([])
    }

    /// The options that matter below, apart from ArgumentParser's wrappers.
    struct GlobalValues: Sendable {
        var identities: [BytePath]
        var passphraseFile: BytePath?
        var isYes: Bool
        var storeFingerprint: StoreFingerprint?
    }

    /// - Parameter needsConfiguration: whether one that has a mistake ends the command; else it is said, and there is none.
    init(_ global: GlobalOptions, progress: Progress, console: Console, needsConfiguration: Bool) throws {
        self.global = GlobalValues(
            identities: global.identities.map(\.path), passphraseFile: global.passphraseFile?.path, isYes: global.yes,
            storeFingerprint: global.storeFingerprint?.fingerprint)
        do { configuration = try Configuration.load(global.config?.path) } catch {
            if needsConfiguration { throw error }
            console.warning("it goes on without a configuration: \(Problem(error).message)")
            configuration = Configuration()
        }
        var places = Places()
        places.apply(state: configuration.state, cache: configuration.cache)
        self.places = places
        self.console = console
        self.progress = progress
        findings = Findings(stop: progress.stop) { console.finding($0) }
    }

    // MARK: Places

    var machine: MachineState { MachineState(state: places.keys, cache: places.cache) }

    /// The same for the store at a place. Where that has no name, all images that were seen have to be there.
    func machine(for place: StorePlace) -> MachineState {
        var machine = machine
        machine.place = try? knownStores.seenPlace(of: place.location)
        return machine
    }

    var knownStores: KnownStores { KnownStores(places) }

    var reporter: Reporter {
        Reporter(progress: progress, findings: findings) { [console] in console.warning($0) }
    }

    // MARK: Keys

    /// The identities that were given, or configured, or else the user's own where there is one.
    func identities() throws -> [AgeIdentity] { try keyFiles().flatMap(\.identities) }

    /// Files of keys that the configuration and the command line name: no backup takes them along.
    var keyFilePaths: [BytePath] {
        configuration.identities + global.identities
            + configuration.jobs.compactMap { if case .file(let path)? = $0.drill?.key { path } else { nil } }
    }

    private func identityPaths() -> [BytePath] {
        let paths = global.identities.isEmpty ? configuration.identities : global.identities
        return paths.isEmpty && exists(places.identity) ? [places.identity] : paths
    }

    /// The keys in these files, each read once.
    func keyFiles() throws -> [IdentityFile.Keys] {
        try loaded.monitor.withLock {
            if let known = loaded.keys { return known }
            let keys = try identityPaths().map { try IdentityFile.read($0, on: console) }
            loaded.keys = keys
            return keys
        }
    }

    /// Has nothing but these keys at hand from now on.
    func use(_ keys: IdentityFile.Keys) { loaded.monitor.withLock { loaded.keys = [keys] } }

    /// Has nothing but these keys at hand for as long as `body` lasts.
    func using<R>(_ keys: IdentityFile.Keys, _ body: () throws -> R) rethrows -> R {
        let before = loaded.monitor.withLock { loaded.keys }
        use(keys)
        defer { loaded.monitor.withLock { loaded.keys = before } }
        return try body()
    }

    /// A key that somebody types from its sheet of paper, until it is one or nothing is typed.
    func typedIdentities() throws -> IdentityFile.Keys {
        let question = "The key, AGE-SECRET-KEY-1 with it; blanks and small letters do no harm"
        while true {
            guard let typed = try ask({ try $0.passphrase(question, patience: Terminal.patienceForKeys) })
            else {
                throw Problem.refused(
                    "a key is to be typed, and there is no terminal to ask on", hint: "give it with `--identity FILE`")
            }
            guard let typed else { throw Problem.refused("no key was typed; nothing was done") }
            do {
                return IdentityFile.Keys(
                    identities: try typed.withUnsafeBytes { try AgeIdentity.identities(inFile: $0) })
            } catch let error as CryptographyError { console.warning("\(error)") }
        }
    }

    /// What opens a store; its passphrase is asked for only where it is wanted.
    func credentials(for place: StorePlace) throws -> Credentials {
        try credentials(for: place.words, place.fingerprint)
    }

    /// What opens a file.
    func credentials(for file: BytePath) throws -> Credentials { try credentials(for: file.description, nil) }

    private func credentials(for subject: String, _ configured: StoreFingerprint?) throws -> Credentials {
        let keys = try keyFiles()
        var credentials = Credentials(
            identities: keys.flatMap(\.identities), steward: keys.compactMap(\.steward).last,
            trust: try trust(configured)
        ) { try self.passphrase(for: subject) }
        credentials.keptPassphrase = { try self.keptPassphrase(of: subject) }
        return credentials
    }

    /// What is known of the store that is about to be opened.
    /// - Parameter configured: the fingerprint that its place has in the configuration.
    private func trust(_ configured: StoreFingerprint?) throws -> StoreTrust {
        let noted = try keyFiles().flatMap(\.notedStores)
        return StoreTrust(expected: global.storeFingerprint ?? configured, noted: noted) { [self] store in
            let words = "\(store.store) has the fingerprint \(store.fingerprint)"
            if let replaced = store.replaced {
                // A script's --yes was meant for the store as it was.
                let question = "\(words), of a new root key; until now it was \(replaced). Does who governs it say so?"
                if try ask({ try $0.confirm(question) }) == true { return }
                throw ImageError.rekeyed(
                    store: store.store, pinned: "\(replaced)", found: ["\(store.fingerprint)"])
            }
            if !store.isForeign && !store.isJoining {
                let isNew = loaded.monitor.withLock { loaded.unpinned.insert(store.fingerprint).inserted }
                if isNew { console.warning("\(words), and none is pinned here: compare it with the key sheet") }
                return
            }
            let reason =
                store.isForeign
                ? "the identities at hand are noted for other stores" : "this machine is about to trust it"
            if global.isYes { return console.warning("\(words); \(reason)") }
            let answer = try ask { try $0.confirm("\(words); \(reason). Is it the right one?") }
            if answer == true { return }
            throw Problem.refused(
                answer == nil
                    ? "\(words); \(reason), and there is no terminal to ask on" : "not confirmed; nothing was changed",
                hint: "compare it with the key sheet and repeat with `--store-fingerprint \(store.fingerprint)`")
        }
    }

    /// Notes a new store in the user's own identity file, so that another one is known by it.
    func note(_ fingerprint: StoreFingerprint) {
        let path = places.identity
        guard exists(path) else { return }
        do { try IdentityFile.note(fingerprint, in: path) } catch {
            console.warning("\(path) could not be given the store's fingerprint: \(explained(error).sentence)")
        }
    }

    private func passphrase(for subject: String) throws -> Secret? {
        if let file = global.passphraseFile { return try Self.firstLine(of: file) }
        let answer = try ask { try $0.passphrase("Passphrase of \(subject)") } ?? nil
        loaded.monitor.withLock { loaded.typed[subject] = answer }
        return answer
    }

    /// The passphrase that a store has, for keys that are made anew; whoever uses it compares it with the store. nil where there is nobody
    /// to ask.
    func keptPassphrase(of store: String) throws -> Secret? {
        if let file = global.passphraseFile { return try Self.firstLine(of: file) }
        // What was typed before has opened the store.
        if let known = loaded.monitor.withLock({ loaded.typed[store] }) { return known }
        return try ask { try $0.passphrase("Passphrase of \(store), which is to open the new keys, too") } ?? nil
    }

    /// A passphrase that is about to be set.
    func newPassphrase() throws -> Secret {
        if let file = global.passphraseFile { return try Self.firstLine(of: file) }
        let answer = try ask { terminal -> Secret? in
            guard let first = try terminal.passphrase("New passphrase") else { return nil }
            guard let second = try terminal.passphrase("The same again") else { return nil }
            guard first == second else { throw Problem.usage("the two passphrases differ") }
            return first
        }
        guard let passphrase = answer ?? nil else {
            throw Problem.usage("no passphrase was given", hint: "give one with `--passphrase-file FILE`")
        }
        return passphrase
    }

    private static func firstLine(of file: BytePath) throws -> Secret {
        var bytes: [UInt8]
        do throws(SystemError) {
            bytes = try readWhole(file, limit: 1 << 16)
        } catch {
            throw Problem.usage("cannot read the passphrase file \(file): \(error.reason)")
        }
        defer { erase(&bytes) }
        // A passphrase that is typed has none either.
        IdentityFile.dropByteOrderMark(&bytes)
        let line = bytes.prefix { $0 != UInt8(ascii: "\n") && $0 != UInt8(ascii: "\r") }
        if line.isEmpty { throw Problem.usage("the first line of the passphrase file \(file) is empty") }
        return line.withUnsafeBytes { Secret(copying: $0) }
    }

    /// For whom something new is encrypted: those that were named, or else the owners of the identities at hand, one
    /// of which is made where there is none.
    /// - Parameter isAsked: making something new is what the command is for; otherwise it wants somebody who sees it.
    func recipients(
        _ options: RecipientOptions, of subject: String, isAsked: Bool = false
    ) throws -> [StoreRecipient] {
        var result = options.recipients.map { StoreRecipient.age($0.recipient) }
        if !options.passphrase, let file = global.passphraseFile {
            console.warning(
                "the passphrase in \(file) will not open \(subject): with `--passphrase` beside --passphrase-file it does"
            )
        }
        if options.passphrase { result.append(.passphrase(try newPassphrase())) }
        if !result.isEmpty { return Self.withoutDoubles(result) }
        let known = try identities()
        if !known.isEmpty { return Self.withoutDoubles(known.map { .age($0.recipient) }) }
        guard isAsked || hasTerminal else { throw StewardError.noIdentity(subject: subject) }
        let path = places.identity
        let identity = try IdentityFile.generate(path)
        // The keys at hand are others now.
        loaded.monitor.withLock { loaded.keys = nil }
        console.warning("made a new identity, \(path) (\(identity.recipient))")
        console.warning(
            "keep a copy of that file somewhere else than on this machine: without it nobody can restore from \(subject)"
        )
        return [.age(identity.recipient)]
    }

    /// Whoever is named twice gets one key.
    private static func withoutDoubles(_ recipients: [StoreRecipient]) -> [StoreRecipient] {
        var names: Set<String> = []
        return recipients.filter { names.insert($0.name).inserted }
    }

    // MARK: People

    /// Whether somebody is there to see what is made.
    var hasTerminal: Bool { Terminal(progress.stop) != nil }

    /// nil: there is no terminal.
    private func ask<R>(_ question: (Terminal) throws -> R) throws -> R? {
        guard let terminal = Terminal(progress.stop) else { return nil }
        return try console.pausing { try question(terminal) }
    }

    /// Whether somebody who is there agrees to something that can also be left.
    func agrees(_ question: String) throws -> Bool { try ask { try $0.confirm(question) } ?? false }

    /// Has a destructive step confirmed, or refuses.
    /// - Parameter hint: how it is answered where there is nobody to ask.
    func confirm(_ question: String, hint: String = "answer it with `--yes`") throws {
        if global.isYes { return }
        guard let answer = try ask({ try $0.confirm(question) }) else {
            throw Problem.refused(
                "this wants a confirmation, and there is no terminal to ask on: \(question)", hint: hint)
        }
        if !answer { throw Problem.refused("not confirmed; nothing was changed") }
    }

    /// What somebody types to show that this, and nothing else, is meant. `--yes` is no answer to that.
    func typed(_ question: String) throws -> String {
        guard let answer = try ask({ try $0.typed(question) }) else {
            throw Problem.refused(
                "this wants something typed, and there is no terminal to ask on: \(question)",
                hint: "give it with --confirm")
        }
        return answer ?? ""
    }

    /// The number, from 0, of what somebody chooses from a list, by its number or its name.
    /// - Parameter lines: what is shown: a line for each name, and what stands around them.
    /// - Parameter hint: how it is given where there is nobody to ask.
    func choose(
        _ question: String, from lines: [String], names: [String], hint: String = "give the name"
    ) throws -> Int {
        guard let answer = try ask({ try $0.choose(question, from: lines, names: names) }) else {
            throw Problem.refused(
                "this wants a choice, and there is no terminal to ask on: \(question)", hint: hint)
        }
        guard let number = answer else { throw Problem.refused("nothing was chosen; nothing was changed") }
        return number
    }

    // MARK: Results

    /// Shows progress while `work` lasts.
    func working<R>(_ work: () throws -> R) throws -> R {
        let line = ProgressLine(progress, on: console)
        defer {
            line.finish()
            console.finishFindings()
        }
        let result = try work()
        for note in loaded.monitor.withLock({ loaded.stores.values.flatMap { $0.store.probed?.notes ?? [] } }) {
            console.warning(note)
        }
        if findings.areCutShort { throw Interrupted() }
        return result
    }

    /// Shows the result: a document for programs, or a summary that `--quiet` leaves out.
    func show(_ members: [(String, JSON?)], summary: [String], outputIsData: Bool = false) {
        let document = JSON.object(members)
        shown.monitor.withLock {
            shown.lines = summary
            shown.document = document
        }
        if console.isJSON {
            console.document(document)
        } else if !console.isQuiet {
            if outputIsData {
                summary.forEach(console.note)
            } else {
                summary.forEach { console.result(Text.safe(console.completing($0)) + "\n") }
            }
        }
    }

    func outcome(_ count: UInt64) -> Outcome { count > 0 || findings.count > 0 ? .findings : .done }
}
