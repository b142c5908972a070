// The stores that a command works with: opened once, known again, and refused where another one is in their place.

internal import Images
internal import Machine
internal import Platform
internal import Reporting
internal import Stewardship
internal import Stores

extension Session {
    func remember(_ store: Store, at place: StorePlace) { remember(store.identifier, at: place) }

    /// What is not remembered is asked again; it stops nothing.
    func remember(_ store: String, at place: StorePlace) {
        do { try knownStores.remember(store, at: place.location) } catch {
            console.warning("cannot note which store is at \(place.words): \(Problem(error).message)")
        }
    }

    /// A store that is read from. Another one than what is written to at its place is not taken for that from now on.
    func rememberSource(_ store: String, at place: StorePlace) {
        // Where it cannot be told, nothing is noted.
        if (try? knownStores.check(store, at: place.location)) != nil { remember(store, at: place) }
    }

    func place(_ store: StoreArgument) throws -> StorePlace { try StorePlace(store, configuration) }

    /// What is at a place: opened once a command, and ending its calls when the command is asked to stop.
    /// - Parameter writing: whether anything may be written there; a medium that is only read is mounted for reading.
    func objects(_ place: StorePlace, writing: Bool = false) throws -> any ObjectStore {
        try loaded.monitor.withLock {
            let key = StoreKey(location: place.location, moment: place.settings.moment)
            if let known = loaded.stores[key], known.isWritten || !writing || !place.location.isMedium {
                return known.store
            }
            loaded.stores[key] = nil
            let store: any ObjectStore
            do { store = try place.settings.open(progress.stop, writing: writing, tell: console.warning) } catch let
                error as LocationError
            {
                throw Problem.usage(error.description, hint: error.mend)
            }
            let cached = machine.cached(store)
            loaded.stores[key] = (cached, writing)
            return cached
        }
    }

    func open(_ store: StoreArgument, for purpose: Store.Purpose, writing: Bool = false) throws -> Store {
        let place = try place(store)
        for line in try places.adoptHome() { console.warning(line) }
        let store = try explainingAbsence(of: place) {
            try Store.open(
                objects(place, writing: writing || purpose == .write), for: purpose,
                credentials: credentials(for: place), machine: machine(for: place))
        }
        store.findings.forEach(findings.add)
        try refuseOther(store.identifier, at: place)
        return store
    }

    /// Refuses another store than the one that was used at an address. In a drive there may be another medium each day; an address is that of
    /// one store, unless somebody says which it is.
    func refuseOther(_ store: String, at place: StorePlace) throws {
        if place.location.folder != nil || place.location.isMedium { return }
        if global.storeFingerprint != nil || place.fingerprint != nil { return }
        try knownStores.check(store, at: place.location)
        remember(store, at: place)
    }

    /// A store whose keys are about to be changed: who may not is told that first.
    func openGoverned(_ store: StoreArgument) throws -> Store {
        let store = try open(store, for: .read, writing: true)
        try store.checkGoverning()
        return store
    }

    /// Opens the store that images are put into: the one that was used at its place, which is remembered.
    func openToWrite(_ store: StoreArgument) throws -> Store {
        let opened = try open(store, for: .write)
        let place = try place(store)
        try knownStores.check(opened.identifier, at: place.location)
        remember(opened, at: place)
        return opened
    }

    /// Why no store was found at a place. A word that is no path may have been meant for a name.
    func absence(of place: StorePlace) -> any Explained {
        let reason = knownStores.absence(of: place.location)
        guard !place.otherNames.isEmpty, case MissingStore.nothing? = reason as? MissingStore else { return reason }
        return Problem(
            reason.description + ", and the configuration has no store of that name",
            hint: "\(known(place.otherNames)); \(reason.mend ?? "")", status: reason.exitStatus)
    }

    /// Why a store that is not there is not made.
    func noStore(at place: StorePlace) -> any Explained {
        let reason = StewardError.noStore(place: place.location)
        if place.otherNames.isEmpty { return reason }
        return Problem(
            reason.description, hint: "\(known(place.otherNames)); \(reason.mend ?? "")", status: reason.exitStatus)
    }

    private func known(_ names: [String]) -> String {
        let others = names.count > 20 ? " and \(names.count - 20) more" : ""
        return "the configuration knows \(names.prefix(20).map(Text.safe).joined(separator: ", "))\(others)"
    }

    /// Refuses a place for a new store, or for a new copy of one, that a disk or a share is missing at.
    func refuseUnmounted(_ place: StorePlace) throws {
        if let path = place.location.folder, let objection = MissingStore.objection(toNew: path) { throw objection }
    }

    /// Refuses a place for a store that is no folder, nor can become one.
    func refuseFile(_ place: StorePlace) throws {
        // What cannot be looked at is told by whoever opens it.
        guard let path = place.location.folder, let kind = try? Descriptor.open(path, .place).status().kind,
            kind != .directory
        else { return }
        throw MissingStore(at: path)
    }

    /// Has the error for a store that is not there say what is there instead.
    func explainingAbsence<R>(of place: StorePlace, _ body: () throws -> R) throws -> R {
        do { return try body() } catch ImageError.notAStore { throw absence(of: place) }
    }

    /// Who can open a store; needs no key, and nobody is asked.
    func readers(_ store: StoreArgument) throws -> [StoreReader] {
        let place = try place(store)
        let noted = try keyFiles().flatMap(\.notedStores)
        return try explainingAbsence(of: place) {
            try Store.readers(
                objects(place),
                trust: StoreTrust(expected: global.storeFingerprint ?? place.fingerprint, noted: noted),
                machine: machine)
        }
    }
}
