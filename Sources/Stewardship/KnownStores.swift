// Which store was used at which place of this machine, and on which file system: where a disk or a share is not mounted, its empty folder
// is no place for a new store.
//
//     <place> <store> <what it was on>        each in hexadecimal digits, the store's id as it is

internal import Images
public import Machine
public import Platform
public import Reporting

public struct KnownStores {
    private struct Known {
        var place: BytePath
        var store: String
        var wasOn: String
    }

    private let file: BytePath

    public init(_ places: Places) { file = places.knownStores }

    /// Refuses a place where a store was used and none is now, before anything is made there.
    public func check(_ place: BytePath) throws {
        let whole = try absolute(place)
        guard let known = try read().first(where: { $0.place == whole }), try !Store.exists(place) else { return }
        throw StewardError.storeIsGone(place: place, wasOn: known.wasOn)
    }

    /// Why no store was found at a place.
    public func absence(of place: BytePath) -> any Explained {
        let missing = MissingStore(at: place)
        switch missing {
        case .nothing, .emptyFolder:
            // What was known helps the message; where it cannot be read, there is still the other one.
            let whole = try? absolute(place)
            guard let known = try? read().first(where: { $0.place == whole }) else { return missing }
            return StewardError.storeIsGone(place: place, wasOn: known.wasOn)
        default: return missing
        }
    }

    /// Refuses a store that is not the one that was used at its place.
    public func check(_ store: String, at place: BytePath) throws {
        let whole = try absolute(place)
        guard let known = try read().first(where: { $0.place == whole }), known.store != store else { return }
        throw StewardError.otherStore(place: place)
    }

    /// Remembers it, durably; one process at a time. A crash leaves what was known before.
    public func remember(_ store: String, at place: BytePath) throws {
        let place = try absolute(place)
        try makeFolders(file.parent)
        // Two that read the same would each forget what the other adds.
        let lock = try Descriptor.open(file.parent, .directory)
        try lock.lock()
        defer { withExtendedLifetime(lock) {} }
        let mount = try? Mount.holding(Descriptor.open(place, .place))
        let entry = Known(place: place, store: store, wasOn: mount.map { "\($0.source) (\($0.type))" } ?? "?")
        var all = try read()
        if let index = all.firstIndex(where: { $0.place == place }) {
            if all[index].store == store && all[index].wasOn == entry.wasOn { return }
            all[index] = entry
        } else {
            all.append(entry)
        }
        let lines = all.map { "\(hexadecimal($0.place.bytes)) \($0.store) \(hexadecimal(Array($0.wasOn.utf8)))\n" }
        try replaceFile(file, Array(lines.joined().utf8))
    }

    private func absolute(_ place: BytePath) throws(SystemError) -> BytePath {
        place.normalized(relativeTo: place.isAbsolute ? "/" : try HostFacts.workingFolder)
    }

    /// A file that is not there knows none; one that cannot be read may know any, so nothing is made on its word.
    private func read() throws(SystemError) -> [Known] {
        let bytes: [UInt8]
        do throws(SystemError) { bytes = try readWhole(file, limit: 1 << 20) } catch {
            guard error.isAbsent else { throw error }
            return []
        }
        return bytes.split(separator: UInt8(ascii: "\n")).compactMap { line in
            let words = String(decoding: line, as: UTF8.self).split(separator: " ").map(String.init)
            guard words.count == 3, let place = decodeHexadecimal(words[0]), let wasOn = decodeHexadecimal(words[2])
            else {
                return nil
            }
            return Known(place: BytePath(place), store: words[1], wasOn: String(decoding: wasOn, as: UTF8.self))
        }
    }
}
