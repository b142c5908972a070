// Everything that can go wrong with restore points, as sentences: what happened, to what, why, and what mends it.

internal import Boot
public import Images
public import Machine
public import Platform
public import Reporting

public enum PointError: Explained {
    case notSetUp(state: BytePath)
    case alreadySetUp(state: BytePath, root: BytePath)
    /// The state holds points of a tree that is not protected any more.
    case otherPoints(state: BytePath, root: BytePath)
    /// No points of such a set-up are here.
    case unknownSetUp(id: String)
    case noBackend(root: BytePath, reason: String)
    /// What is at the tree's path is not the tree.
    case notThere(root: BytePath, reason: String)
    case badName(name: String, reason: String)
    case nameTaken(name: String)
    /// With the name of one that is there and much like it.
    case unknownPoint(name: String, near: String?)
    case isFactory(name: String)
    case isPinned(name: String)
    case noFactoryPoint
    case nothingToUndo
    case pending(target: String)
    /// A trial is not at its end.
    case trialOpen(subject: String, returnTo: String)
    /// A trial did not hold, and the next start returns.
    case trialReturns(subject: String, returnTo: String)
    /// The state that is to be confirmed is not in use yet.
    case trialWaits(subject: String)
    /// The point that a trial returns to.
    case trialNeeds(name: String, subject: String)
    /// The point that is tried.
    case isOnTrial(name: String)
    /// The switch of a return is there, and the machine runs in the state that did not hold.
    case notReturned(returnTo: String)
    /// Taking back the protection was interrupted.
    case endsProtection(root: BytePath, keepsPoints: Bool?)
    /// A commit of the write filter waits for the next start.
    case commitsWait(path: BytePath)
    case locked
    case damagedState(file: BytePath, reason: String)
    case newerState(file: BytePath, version: Int)
    case refused([Preflight])
    case unreadable(root: BytePath, findings: UInt64)
    /// What a factory reset was to keep could not be put into the new state.
    case notKept(root: BytePath, findings: UInt64)
    case damagedPoint(findings: UInt64)
    case bootNotBrought(folder: BytePath, findings: UInt64)
    /// What the backend kept of a point is gone.
    case lostPoint(handle: String)
    /// Another program that was needed failed.
    case program([String], status: Int32, complaint: String)
    case hookFailed(program: BytePath, verb: String, reason: String)
    case library(String)
    case notPermitted(String)
    case system(SystemError)
    case image(ImageError)

    /// What happened, to what, and why.
    public var description: String {
        switch self {
        case .notSetUp(let state): "nothing is protected here: there is no set-up in \(state)"
        case .otherPoints(let state, let root): "\(state) holds points of \(root), which was protected before"
        case .unknownSetUp(let id): "there are no points of a set-up \(id) here"
        case .alreadySetUp(let state, let root): "\(root) is protected already, with its state in \(state)"
        case .noBackend(let root, let reason): "\(root) cannot be protected: \(reason)"
        case .notThere(let root, let reason): "\(root) is not the tree that is protected: \(reason)"
        case .badName(let name, let reason): "\(printable(name.utf8)) cannot be a point's name: \(reason)"
        case .nameTaken(let name): "there is a point \(name) already"
        case .unknownPoint(let name, _): "there is no point \(printable(name.utf8))"
        case .isFactory(let name): "\(name) is a factory point"
        case .isPinned(let name): "\(name) is pinned"
        case .noFactoryPoint: "there is no factory point"
        case .nothingToUndo: "there is no rollback to undo"
        case .pending(let target): "the rollback to \(target) is pending until the next boot"
        case .trialOpen(let subject, _): "\(subject) is on trial, and not confirmed yet"
        case .trialReturns(let subject, let returnTo):
            "\(subject) did not hold on trial, and the next start returns to \(returnTo)"
        case .trialWaits(let subject):
            "\(subject) is not in use before the next start, so there is nothing to confirm yet"
        case .trialNeeds(let name, let subject): "\(name) is what the trial of \(subject) returns to"
        case .isOnTrial(let name): "\(name) is on trial"
        case .notReturned(let returnTo):
            "the return to \(returnTo) did NOT take effect at this start: the boot loader goes by something else than the name of the state"
        case .endsProtection(let root, _): "the protection of \(root) was being taken back, which was interrupted"
        case .commitsWait(let path): "what was committed of \(path) waits for the next start"
        case .locked: "another command is changing this machine"
        case .damagedState(let file, let reason): "\(file) is damaged: \(reason)"
        case .newerState(let file, let version): "\(file) is of version \(version), which this program does not know"
        case .refused(let findings): findings.map(\.sentence).joined(separator: "; ")
        case .notKept(let root, let findings):
            "\(findings) entr\(findings == 1 ? "y" : "ies") of \(root) could not be kept, and nothing was changed"
        case .unreadable(let root, let findings):
            "\(findings) entries of \(root) could not be read, so the state of now would be lost; nothing was changed"
        case .damagedPoint(let findings):
            "the point is damaged (\(findings) findings, named above), and going there would leave a mixture; nothing was changed"
        case .bootNotBrought(let folder, let findings):
            "\(findings) entries of \(folder) could not be brought back, so the tree was not, either"
        case .lostPoint(let handle): "what the point consists of is gone: there is no \(handle)"
        case .program(let words, let status, let complaint):
            "`\(words.joined(separator: " "))` ended with \(status): \(complaint)"
        case .hookFailed(let program, let verb, let reason): "the hook \(program) of \(verb) failed: \(reason)"
        case .library(let text): text
        case .notPermitted(let what): "no permission to \(what)"
        case .system(let error): error.description
        case .image(let error): error.description
        }
    }

    /// The command or the step that mends it.
    public var mend: String? {
        switch self {
        case .otherPoints(let state, let root):
            "give another folder with --state, or protect \(root) again and `holdfast setup --remove --points destroy --state \(state)`"
        case .unknownSetUp: "`holdfast setup` without --adopt names those that are here"
        case .notSetUp(let state):
            exists(Places.formerProtection(in: state))
                ? "its points were kept: `holdfast setup` with the same --root and --state has them again"
                : "`holdfast setup` protects this machine, `holdfast setup --root DIR` a folder"
        case .notThere(let root, _): "mount it (`mount \(root)`, where /etc/fstab knows it)"
        case .nameTaken(let name): "take another name, or `holdfast destroy \(name)` first"
        case .unknownPoint(_, let near):
            (near.map { "did you mean the point \($0)? " } ?? "") + "`holdfast status` lists them"
        case .isFactory: "repeat with --factory if it is really to go"
        case .isPinned(let name): "`holdfast unpin \(name)` first"
        case .noFactoryPoint: "`holdfast create NAME --factory` makes one"
        case .pending: "reboot, or take it back with `holdfast undo`"
        case .trialOpen(_, let returnTo):
            "`holdfast confirm` keeps it, `holdfast undo` returns\(returnTo.isEmpty ? "" : " to \(returnTo)")"
        case .trialReturns: "reboot, or keep the state of now after all with `holdfast confirm`"
        case .trialWaits: "reboot, or take it back with `holdfast undo`"
        case .trialNeeds, .isOnTrial: "`holdfast confirm` or `holdfast undo` first"
        case .notReturned:
            "`holdfast confirm` takes the return back; `holdfast rollback` says what stands in the way of another"
        case .damagedState(let file, _) where file.lastComponent.starts(with: Array("trial.".utf8)):
            "`holdfast confirm` removes it and keeps the state of now; `holdfast rollback` goes to any point then"
        case .endsProtection(_, let keepsPoints):
            "`holdfast setup --remove --points \(keepsPoints == false ? "destroy" : "keep")` goes on"
        case .commitsWait: "reboot first"
        case .locked: "wait until it has ended"
        case .damagedState(let file, _) where file.parent.lastComponent.elementsEqual("journal".utf8):
            "put it back from an image of the state, or remove it (`rm -r \(file)`): what a rollback has left becomes a point then"
        case .damagedState(let file, _):
            "put \(file) back from an image of the state, or move the state folder away and `holdfast setup` anew: no point is destroyed by that"
        case .newerState: "use the program that wrote it, or a newer one"
        case .refused(let findings): findings.compactMap(\.mend).joined(separator: "; ")
        case .notKept: "mend what is named above, or reset without --keep"
        case .unreadable: "mend or remove what is named above"
        case .damagedPoint:
            "go to another point; `holdfast diff` and `holdfast restore --only` save single files of this one"
        case .bootNotBrought: "mend what is named above, then `holdfast recover` goes on"
        case .lostPoint: "go to another point, and `holdfast destroy` this one"
        case .hookFailed: "mend it, or take it out of [hooks] in the configuration"
        case .notPermitted: "be root, or use sudo or doas"
        case .image(let error): error.mend
        case .system(let error): error.mend
        case .alreadySetUp, .noBackend, .badName, .nothingToUndo, .program, .library: nil
        }
    }

    /// 2: usage; 4: a safety rule or no permission; 1: failed, nothing lost.
    public var exitStatus: Int32 {
        switch self {
        case .badName, .nameTaken, .unknownPoint, .nothingToUndo, .noFactoryPoint, .notSetUp, .alreadySetUp,
            .unknownSetUp:
            2
        case .otherPoints, .noBackend, .notThere, .isFactory, .isPinned, .pending, .refused, .notPermitted,
            .damagedState,
            .newerState, .endsProtection, .commitsWait, .locked, .trialOpen, .trialReturns, .trialWaits, .trialNeeds,
            .isOnTrial:
            4
        case .unreadable, .notKept, .notReturned, .bootNotBrought, .program, .hookFailed, .library: 1
        case .damagedPoint, .lostPoint: 4
        case .system(let error): error.isPermission || error.isReadOnly ? 4 : 1
        case .image(let error): error.exitStatus
        }
    }

    public var cause: (any Error)? {
        switch self {
        case .system(let error): error
        case .image(let error): error
        default: nil
        }
    }

    static func wrapping(_ error: any Error) -> any Explained {
        switch error {
        case let error as PointError: error
        case let error as Interrupted: error
        case let error as BootError: error
        case let error as StalePlan: error
        case let error as SystemError:
            error.isPermission
                ? PointError.notPermitted("\(error.operation) \(error.subject)") : PointError.system(error)
        case let error as ImageError: PointError.image(error)
        default: PointError.library("\(error)")
        }
    }
}
