// What can go wrong with a store, told apart by what may follow from it. Only `.absent` means that something is not there; whoever
// removes anything, or takes it for new, because it was not found asks for exactly that.

internal import Glibc
public import Platform
public import Reporting

/// A call on a store that failed.
public struct StoreError: Explained, Hashable {
    public enum Reason: Sendable {
        /// There is no object of this name, or no store.
        case absent
        /// An object of this name is there already. It may be one's own: then the answer to an earlier call was lost.
        case exists
        /// No right to do it, a read-only medium, a link or file where a folder should be, a name that no object can have, a server that says
        /// no. Repeating does not help.
        case refused
        /// The place cannot be used as it is set up: no such bucket, an account that has no files. Repeating does not help.
        case unusable
        /// What was prepared is too old to be taken. Nothing was written; it can be prepared anew.
        case expired
        /// No room.
        case full
        /// An object ends before the range that was asked for.
        case ended
        /// The medium or the server does not answer any more: a stick that was pulled, a network that is down.
        case unreachable
        /// Somebody asked the work to stop.
        case interrupted
        /// What was written or removed could not be made durable. Repeating proves nothing: what the kernel dropped it does not miss the second
        /// time.
        case notDurable
        /// It failed otherwise; nobody knows whether it had its effect.
        case failed
    }

    public let reason: Reason
    /// What was being done, as a verb.
    public let operation: String
    /// The object and the store, for people.
    public let subject: String
    /// Why, in the words of the system or the server; may be empty.
    public let detail: String
    public let mend: String?
    /// For how long a server wants to be left alone, in seconds.
    public let pause: Int?
    /// Whether it was refused because nothing can be written there.
    private(set) var isReadOnly = false

    /// - Parameters:
    ///   - mend: nil for what the reason alone says.
    ///   - pause: for how long a server wants to be left alone, in seconds.
    public init(
        _ reason: Reason, _ operation: String, _ subject: String, _ detail: String = "", mend: String? = nil,
        pause: Int? = nil
    ) {
        self.reason = reason
        self.operation = operation
        self.subject = subject
        self.detail = detail
        self.mend = mend ?? reason.mend
        self.pause = pause
    }

    /// A failed system call of a store that is a folder.
    public init(_ error: SystemError, on subject: String) {
        var detail = error.reason
        var mend: String?
        let reason: Reason
        if error.isAbsent {
            reason = .absent
        } else if error.isPresent {
            reason = .exists
        } else if error.isFull {
            reason = .full
            detail = ""
        } else if error.operation == Self.sync {
            reason = .notDurable
        } else if error.isReadOnly {
            reason = .refused
            mend = "mount it so that it can be written, or use another one"
        } else if error.isPermission {
            reason = .refused
            mend = "repeat as root, or as its owner"
        } else if error.code == ELOOP {
            reason = .refused
            detail = "a symbolic link is in its way, and none is followed"
            mend = "put a real folder in the link's place, or mount one there"
        } else if [ENOTDIR, EISDIR, ENAMETOOLONG].contains(error.code) {
            reason = .refused
        } else if error.isUnreachable {
            reason = .unreachable
        } else {
            reason = .failed
        }
        self.init(reason, error.operation, subject, detail, mend: mend)
        isReadOnly = error.isReadOnly
    }

    /// A failed system call of a store that is a folder; where that is why, it says which file system is full.
    /// - Parameters:
    ///   - place: something on the file system, and the store's path; nil where nothing could be opened.
    ///   - wanted: how many bytes were to be written.
    init(_ error: SystemError, on subject: String, at place: (file: Descriptor, path: BytePath)?, wanted: Int = 0) {
        guard let place,
            let full = FullFileSystem(error, holding: place.file, place: place.path, wanted: wanted)
        else {
            self.init(error, on: subject)
            return
        }
        self.init(.full, error.operation, subject, full.description)
    }

    /// What `Descriptor.synchronize` calls itself.
    private static let sync = "sync"

    public var exitStatus: Int32 {
        switch reason {
        case .refused: 4
        case .ended: 3
        case .interrupted: 130
        default: 1
        }
    }

    public var description: String {
        switch reason {
        case .ended: "\(subject) ends too early"
        case .interrupted: "interrupted"
        case .full: detail.isEmpty ? "there is no room left to \(operation) \(subject)" : detail
        default: "cannot \(operation) \(subject)\(detail.isEmpty ? "" : ": \(detail)")"
        }
    }
}

extension StoreError.Reason {
    fileprivate var mend: String? {
        switch self {
        case .full: "free some space, or use a larger medium, and repeat"
        case .unreachable: "is it still plugged in and mounted? The same command goes on"
        case .notDurable: "the medium may be failing: look at what the kernel says of it, or use another one"
        default: nil
        }
    }
}
