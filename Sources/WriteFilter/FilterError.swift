// Everything that can go wrong with a write filter, as sentences: what happened, to what, why, and what mends it.

internal import Machine
public import Platform
public import Reporting
public import RestorePoints

public enum FilterError: Explained {
    case notSetUp(state: BytePath)
    case notDecided(path: BytePath)
    /// Nothing says which of several is meant.
    case whichPlace([BytePath])
    case damagedPlan(file: BytePath, reason: String)
    case badPlace(path: BytePath, reason: String, mend: String?)
    case badException(path: BytePath, reason: String, mend: String)
    case unknownException(path: BytePath)
    case tooSmall(size: UInt64, least: UInt64)
    case tooLarge(size: UInt64, memory: UInt64)
    case noOverlay
    case notActive(path: BytePath)
    /// A command was cut short, and what the session wrote is covered by nothing.
    case unfinished(path: BytePath)
    case active(what: String)
    case busy(path: BytePath, by: [TreeUse])
    case pendingRollback(target: String)
    case notCommittable(path: BytePath, reason: String)
    case locked
    case notPermitted(String)
    case system(SystemError)
    case point(PointError)
    /// What else failed on the way, in its own words.
    case underlying(any Error)

    /// What happened, to what, and why.
    public var description: String {
        switch self {
        case .notSetUp(let state): "nothing is protected here: there is no set-up in \(state)"
        case .notDecided(let path): "there is no write filter for \(path)"
        case .whichPlace(let places):
            "this is about one write filter, and there are several: \(places.map(\.description).joined(separator: ", "))"
        case .damagedPlan(let file, let reason): "the filter's plan \(file) is damaged: \(reason)"
        case .badPlace(let path, let reason, _): "\(path) cannot be filtered: \(reason)"
        case .badException(let path, let reason, _): "\(path) cannot be an exception: \(reason)"
        case .unknownException(let path): "\(path) is no exception"
        case .tooSmall(let size, let least):
            "an overlay of \(size >> 20) MiB is too small; \(least >> 20) MiB is the least"
        case .tooLarge(let size, let memory):
            "an overlay of \(size >> 20) MiB leaves the programs too little of the \(memory >> 20) MiB of memory"
        case .noOverlay: "this kernel has no overlay file system"
        case .notActive(let path): "no write filter is active on \(path) in this session"
        case .unfinished(let path): "a command of the write filter of \(path) is at work, or was cut short"
        case .active(let what): "\(what) would be forgotten with this session: a write filter is active"
        case .busy(let path, let users):
            "\(path) is in use: " + users.prefix(5).map(\.description).joined(separator: ", ")
        case .pendingRollback(let target): "the rollback to \(target) waits for the next boot"
        case .notCommittable(let path, let reason): "\(path) cannot be committed: \(reason)"
        case .locked: "another holdfast command is at work on the filter"
        case .notPermitted(let what): "not permitted to \(what)"
        case .system(let error): error.description
        case .point(let error): error.description
        case .underlying(let error): explained(error).sentence
        }
    }

    /// What mends it, if there is something.
    public var mend: String? {
        switch self {
        case .notSetUp: "`holdfast setup --root /` protects this machine"
        case .notDecided(let path):
            path == "/" ? "`holdfast filter enable`" : "`holdfast filter enable --path \(path)`"
        case .whichPlace: "give one with --path"
        case .damagedPlan: "remove it and decide anew with `holdfast filter enable`; until then nothing is filtered"
        case .badPlace(_, _, let mend): mend
        case .badException(_, _, let mend): mend
        case .unknownException: "`holdfast filter except list` shows them"
        case .tooSmall, .tooLarge: "give another with --size"
        case .noOverlay: "install a kernel with overlayfs (module overlay)"
        case .notActive: "`holdfast filter status` tells what is"
        case .unfinished(let path): "`holdfast filter enable --path \(path)` goes on with it"
        case .active: "`holdfast filter service` boots writable once, `holdfast filter disable` from the next boot on"
        case .busy: "stop them first; otherwise it is done at the next boot"
        case .pendingRollback: "reboot, or take it back with `holdfast undo`"
        case .notCommittable: nil
        case .system(let error): error.mend
        case .locked: "wait until it has ended"
        case .notPermitted: "be root, or use sudo or doas"
        case .point(let error): error.mend
        case .underlying(let error): explained(error).mend
        }
    }

    /// 2: usage; 4: a safety rule or no permission; 1: failed, nothing lost.
    public var exitStatus: Int32 {
        switch self {
        case .notSetUp, .notDecided, .whichPlace, .unknownException, .tooSmall, .tooLarge, .notActive: 2
        case .damagedPlan, .badPlace, .badException, .noOverlay, .unfinished, .active, .busy, .pendingRollback,
            .notCommittable, .locked, .notPermitted:
            4
        case .system(let error): error.isPermission || error.isReadOnly ? 4 : 1
        case .point(let error): error.exitStatus
        case .underlying(let error): explained(error).exitStatus
        }
    }

    public var cause: (any Error)? {
        switch self {
        case .system(let error): error
        case .point(let error): error
        case .underlying(let error): error
        default: nil
        }
    }

    static func wrapping(_ error: any Error) -> any Explained {
        switch error {
        case let error as FilterError: error
        case let error as Interrupted: error
        case let error as StalePlan: error
        case let error as PointError: FilterError.point(error)
        case let error as SystemError:
            error.isPermission
                ? FilterError.notPermitted("\(error.operation) \(error.subject)") : FilterError.system(error)
        default: FilterError.underlying(error)
        }
    }
}
