// Which store was used at which place of this machine, and on which file system: where a disk or a share is not mounted, its empty folder
// is no place for a new store.
//
//     <place> <store> <what it was on>        each in hexadecimal digits, the store's id as it is
//
// What follows in a line is of an earlier version, and means nothing any more.

internal import Images
public import Machine
public import Platform
public import Reporting
public import Stores

public struct KnownStores {
    private struct Known: Equatable {
        var place: BytePath
        var store: String
        var wasOn: String

        var line: String { "\(hexadecimal(place.bytes)) \(store) \(hexadecimal(Array(wasOn.utf8)))\n" }
    }

    private let file: BytePath

    public init(_ places: Places) { file = places.knownStores }

    /// Refuses a place where a store was used and none is now, before anything is made there.
    /// - Parameters:
    ///   - objects: what is there.
    ///   - copied: the store that is about to be copied there: a copy of it that was removed from a disk that is there may be made anew.
    public func check(_ place: StoreLocation, _ objects: any ObjectStore, for copied: String? = nil) throws {
        guard let known = try known(at: place), try !Store.exists(objects) else { return }
        if known.store == copied, let folder = place.folder,
            known.wasOn == Self.mount(exists(folder) ? folder : folder.parent)
        {
            return
        }
        throw StewardError.storeIsGone(place: place, wasOn: known.wasOn)
    }

    /// Why no store was found at a place.
    public func absence(of place: StoreLocation) -> any Explained {
        let missing = place.folder.map { MissingStore(at: $0) }
        switch missing {
        case .nothing, .emptyFolder, nil:
            // What was known helps the message; where it cannot be read, there is still the other one.
            guard let known = try? known(at: place) else { return missing ?? StewardError.nothingThere(place: place) }
            return StewardError.storeIsGone(place: place, wasOn: known.wasOn)
        case let missing?: return missing
        }
    }

    /// Refuses a store that is not the one that was used at its place.
    public func check(_ store: String, at place: StoreLocation) throws {
        guard let known = try known(at: place), known.store != store else { return }
        throw StewardError.otherStore(place: place)
    }

    /// Remembers it, durably; one process at a time. A crash leaves what was known before.
    public func remember(_ store: String, at location: StoreLocation) throws {
        let place = try name(of: location)
        try makeFolders(file.parent)
        // Two that read the same would each forget what the other adds.
        let lock = try Descriptor.open(file.parent, .directory)
        try lock.lock()
        defer { withExtendedLifetime(lock) {} }
        let wasOn = location.folder.map { Self.mount($0) ?? "?" } ?? location.description
        let entry = Known(place: place, store: store, wasOn: wasOn)
        var all = try read()
        if let index = all.firstIndex(where: { $0.place == place }) {
            if all[index] == entry { return }
            all[index] = entry
        } else {
            all.append(entry)
        }
        try replaceFile(file, Array(all.map(\.line).joined().utf8))
    }

    /// What holds a place.
    private static func mount(_ place: BytePath) -> String? {
        // It is for the message, and where it is not known it is like nothing.
        (try? Mount.holding(Descriptor.open(place, .place))).map { "\($0.source) (\($0.type))" }
    }

    /// What a store at a place is remembered by (`MachineState.place`). One folder is one place whatever links lead there, and two media that
    /// are mounted at the same folder in turn are two.
    public func seenPlace(of place: StoreLocation) throws(SystemError) -> BytePath {
        guard let folder = place.folder else { return try name(of: place) }
        let (real, open) = try Descriptor.place(of: folder)
        // Where nobody knows which it is, the folder alone has to do.
        let id = (try? Mount.holding(open))?.deviceUUID
        return id.map { MachineState.place(real, on: $0) } ?? real
    }

    /// A place in the same words each time, from whatever folder they were written.
    private func name(of place: StoreLocation) throws(SystemError) -> BytePath {
        place.name(from: place.folder?.isAbsolute == false ? try HostFacts.workingFolder : "/")
    }

    private func known(at place: StoreLocation) throws(SystemError) -> Known? {
        let name = try name(of: place)
        return try read().first { $0.place == name }
    }

    /// A file that is not there knows none; one that cannot be read may know any, so nothing is made on its word.
    private func read() throws(SystemError) -> [Known] {
        let bytes: [UInt8]
        do throws(SystemError) { bytes = try readRegular(file, limit: 1 << 20) } catch {
            guard error.isAbsent else { throw error }
            return []
        }
        return bytes.split(separator: UInt8(ascii: "\n")).compactMap { line in
            let words = String(decoding: line, as: UTF8.self).split(separator: " ").map(String.init)
            guard (3...4).contains(words.count), let place = decodeHexadecimal(words[0]),
                let wasOn = decodeHexadecimal(words[2])
            else {
                return nil
            }
            return Known(place: BytePath(place), store: words[1], wasOn: String(decoding: wasOn, as: UTF8.self))
        }
    }
}
