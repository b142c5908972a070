// Which store was used at which place of this machine, and on which file system: where a disk or a share is not mounted, its empty folder
// is no place for a new store.
//
//     <place> <store> <what it was on> [=<series>,…]        each in hexadecimal digits, the store's id as it is
//
// With series it is a copy of chosen images: of these series the newest has to be there, and of no others.

public import Images
public import Machine
public import Platform
public import Reporting

public struct KnownStores {
    private struct Known: Equatable {
        var place: BytePath
        var store: String
        var wasOn: String
        /// nil: all images.
        var chosen: Set<ExactText>?

        var line: String {
            let series = chosen.map {
                " =" + $0.sorted().map { hexadecimal(Array($0.text.utf8)) }.joined(separator: ",")
            }
            return "\(hexadecimal(place.bytes)) \(store) \(hexadecimal(Array(wasOn.utf8)))\(series ?? "")\n"
        }
    }

    /// Which images of a store a place has.
    public enum Content: Sendable {
        /// As before; all where nothing is known.
        case asKnown
        case all
        /// Some, chosen for a copy that is new, or beside those of one that was made so: of these series the newest, and of others any.
        case chosen(Set<ExactText>, isNew: Bool)
    }

    private let file: BytePath

    public init(_ places: Places) { file = places.knownStores }

    /// Refuses a place where a store was used and none is now, before anything is made there.
    /// - Parameter copied: the store that is about to be copied there: a copy of it that was removed from a disk that is there may be made anew.
    public func check(_ place: BytePath, for copied: String? = nil) throws {
        let whole = try absolute(place)
        guard let known = try read().first(where: { $0.place == whole }), try !Store.exists(place) else { return }
        if known.store == copied, known.wasOn == Self.mount(exists(place) ? place : place.parent) { return }
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

    /// The store at a place and the series that were chosen for it, where it is a copy of chosen images.
    public func chosen(at place: BytePath) throws -> (store: String, series: Set<ExactText>)? {
        let whole = try absolute(place)
        guard let known = try read().first(where: { $0.place == whole }), let series = known.chosen else { return nil }
        return (known.store, series)
    }

    /// Remembers it, durably; one process at a time. A crash leaves what was known before.
    public func remember(_ store: String, at place: BytePath, _ content: Content = .asKnown) throws {
        let place = try absolute(place)
        try makeFolders(file.parent)
        // Two that read the same would each forget what the other adds.
        let lock = try Descriptor.open(file.parent, .directory)
        try lock.lock()
        defer { withExtendedLifetime(lock) {} }
        var entry = Known(place: place, store: store, wasOn: Self.mount(place) ?? "?")
        var all = try read()
        let before = all.first { $0.place == place && $0.store == store }?.chosen
        switch content {
        case .asKnown: entry.chosen = before
        case .all: entry.chosen = nil
        case .chosen(let series, let isNew): entry.chosen = isNew ? series : before?.union(series)
        }
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

    private func absolute(_ place: BytePath) throws(SystemError) -> BytePath {
        place.normalized(relativeTo: place.isAbsolute ? "/" : try HostFacts.workingFolder)
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
            let series = words.dropFirst(3).first?.dropFirst().split(separator: ",").compactMap {
                decodeHexadecimal(String($0)).map { ExactText(String(decoding: $0, as: UTF8.self)) }
            }
            return Known(
                place: BytePath(place), store: words[1], wasOn: String(decoding: wasOn, as: UTF8.self),
                chosen: series.map(Set.init))
        }
    }
}
