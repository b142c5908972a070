// What the word after --to or --from means: a name from the configuration, a path, a URL.

internal import Images
internal import Platform
internal import Stores

struct StorePlace {
    private(set) var settings: StoreSettings
    /// Whether a store may be made of what is there: of an empty folder that was typed, as opposed to one that is named in the configuration.
    let mayBecomeStore: Bool
    /// The store that has to be there.
    var fingerprint: StoreFingerprint?
    /// The names that the configuration has, where this may have been meant for one of them.
    let otherNames: [String]

    var location: StoreLocation { settings.location }
    var words: String { location.description }

    /// Of the folder of a store; nil where it is none, or not there, which the look at it tells.
    var folderIdentity: FileIdentity? {
        guard let folder = location.folder, let status = try? Descriptor.open(folder, .directory).status() else {
            return nil
        }
        return FileIdentity(status)
    }

    /// Whether both are one place, whatever they are called.
    func isSame(as other: StorePlace) throws -> Bool {
        let folder = try HostFacts.workingFolder
        if location.name(from: folder) == other.location.name(from: folder) { return true }
        return folderIdentity.map { $0 == other.folderIdentity } ?? false
    }

    init(_ argument: StoreArgument, _ configuration: Configuration) throws {
        if let name = String(validating: argument.bytes, as: UTF8.self), let known = configuration.stores[name] {
            settings = known.settings
            mayBecomeStore = known.mayBecomeStore
            fingerprint = known.fingerprint
            otherNames = []
        } else {
            otherNames = argument.bytes.contains(UInt8(ascii: "/")) ? [] : configuration.stores.keys.sorted()
            do { settings = StoreSettings(try StoreLocation(argument.bytes)) } catch {
                throw Problem.usage(error.description, hint: error.mend)
            }
            mayBecomeStore = true
        }
        settings.moment = argument.moment
        if let rate = argument.rate { settings.rate = min(rate, settings.rate ?? .max) }
    }
}
