// What is under way on a machine, in one folder of its state: whoever begins something, looks, or starts the machine finds it there.
//
//     <state>/journal/
//         rollback.json             a switch that is not at its end
//         points.json               points that were being made or destroyed
//         setup.json                a set-up, or the end of one
//         trial.json, trial.2.json  a trial that is open, or did not hold
//         trial.loader              the boot loader counts its starts, or may
//         commit-<place>-<number>/  what the next start, or the next moment, brings to a filtered place
//         wipe-<device>.json        a wipe, which the same command goes on with
//         free-space-<name>         a folder with which free space is wiped
//
// Places and devices are in hexadecimal digits. An entry stands there whole or not at all, and goes when what it is about is at its end.

public import Platform

public struct Journal: Sendable {
    public let folder: BytePath
    private let state: BytePath

    public init(state: BytePath) {
        self.state = state
        folder = state.appending("journal")
    }

    public enum Entry: Hashable, Sendable {
        case rollback
        case points
        case setup
        case trial
        /// The oldest has the lowest number.
        case commit(place: BytePath, number: UInt64)
        /// What tells the device from others.
        case wipe(device: [UInt8])
        /// The name of a folder, wherever that is.
        case freeSpace(name: [UInt8])

        public var name: String {
            switch self {
            case .rollback: "rollback.json"
            case .points: "points.json"
            case .setup: "setup.json"
            case .trial: "trial.json"
            case .commit(let place, let number): "commit-\(hexadecimal(place.bytes))-\(number)"
            case .wipe(let device): "wipe-\(hexadecimal(device)).json"
            case .freeSpace(let name): "free-space-\(hexadecimal(name))"
            }
        }

        init?(name: String) {
            for entry in [Entry.rollback, .points, .setup, .trial] where entry.name == name {
                self = entry
                return
            }
            let words = name.split(separator: "-", omittingEmptySubsequences: false)
            if words.count == 3, words[0] == "commit", let place = decodeHexadecimal(words[1]),
                let number = UInt64(words[2])
            {
                self = .commit(place: BytePath(place), number: number)
            } else if words.count == 2, words[0] == "wipe", words[1].hasSuffix(".json"),
                let device = decodeHexadecimal(words[1].dropLast(5))
            {
                self = .wipe(device: device)
            } else if words.count == 3, words[0] == "free", words[1] == "space", let name = decodeHexadecimal(words[2])
            {
                self = .freeSpace(name: name)
            } else {
                return nil
            }
        }
    }

    /// Makes the folder, durably, where it is not there yet.
    public func make() throws(SystemError) { try makeFolders(folder, mode: 0o755) }

    /// Where an entry is, or will be.
    public func path(of entry: Entry) -> BytePath {
        let path = folder.appending(entry.name)
        let former = formerPath(of: entry)
        return !exists(path) && exists(former) ? former : path
    }

    /// Where the first program had it: what was under way then is brought to its end from there.
    private func formerPath(of entry: Entry) -> BytePath {
        switch entry {
        case .rollback: state.appending("journal.json")
        case .points: state.appending("unfinished.json")
        case .setup: state.appending("setup.json")
        // No program before had one.
        case .trial: folder.appending(entry.name)
        case .commit: state.appending("filter").appending(entry.name)
        case .wipe(let device): state.appending("wipe").appending("\(hexadecimal(device)).json")
        case .freeSpace(let name): state.appending("wipe").appending("free-space").appending(name)
        }
    }

    /// Everything that is under way.
    /// - Throws: where it cannot be told.
    public func entries() throws(SystemError) -> [Entry] {
        let former = state.appending("wipe")
        var found = Set(try names(in: folder).compactMap { Entry(name: String(decoding: $0, as: UTF8.self)) })
        for name in try names(in: state.appending("filter")) {
            if case .commit(let place, let number) = Entry(name: String(decoding: name, as: UTF8.self)) {
                found.insert(.commit(place: place, number: number))
            }
        }
        for name in try names(in: former) {
            if let entry = Entry(name: "wipe-" + String(decoding: name, as: UTF8.self)) { found.insert(entry) }
        }
        found.formUnion(try names(in: former.appending("free-space")).map { .freeSpace(name: $0) })
        found.formUnion([Entry.rollback, .points].filter { exists(formerPath(of: $0)) })
        return found.sorted { $0.name < $1.name }
    }

    /// None where there is no such folder.
    private func names(in folder: BytePath) throws(SystemError) -> [[UInt8]] {
        do throws(SystemError) {
            let names = try DirectoryListing(of: Descriptor.open(folder, .directory))
            return (0..<names.count).map { names[$0] }
        } catch {
            if error.isAbsent { return [] }
            throw error
        }
    }

    /// The commits of a place that wait, the oldest first.
    public func commits(of place: BytePath) throws(SystemError) -> [Entry] {
        try entries().compactMap { entry -> (UInt64, Entry)? in
            guard case .commit(place, let number) = entry else { return nil }
            return (number, entry)
        }
        .sorted { $0.0 < $1.0 }.map(\.1)
    }

    /// The places of which commits wait. They belong to the state of now: whatever would leave that state has to wait for them.
    public func placesOfCommits() throws(SystemError) -> [BytePath] {
        var places: Set<BytePath> = []
        for case .commit(let place, _) in try entries() { places.insert(place) }
        return places.sorted { $0.bytes.lexicographicallyPrecedes($1.bytes) }
    }

    /// Takes an entry away, durably: what it is about is at its end. One that is not there is fine.
    public func remove(_ entry: Entry) throws(SystemError) {
        let path = path(of: entry)
        guard exists(path) else { return }
        try removeFile(path)
        try synchronizeFolder(path.parent)
    }
}
