// What can go wrong with a store, told apart by what may follow from it. Only `.absent` means that something is not there; whoever
// removes anything, or takes it for new, because it was not found asks for exactly that.

public import Platform
public import Reporting

/// A call on a store that failed.
public struct StoreError: Explained, Hashable {
    public enum Reason: Sendable {
        /// There is no object of this name, or no store.
        case absent
        /// An object of this name is there already. It may be one's own: then the answer to an earlier call was lost.
        case exists
        /// No right to do it, a read-only medium, a server that says no. Repeating does not help.
        case refused
        /// No room.
        case full
        /// An object ends before the range that was asked for.
        case ended
        /// The medium or the server does not answer any more: a stick that was pulled, a network that is down.
        case unreachable
        /// Somebody asked the work to stop.
        case interrupted
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

    public init(_ reason: Reason, _ operation: String, _ subject: String, _ detail: String = "") {
        self.reason = reason
        self.operation = operation
        self.subject = subject
        self.detail = detail
    }

    /// A failed system call of a store that is a folder.
    public init(_ error: SystemError, on subject: String) {
        let reason: Reason =
            if error.isAbsent {
                .absent
            } else if error.isPresent {
                .exists
            } else if error.isFull {
                .full
            } else if error.isPermission {
                .refused
            } else if error.isUnreachable {
                .unreachable
            } else {
                .failed
            }
        self.init(reason, error.operation, subject, error.reason)
    }

    public var mend: String? {
        switch reason {
        case .full: "free some space, or use a larger medium, and repeat"
        case .refused: "repeat as root, or as its owner; a read-only medium cannot be written at all"
        case .unreachable: "is it still plugged in and mounted? The same command goes on"
        default: nil
        }
    }

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
        case .full: "there is no room left to \(operation) \(subject)"
        default: "cannot \(operation) \(subject)\(detail.isEmpty ? "" : ": \(detail)")"
        }
    }
}
