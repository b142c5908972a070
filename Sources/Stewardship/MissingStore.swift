// Why there is no store at a place: what is there instead, each with a sentence of its own. It is found out after a store was not found,
// for the message alone; nothing is made or removed on its word.

internal import Images
public import Platform
public import Reporting

public enum MissingStore: Explained, Hashable {
    /// Nothing has the name.
    case nothing(BytePath)
    /// Nor has the folder that would hold it.
    case noFolder(BytePath, for: BytePath)
    /// fstab has a line for the place, or a folder that it is in, and nothing is mounted there.
    case notMounted(BytePath, point: BytePath, device: BytePath)
    case singleFile(BytePath)
    case file(BytePath)
    case emptyFolder(BytePath)
    /// There are stores one folder further down.
    case below(BytePath, stores: [BytePath])
    case otherFiles(BytePath)
    /// What is there cannot be looked at.
    case unknown(BytePath, reason: String)

    /// Looks at a place where no store was found.
    public init(at place: BytePath) {
        do throws(SystemError) {
            self = try Self.look(at: place)
        } catch {
            self = error.isAbsent || error.isBelowFile ? .nothing(place) : .unknown(place, reason: error.reason)
        }
    }

    private static func look(at place: BytePath) throws(SystemError) -> MissingStore {
        let opened: Descriptor
        do throws(SystemError) { opened = try Descriptor.open(place, .place) } catch {
            guard error.isAbsent, let missing = try unmounted(place) else { throw error }
            return missing
        }
        let kind = try opened.status().kind
        // What is neither a file nor a folder is not opened: that can have an effect.
        guard kind == .directory else {
            return kind == .file && SingleFile.isImage(place) ? .singleFile(place) : .file(place)
        }
        let names = try DirectoryListing(of: Descriptor.open(place, .directory))
        if names.allSatisfy({ BytePath($0) == "lost+found" }) { return try unmounted(place) ?? .emptyFolder(place) }
        let stores = names.prefix(namesLookedAt).map(place.appending).filter { exists($0.appending("HOLDFAST")) }
        return stores.isEmpty ? .otherFiles(place) : .below(place, stores: stores)
    }

    /// What ought to be mounted and is not.
    private static func unmounted(_ place: BytePath) throws(SystemError) -> MissingStore? {
        let whole = place.normalized(relativeTo: place.isAbsolute ? "/" : try HostFacts.workingFolder)
        let points = FileSystemTable.read().filter(\.point.isAbsolute)
            .map { (point: $0.point.normalized(relativeTo: "/"), device: $0.device) }
            .filter { $0.point != "/" && (whole == $0.point || whole.isBelow($0.point)) }
        guard let nearest = points.max(by: { $0.point.bytes.count < $1.point.bytes.count }),
            try Mount.at(nearest.point) == nil
        else { return nil }
        return .notMounted(place, point: nearest.point, device: nearest.device)
    }

    /// Why a new store, or a new copy of one, is not to be made at a place where there is none: what would hold it is missing, which a disk
    /// that is not mounted looks like. nil: it may be made.
    public static func objection(toNew place: BytePath) -> MissingStore? {
        let missing = MissingStore(at: place)
        switch missing {
        case .notMounted: return missing
        case .nothing:
            var folder = place.parent
            while !exists(folder), folder != folder.parent {
                // A link that leads nowhere is named by whoever makes the folder.
                if let above = try? Descriptor.open(folder.parent, .directory),
                    (try? above.status(of: folder.lastComponent)) != nil
                {
                    return nil
                }
                folder = folder.parent
            }
            return exists(place.parent) ? nil : .noFolder(place.parent, for: place)
        default: return nil
        }
    }

    private static let namesLookedAt = 1000
    private static let storesNamed = 5

    public var description: String {
        switch self {
        case .nothing(let place): "there is no \(place)"
        case .noFolder(let folder, let place): "there is no folder \(folder) for \(place)"
        case .notMounted(let place, let point, let device):
            "nothing is mounted at \(point), where /etc/fstab has \(device)"
                + (place == point ? "" : ", so there is no store at \(place)")
        case .singleFile(let place): "\(place) is not a Holdfast store: it is an image in a single file"
        case .file(let place): "\(place) is not a Holdfast store: it is a file, and a store is a folder"
        case .emptyFolder(let place): "\(place) is not a Holdfast store: the folder is empty"
        case .below(let place, let stores):
            "\(place) is not a Holdfast store itself; "
                + (stores.count == 1 ? "there is one in " : "there are some in ")
                + stores.prefix(Self.storesNamed).map(\.description).joined(separator: ", ")
                + (stores.count > Self.storesNamed ? " and \(stores.count - Self.storesNamed) more" : "")
        case .otherFiles(let place): "\(place) is not a Holdfast store: the folder holds other files"
        case .unknown(let place, let reason): "\(place) cannot be looked at: \(reason)"
        }
    }

    public var mend: String? {
        switch self {
        case .nothing: "if it is on a disk or share, mount that and repeat"
        case .noFolder(let folder, _):
            "if it is on a disk or share, mount that and repeat; otherwise make it with `mkdir -p \(folder)`"
        case .notMounted(_, let point, _): "`mount \(point)`, and repeat"
        case .singleFile(let place): "it is read with `--input \(place)`, and a new one is written with `--output FILE`"
        case .file, .unknown: "give the folder that holds the file HOLDFAST"
        case .emptyFolder(let place):
            "if a disk or share belongs there, mount it; if a new store is meant, `holdfast store init \(place)` makes it"
        case .below(_, let stores): "give `\(stores.first ?? "")`"
        case .otherFiles:
            "give the folder that holds the file HOLDFAST; for a new store, `holdfast store init PATH` wants a folder of its own"
        }
    }

    /// As with a store that was used there: what is not mounted is no mistake of the one who asks.
    public var exitStatus: Int32 {
        switch self {
        case .notMounted, .noFolder: 4
        default: 2
        }
    }
}
