// Everything that can go wrong with images, as sentences: what happened, to what, why, and what mends it. The exit
// status is the error's own, so that no command decides it anew.

internal import Glibc
public import Platform
public import Reporting
public import Stores

public enum ImageError: Explained, Hashable {
    case notAStore(path: String)
    case alreadyAStore(path: String)
    case folderInUse(path: String)
    /// Written by another version of the program, or with a feature that this one does not know.
    case otherFormat(subject: String, version: Int)
    case damaged(subject: String, detail: String)
    /// The same of a single file, which no backup mends.
    case damagedFile(subject: String, detail: String)
    case truncated(subject: String)
    /// A single file in which nothing is.
    case empty(subject: String)
    case partMissing(subject: String, part: String)
    /// Something of an image is missing that a restore should not do without unasked.
    case lacking(subject: String, parts: [String])
    /// A file that does not begin as an image does, and has nothing of one in it.
    case noImage(subject: String)
    /// A file that is a part of an image, and not the first one.
    case laterPart(subject: String, number: Int, first: String)
    /// - Parameter passphrase: whether one opens it.
    /// What was seen of a store cannot be compared with what it is.
    case damagedMemory(path: String, detail: String)
    case noIdentity(store: String, passphrase: Bool = true)
    case wrongIdentity(store: String)
    /// - Parameter identities: whether some were tried, too.
    case wrongPassphrase(store: String, identities: Bool)
    /// The passphrase that was given for new keys is not the one that the store has.
    case otherPassphrase(store: String)
    /// New keys are made, the store has a passphrase, and none was given.
    case passphraseNeeded(store: String)
    case noWriterKey(store: String)
    /// Another store, or another root key, than the one that was pinned.
    case foreignStore(store: String, found: String, pinned: String)
    /// Another fingerprint than the one that somebody gave.
    case otherFingerprint(store: String, found: String, given: String)
    /// Its root key was replaced, and it is the old one that was pinned. More than one where somebody forges.
    case rekeyed(store: String, pinned: String, found: [String])
    /// It says two things of which one is forged, or comes from a copied key.
    case contradicted(store: String, detail: String)
    /// Newer records would end what images that a replica alone has count for.
    case imagesWouldEnd(store: String, source: String, images: [String])
    /// Fewer records than this machine has seen.
    case rolledBack(store: String, seen: UInt32, found: UInt32)
    /// Images that this machine has seen there are not there, where what is there decides for good.
    case imagesMissing(store: String, reason: String)
    /// The identity at hand opens contents and governs nothing.
    case notGoverning(store: String)
    case stewardReadsNothing(store: String)
    case stewardOfOtherStore(store: String)
    /// It was revoked, or has nothing of the newest epoch.
    case stewardEnded(store: String)
    case revokedWriter(store: String)
    /// The store has an epoch for which it holds nothing for this machine.
    case leftOut(store: String, epoch: UInt32)
    /// Somebody else who governs was faster.
    case keysChanging(store: String)
    /// What new images build on was condemned or removed while they were made, again and again.
    case pruned(store: String)
    case seriesTaken(prefix: String, writer: String, id: String, store: String)
    case seriesNotCovered(series: String, prefixes: [String])
    case unknownWriter(name: String, store: String)
    case ambiguousWriter(name: String, candidates: [String])
    case twoNewest(series: String, images: [String])
    /// Images that the keys at hand do not open may be newer than the newest of those that they do.
    case sealedNewest(series: String, opened: String, sealed: [String])
    case lastRecipient(store: String)
    case unknownRecipient(recipient: String, store: String)
    case noSuchImage(name: String)
    /// None of a series, or of a host: which of these, the kind, there are.
    case noSuchSeries(wanted: String, store: String, kind: String, there: [String])
    case ambiguousImage(name: String, candidates: [String])
    case noSuchPath(pattern: String)
    case notOfDisk(image: String)
    case otherHardware(image: String, series: String, here: String)
    case notSeekable(subject: String)
    /// The file system that is full, where it is known.
    case full(subject: String)
    case notPermitted(subject: String, operation: String)
    case readOnly(subject: String)
    case gone(subject: String)
    /// Contents that the server does not let this key read.
    case closed(StoreError)
    /// A place in the store that is read, or the store itself.
    case intoStore(path: String, store: String)
    case noRoom(target: String, free: UInt64, needed: UInt64)
    case store(StoreError)
    case system(SystemError)
    case library(String)
    case noArchiveLibrary(reason: String)

    /// A year's images would hide what is to be chosen.
    private static let candidatesNamed = 10

    /// What happened, to what, and why.
    public var description: String {
        switch self {
        case .notAStore(let path): "\(path) is not a Holdfast store"
        case .alreadyAStore(let path): "\(path) is a Holdfast store already"
        case .folderInUse(let path): "\(path) holds other files; a store needs a folder of its own"
        case .otherFormat(let subject, let version) where version < Int(Format.version):
            "\(subject) was written by a holdfast from before its first release, and no version since then reads it"
        case .otherFormat(let subject, let version) where version > Int(Format.version):
            "\(subject) was written by a newer version of holdfast, in format version \(version), and this program reads version \(Format.version)"
        case .otherFormat(let subject, _):
            "\(subject) was written by a newer version of holdfast, with features that this program does not know"
        case .damaged(let subject, let detail), .damagedFile(let subject, let detail):
            "\(subject) is damaged: \(detail)"
        case .truncated(let subject): "\(subject) is truncated: its end is missing"
        case .empty(let subject): "\(subject) is empty: no image was made"
        case .partMissing(let subject, let part): "\(part) is missing, a part of the image \(subject)"
        case .lacking(let subject, let parts):
            "not all of \(subject) is there: \(parts.abridged(by: "; "))"
        case .noImage(let subject): "\(subject) is no Holdfast image"
        case .laterPart(let subject, let number, let first):
            "\(subject) is part \(number) of an image; give the first part, \(first)"
        case .damagedMemory(let path, let detail):
            "what this machine has seen of the store, \(path), is damaged: \(detail)"
        case .noIdentity(let store, let passphrase):
            "\(store) is encrypted and no identity was given or found" + (passphrase ? "" : "; no passphrase opens it")
        case .wrongIdentity(let store): "none of the identities opens \(store)"
        case .wrongPassphrase(let store, let identities):
            identities
                ? "neither the identities nor the passphrase opens \(store)" : "the passphrase does not open \(store)"
        case .otherPassphrase(let store):
            "the passphrase that was given is not the one that opens \(store) now, which is to open the new keys, too; nothing was changed"
        case .passphraseNeeded(let store):
            "\(store) can be opened by a passphrase: it is needed, so that it opens the new keys, too; nothing was changed"
        case .noWriterKey(let store): "this machine has no writer key for \(store)"
        case .foreignStore(let store, let found, let pinned):
            "\(store) has the fingerprint \(found), and the one that is pinned is \(pinned)"
        case .otherFingerprint(let store, let found, let given):
            "\(store) has the fingerprint \(found), and the one that was given is \(given)"
        case .rekeyed(let store, let pinned, let found):
            "\(store) has a new root key: its fingerprint is now \(found.joined(separator: " or ")), and the one that is pinned is \(pinned)"
        case .contradicted(let store, let detail): "\(store) contradicts itself: \(detail)"
        case .imagesWouldEnd(let store, let source, let images):
            "\(images.count == 1 ? "image" : "images") \(images.joined(separator: ", ")) \(images.count == 1 ? "is" : "are") in \(store) alone, and would "
                + "count no more: in \(source) the right of \(images.count == 1 ? "its writer" : "their writers") has ended since"
        case .rolledBack(let store, let seen, let found):
            "\(store) has \(found) \(found == 1 ? "record" : "records"), and this machine has seen \(seen): it was put back to an earlier state, or is a copy that is behind"
        case .imagesMissing(let store, let reason):
            "an image that is not in \(store) now would never count again: \(reason)"
        case .notGoverning(let store): "the identity at hand reads \(store) and governs nothing"
        case .stewardReadsNothing(let store): "a steward's key opens no content of \(store)"
        case .stewardOfOtherStore(let store): "the steward's key at hand is that of another store than \(store)"
        case .stewardEnded(let store): "the steward's key at hand has no rights to \(store) any more"
        case .revokedWriter(let store): "this machine's right to write to \(store) has been revoked"
        case .leftOut(let store, let epoch):
            "\(store) has new keys (epoch \(epoch)), and none of them for this machine"
        case .keysChanging(let store):
            "another change of the keys of \(store) is being made, or was cut off and has been announced now; nothing of this one was"
        case .pruned(let store):
            "what the image builds on is being removed from \(store) while it is made; it cannot be relied on"
        case .seriesTaken(let prefix, let writer, let id, let store):
            "series that begin with \(prefix) belong to the writer \(writer) (\(id)) of \(store)"
        case .seriesNotCovered(let series, let prefixes):
            "this machine may write the series that begin with \(prefixes.joined(separator: ", ")), and not \(series)"
        case .unknownWriter(let name, let store): "\(store) has no writer \(name)"
        case .ambiguousWriter(let name, let candidates):
            "\(name) could be any of these: \(candidates.joined(separator: ", "))"
        case .twoNewest(let series, let images):
            "series \(series) has two newest images, \(images.joined(separator: " and "))"
        case .sealedNewest(let series, let opened, let sealed):
            "the keys at hand do not open \(sealed.count == 1 ? "image" : "the images") \(sealed.joined(separator: ", ")), which may be newer than \(opened), the newest of \(printable(Array(series.utf8))) that they open"
        case .lastRecipient(let store):
            "nobody would be left who governs \(store): nobody could change any more who opens it"
        case .unknownRecipient(let recipient, let store): "\(recipient) is no recipient of \(store)"
        case .noSuchImage(let name):
            "there is no image \(name)"
                + (isBeginning(name) ? "; the beginning of an id has four digits or more" : "")
        case .noSuchSeries(let wanted, let store, _, let there) where there.isEmpty:
            "\(store) has no image of \(wanted), and none of any other"
        case .noSuchSeries(let wanted, let store, let kind, let there):
            "\(store) has no image of \(wanted); it has the \(kind) "
                + there.prefix(Self.candidatesNamed).joined(separator: ", ")
                + (there.count > Self.candidatesNamed ? ", …" : "")
        case .ambiguousImage(let name, let candidates):
            "\(name) could be any of these \(candidates.count) images: "
                + candidates.prefix(Self.candidatesNamed).joined(separator: "; ")
                + (candidates.count > Self.candidatesNamed ? "; …" : "")
        case .noSuchPath(let pattern): "nothing in the image matches \(pattern)"
        case .notOfDisk(let image): "the image \(image) is of files, not of a disk"
        case .otherHardware(let image, let series, let here):
            "image \(image) is of a whole system of another hardware series (\(series); this is \(here))"
        case .notSeekable(let subject): "\(subject) is a pipe and can be read only once, from front to end"
        case .full(let subject): "\(subject) is full"
        case .notPermitted(let subject, let operation): "no permission to \(operation) \(subject)"
        case .readOnly(let subject): "\(subject) is on a file system that is read-only"
        case .closed(let error): error.description
        case .gone(let subject): "\(subject) is gone: it was pulled, or its connection is lost"
        case .intoStore(let path, let store):
            "\(path) is the store \(store) that is read, or in it: what is restored there would lie among its own files"
        case .noRoom(let target, let free, let needed):
            "\(target) has \(Self.sizes(free, needed).free), the image needs \(Self.sizes(free, needed).needed)"
        case .store(let error): error.sentence
        case .system(let error): error.description
        case .library(let text): text
        case .noArchiveLibrary(let reason): "archives need libarchive, which cannot be loaded: \(reason)"
        }
    }

    /// Two sizes in a unit in which they differ.
    private static func sizes(_ free: UInt64, _ needed: UInt64) -> (free: String, needed: String) {
        let (unit, name): (UInt64, String) =
            switch needed - min(free, needed) {
            case 1_000_000...: (1_000_000, "MB")
            case 1000...: (1000, "kB")
            default: (1, "bytes")
            }
        return ("\(free / unit) \(name)", "\(needed / unit) \(name)")
    }

    /// The command or step that mends it, where there is one.
    public var mend: String? {
        switch self {
        case .notAStore: "make one with `holdfast store init PATH`, or give the folder that holds the file HOLDFAST"
        case .alreadyAStore: "write to it with `holdfast backup … --to PATH`; join it with `holdfast store join PATH`"
        case .folderInUse: "give an empty folder, or one that does not exist yet"
        case .otherFormat(_, let version) where version < Int(Format.version):
            "make a new store with `holdfast store init PATH` and back up anew"
        case .otherFormat: "use a newer holdfast"
        case .damaged:
            "`holdfast verify` lists what is lost: restore it from another copy of the store; after `verify --mark` the next backups store what is still there anew"
        case .damagedFile: "copy the file again from where it was made, or take another copy of it"
        case .truncated:
            "copy the file again from where it was made; `holdfast restore --to DIR` brings back what is there"
        case .empty: "look at what the command that was to make it said, and repeat that"
        case .partMissing: "copy it there from where the image was made: its parts stand beside each other"
        case .lacking:
            "restore it from another copy; with `--incomplete` what is there is restored, and the rest is zeros"
        case .damagedMemory(let path, _):
            "move it away with `mv \(path) \(path).damaged`: the machine knows nothing of the store then, compares its fingerprint anew, and joins it anew to write"
        case .noIdentity(_, passphrase: false):
            "give one with `--identity FILE`; `holdfast key list --from STORE` names the recipients"
        case .noIdentity: "give one with `--identity FILE` or `--passphrase-file FILE`"
        case .wrongPassphrase: "try it again; `holdfast key list --from STORE` names the recipients of a store"
        case .wrongIdentity:
            "give the identity of a recipient; `holdfast key list --from STORE` names those of a store"
        case .otherPassphrase:
            "`holdfast key add passphrase --to STORE` changes it; `holdfast key remove passphrase --from STORE` takes it away"
        case .passphraseNeeded:
            "give it with `--passphrase-file FILE`, or take it away with `holdfast key remove passphrase --from STORE`"
        case .noWriterKey: "issue one with `holdfast store join STORE --identity FILE`"
        case .foreignStore:
            "somebody may have replaced the store; if that was you, compare the fingerprint on the key sheet and give it with `--store-fingerprint`; a copy from before `store rekey` is brought up to date by `holdfast copy`"
        case .otherFingerprint:
            "compare what was typed with the key sheet; if that is right, this is another store than the one it was written down for"
        case .rekeyed:
            "ask who governs the store for its new fingerprint, and accept it with `--store-fingerprint FINGERPRINT`, or on a terminal with `holdfast store join STORE`"
        case .contradicted:
            "ask who governs the store; if this machine's own state was put back, `holdfast store join STORE --identity FILE` gives it a new key"
        case .imagesWouldEnd(let store, _, let images):
            "`holdfast copy \(images.first ?? "ID") --from \(store) --output FILE` saves \(images.count == 1 ? "it" : "one") first; with `--yes` the copy goes on without"
        case .imagesMissing:
            "bring them back first, as `holdfast copy` does from another copy of the store; what is gone for good is forgotten with `holdfast verify --forget`"
        case .rolledBack: "`holdfast copy` brings a copy up to date; else find out who put it back. Reading goes on"
        case .stewardReadsNothing: "give the identity of a recipient with `--identity FILE`"
        case .stewardOfOtherStore: "`holdfast key steward --to STORE --output FILE` makes one, of who governs the store"
        case .stewardEnded:
            "have who governs the store make another one with `holdfast key steward --to STORE --output FILE`"
        case .notGoverning: "give the identity of a recipient that was not added with `--reader`"
        case .revokedWriter, .leftOut: "have who governs the store run `holdfast store join STORE --identity FILE` here"
        case .keysChanging: "look at what was changed with `holdfast store info STORE`, and repeat"
        case .pruned: "repeat when nobody prunes the store; what was removed is stored anew"
        case .seriesTaken:
            "if this machine takes the place of that one, repeat with `--replace WRITER`; else give other series with `--series PREFIX`"
        case .seriesNotCovered:
            "give another `--series`, or join again with `holdfast store join STORE --series PREFIX`"
        case .unknownWriter, .ambiguousWriter: "`holdfast store info STORE` names them; give the id"
        case .twoNewest: "name the image by its id; two machines may be using one key"
        case .sealedNewest(_, let opened, _):
            "give an identity that opens it with `--identity FILE`; `restore \(opened)` takes the older one"
        case .lastRecipient: "add another first with `holdfast key add RECIPIENT --to STORE`"
        case .unknownRecipient: "`holdfast key list --from STORE` names them"
        case .noSuchImage, .noSuchSeries:
            "`holdfast images --from STORE` lists them, with the same `--identity`"
        case .ambiguousImage:
            "give the id, or more of it; where it is offered, `--series` or `--host` chooses for `latest`"
        case .notOfDisk: "restore its files with --to DIR"
        case .noSuchPath: "the same command with --dry-run --verbose, and without --only, lists the paths"
        case .otherHardware:
            "if both are one series, say so in \(HardwareSeries.standardPath); otherwise, if you mean it, repeat with `--other-hardware`"
        case .notSeekable: "write it to a file first"
        case .full: "free some space, or use a larger medium, and repeat"
        case .notPermitted: "repeat as root, or as its owner"
        case .noArchiveLibrary: "install it with `apt-get install libarchive13`"
        case .gone: "bring it back; the same command goes on"
        case .closed: "a machine's own key for the server may not read contents: restore with one that may"
        case .intoStore: "give another folder with `--to DIR`"
        case .noRoom: "free some space, or restore a part of it with `--only PATTERN`"
        case .readOnly: "mount it for writing, or choose another place"
        case .store(let error): error.mend
        case .noImage, .laterPart, .system, .library: nil
        }
    }

    /// The exit status that a command ends with.
    public var exitStatus: Int32 {
        switch self {
        case .notAStore, .noSuchImage, .noSuchSeries, .ambiguousImage, .noSuchPath, .notOfDisk, .alreadyAStore,
            .folderInUse, .notSeekable, .unknownRecipient, .noImage, .laterPart, .passphraseNeeded:
            2
        case .damaged, .damagedFile, .truncated, .partMissing, .lacking: 3
        case .lastRecipient, .otherFingerprint, .intoStore, .otherHardware, .notPermitted, .foreignStore, .rekeyed,
            .contradicted, .imagesWouldEnd, .imagesMissing, .rolledBack, .readOnly, .damagedMemory,
            .notGoverning, .otherPassphrase,
            .stewardReadsNothing, .stewardOfOtherStore, .stewardEnded, .revokedWriter, .leftOut, .seriesTaken,
            .seriesNotCovered, .twoNewest,
            .sealedNewest, .closed:
            4
        case .unknownWriter, .ambiguousWriter: 2
        case .store(let error): error.exitStatus
        default: 1
        }
    }

    public var cause: (any Error)? {
        switch self {
        case .system(let error): error
        case .store(let error): error
        default: nil
        }
    }

    public init(_ error: StoreError) { self = .store(error) }

    /// Whether nothing more can be read from where this comes: that is no damage, of whatever it was noticed at.
    var endsReading: Bool {
        switch self {
        case .gone, .closed: true
        case .store(let error): error.reason == .interrupted
        default: false
        }
    }

    /// Any error as one that knows its sentence and exit status.
    static func wrapping(_ error: any Error, subject: String) -> any Explained {
        switch error {
        case ImageError.store(let error) where error.reason == .interrupted: Interrupted()
        case let error as ImageError: error
        case let error as Interrupted: error
        case is Repeat: ImageError.pruned(store: subject)
        case let error as StoreError where error.reason == .interrupted: Interrupted()
        case let error as StoreError: ImageError(error)
        case let error as SystemError: ImageError(error, on: subject)
        case let error as FormatError: ImageError.damaged(subject: subject, detail: error.description)
        case let error as any Explained: error
        default: ImageError.library("\(error)")
        }
    }

    /// The call on a store that an error comes from; nil where it comes from none.
    static func storeFailure(_ error: any Error) -> StoreError? {
        error as? StoreError ?? (error as? ImageError)?.cause as? StoreError
    }

    /// Throws where an error only says that somebody asked for a stop: then it says nothing of what was being read.
    static func throwStop(_ error: any Error) throws {
        if let stop = wrapping(error, subject: "") as? Interrupted { throw stop }
    }

    /// A failed system call, told apart where people can do something about it.
    public init(_ error: SystemError, on subject: String? = nil) {
        let isUnnamed = ["the file", "the folder"].contains(error.subject)
        if error.isFull {
            // What the error names itself is nearer: it may be a folder of this machine, and not the store.
            let named = error.subject.hasPrefix("/") ? error.subject : subject ?? error.subject
            self = .full(subject: FullFileSystem(error, at: BytePath(named))?.name ?? named)
        } else if error.isReadOnly {
            self = .readOnly(subject: isUnnamed ? subject ?? error.subject : error.subject)
        } else if error.isPermission {
            self = .notPermitted(
                subject: isUnnamed ? subject ?? error.subject : error.subject,
                operation: error.operation)
        } else {
            self = .system(
                isUnnamed && subject != nil
                    ? SystemError(error.code, error.operation, subject ?? error.subject) : error)
        }
    }
}

/// Whether a name may be the beginning of an id that is too short to be one.
private func isBeginning(_ name: String) -> Bool {
    (1...3).contains(name.utf8.count)
        && name.utf8.allSatisfy { (0x30...0x39).contains($0) || (0x61...0x66).contains($0) }
}
