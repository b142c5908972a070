// Everything that can go wrong with images, as sentences: what happened, to what, why, and what mends it. The exit
// status is the error's own, so that no command decides it anew.

internal import Glibc
public import Platform
public import Reporting

public enum ImageError: Explained, Hashable {
    case notAStore(path: String)
    case alreadyAStore(path: String)
    case folderInUse(path: String)
    case newerFormat(subject: String, version: Int)
    case damaged(subject: String, detail: String)
    case truncated(subject: String)
    case noIdentity(store: String)
    case wrongIdentity(store: String)
    case noWriterKey(store: String)
    case foreignStore(store: String)
    case lastRecipient(store: String)
    case unknownRecipient(recipient: String, store: String)
    case noSuchImage(name: String)
    case ambiguousImage(name: String, candidates: [String])
    case noSuchPath(pattern: String)
    case otherHardware(image: String, series: String, here: String)
    case notSeekable(subject: String)
    case full(subject: String)
    case notPermitted(subject: String, operation: String)
    case readOnly(subject: String)
    case gone(subject: String)
    case noRoom(target: String, free: UInt64, needed: UInt64)
    case system(SystemError)
    case library(String)
    case noArchiveLibrary(reason: String)

    /// What happened, to what, and why.
    public var description: String {
        switch self {
        case .notAStore(let path): "\(path) is not a Holdfast store"
        case .alreadyAStore(let path): "\(path) is a Holdfast store already"
        case .folderInUse(let path): "\(path) holds other files; a store needs a folder of its own"
        case .newerFormat(let subject, let version):
            "\(subject) is of format version \(version); this program reads version \(Format.version)"
        case .damaged(let subject, let detail): "\(subject) is damaged: \(detail)"
        case .truncated(let subject): "\(subject) is truncated: its end is missing"
        case .noIdentity(let store): "\(store) is encrypted and no identity was given or found"
        case .wrongIdentity(let store): "none of the identities opens \(store)"
        case .noWriterKey(let store): "this machine has no writer key for \(store)"
        case .foreignStore(let store):
            "\(store) carries another store's keys than those that this machine has joined"
        case .lastRecipient(let store): "the last recipient of \(store) cannot be removed: nobody could read it"
        case .unknownRecipient(let recipient, let store): "\(recipient) is no recipient of \(store)"
        case .noSuchImage(let name): "there is no image \(name)"
        case .ambiguousImage(let name, let candidates):
            "\(name) could be any of these images: \(candidates.joined(separator: ", "))"
        case .noSuchPath(let pattern): "nothing in the image matches \(pattern)"
        case .otherHardware(let image, let series, let here):
            "image \(image) is of a whole system of another hardware series (\(series); this is \(here))"
        case .notSeekable(let subject): "\(subject) is a pipe and can be read only once, from front to end"
        case .full(let subject): "\(subject) is full"
        case .notPermitted(let subject, let operation): "no permission to \(operation) \(subject)"
        case .readOnly(let subject): "\(subject) is on a file system that is read-only"
        case .gone(let subject): "\(subject) is gone: it was pulled, or its connection is lost"
        case .noRoom(let target, let free, let needed):
            "\(target) has \(free / 1_000_000) MB, the image needs \(needed / 1_000_000) MB"
        case .system(let error): error.description
        case .library(let text): text
        case .noArchiveLibrary(let reason): "archives need libarchive, which cannot be loaded: \(reason)"
        }
    }

    /// The command or step that mends it, where there is one.
    public var mend: String? {
        switch self {
        case .notAStore: "make one with `holdfast store init PATH`, or give the folder that holds the file HOLDFAST"
        case .alreadyAStore: "write to it with `holdfast backup … --to PATH`; join it with `holdfast store join PATH`"
        case .folderInUse: "give an empty folder, or one that does not exist yet"
        case .newerFormat: "use a newer holdfast"
        case .damaged: "`holdfast verify` lists what is lost; a second copy of the store can be copied over it"
        case .truncated: "copy the file again from where it was made; what is there can be restored"
        case .noIdentity: "give one with `--identity FILE` or `--passphrase-file FILE`"
        case .wrongIdentity: "`holdfast key list --from STORE` names the recipients; give the identity of one of them"
        case .noWriterKey: "issue one with `holdfast store join STORE --identity FILE`"
        case .foreignStore:
            "somebody may have replaced the store; if that was you, join it anew with `holdfast store join STORE`"
        case .lastRecipient: "add another first with `holdfast key add RECIPIENT --to STORE`"
        case .unknownRecipient: "`holdfast key list --from STORE` names them"
        case .noSuchImage: "`holdfast images` lists them"
        case .ambiguousImage: "give the id, or more of it"
        case .noSuchPath: "`holdfast restore --dry-run --verbose` lists the paths"
        case .otherHardware:
            "if both are one series, say so in \(HardwareSeries.standardPath); otherwise, if you mean it, repeat with `--other-hardware`"
        case .notSeekable: "write it to a file first"
        case .full: "free some space, or use a larger medium; the next run goes on from here"
        case .notPermitted: "repeat as root, or as its owner"
        case .noArchiveLibrary: "install it with `apt-get install libarchive13`"
        case .gone: "bring it back; the same command goes on"
        case .noRoom: "free some space, or restore a part of it with `--only PATTERN`"
        case .readOnly: "mount it for writing, or choose another place"
        case .system, .library: nil
        }
    }

    /// The exit status that a command ends with.
    public var exitStatus: Int32 {
        switch self {
        case .notAStore, .noSuchImage, .ambiguousImage, .noSuchPath, .alreadyAStore, .folderInUse, .notSeekable,
            .unknownRecipient:
            2
        case .damaged, .truncated: 3
        case .lastRecipient, .otherHardware, .notPermitted, .foreignStore: 4
        default: 1
        }
    }

    public var cause: (any Error)? {
        if case .system(let error) = self { error } else { nil }
    }

    /// A failed system call, told apart where people can do something about it.
    public init(_ error: SystemError, on subject: String? = nil) {
        if error.isFull {
            self = .full(subject: subject ?? error.subject)
        } else if error.code == EROFS {
            self = .readOnly(subject: error.subject == "the file" ? subject ?? error.subject : error.subject)
        } else if error.isPermission {
            self = .notPermitted(
                subject: error.subject == "the file" ? subject ?? error.subject : error.subject,
                operation: error.operation)
        } else {
            self = .system(
                error.subject == "the file" && subject != nil
                    ? SystemError(error.code, error.operation, subject ?? error.subject) : error)
        }
    }
}
