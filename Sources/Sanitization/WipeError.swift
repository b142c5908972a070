// Everything that can go wrong with a wipe, as sentences: what happened, to what, why, and what mends it.

internal import Machine
public import Platform
public import Reporting

public enum WipeError: Explained {
    case notADevice(path: BytePath)
    case notAPath(path: BytePath, reason: String)
    case wantsReserve(path: BytePath)
    case inUse(device: String, uses: [String])
    case readOnly(device: String)
    case notConfirmed(device: String, wanted: String)
    case levelNotSupported(device: String, level: String, reason: String)
    /// Another device than the one that was looked at has the name now.
    case changed(device: String)
    case anotherJob(device: String, method: String)
    /// An interrupted security erase may have left a password, which only its record knows.
    case passwordOwed(device: String, technique: String)
    /// A security erase whose record would be lost with the power.
    case recordInMemory(folder: BytePath)
    case damagedRecord(file: BytePath)
    /// The drive goes on erasing by itself.
    case eraseGoesOn
    case eraseStuck
    /// A firmware failed in a way that has to be mended before anything else.
    case firmware(device: String, reason: String)
    case badCertificate(file: BytePath, reason: String)
    /// A certificate, or something else, is there already.
    case certificateExists(file: BytePath)
    case library(String)
    case system(SystemError)

    /// What mends an interruption.
    static let howToGoOn = "the same command goes on where it was"

    /// What happened, to what, and why.
    public var description: String {
        switch self {
        case .notADevice(let path): "\(path) is no block device, and no file or folder"
        case .notAPath(let path, let reason): "\(path) cannot be wiped: \(reason)"
        case .wantsReserve(let path): "the machine runs from the file system of \(path), and would have no room left"
        case .inUse(let device, let uses): "\(device) is in use: " + uses.joined(separator: "; ")
        case .readOnly(let device): "\(device) is read-only"
        case .notConfirmed(let device, let wanted): "\(device) was not confirmed: what was typed is not \(wanted)"
        case .levelNotSupported(let device, let level, let reason):
            "\(device) cannot be wiped to the level \(level): \(reason)"
        case .changed(let device): "\(device) is not the device any more that was looked at"
        case .anotherJob(let device, let method): "a wipe of \(device) by \(method) was interrupted and is not finished"
        case .passwordOwed(let device, _):
            "an interrupted security erase may have left a password on \(device), which has to go first"
        case .recordInMemory(let folder):
            "\(folder) is in memory, and a power cut would lose the password that the drive has while it erases itself"
        case .damagedRecord(let file): "what \(file) knows of an interrupted wipe is damaged"
        case .eraseGoesOn: "interrupted; the drive goes on erasing by itself"
        case .eraseStuck: "the drive has shown no progress for an hour or more; it is NOT erased"
        case .firmware(let device, let reason): "\(device) is NOT erased: \(reason)"
        case .badCertificate(let file, let reason): "\(file) is not a certificate that holds: \(reason)"
        case .certificateExists(let file): "\(file) is there already, and no certificate takes its place"
        case .library(let text): text
        case .system(let error): error.description
        }
    }

    /// What mends it, if there is something.
    public var mend: String? {
        switch self {
        case .notADevice: "`holdfast disks` lists the disks"
        case .notAPath: "a disk is wiped as /dev/…, what is free on a file system with --free-space"
        case .wantsReserve: "leave it some with --reserve 500MB"
        case .inUse: "end what uses it first; a disk that the machine runs from is wiped from another system"
        case .readOnly: "look for a switch on the medium, or `blockdev --setrw`"
        case .notConfirmed: "`holdfast disks` shows serial numbers; a device without one is confirmed by its name"
        case .levelNotSupported(_, "clear", _): "leave --technique away: then it is overwritten"
        case .levelNotSupported:
            "`--level clear`, or destroy the medium and record that with `holdfast certificate record`"
        case .changed: "begin again"
        case .anotherJob(let device, _):
            "repeat with the same options to go on, or with --restart to begin /dev/\(device) anew"
        case .passwordOwed(let device, let technique):
            "`holdfast wipe /dev/\(device) --technique \(technique)` takes it away"
        case .recordInMemory: "give a folder on a disk or a stick that stays with --state"
        case .damagedRecord(let file):
            "move \(file) away and begin anew; after a security erase keep it, as its `key` begins with the drive's password"
        case .eraseGoesOn, .eraseStuck: "the same command goes on watching; what never ends is a medium to destroy"
        case .firmware: "the same command tries again to put it right"
        case .certificateExists: "give another name"
        case .system(let error): error.mend
        case .badCertificate, .library: nil
        }
    }

    /// 2: usage; 4: a safety rule or no permission; 1: failed; 130: interrupted.
    public var exitStatus: Int32 {
        switch self {
        case .notADevice, .notAPath: 2
        case .wantsReserve, .inUse, .readOnly, .notConfirmed, .levelNotSupported, .changed, .anotherJob, .passwordOwed,
            .recordInMemory, .certificateExists:
            4
        case .damagedRecord, .library, .eraseStuck, .firmware: 1
        case .badCertificate: 3
        case .eraseGoesOn: 130
        case .system(let error): error.isPermission || error.isReadOnly ? 4 : 1
        }
    }

    public var cause: (any Error)? {
        if case .system(let error) = self { error } else { nil }
    }

    static func wrapping(_ error: any Error) -> any Explained {
        switch error {
        case let error as WipeError: error
        case let error as Interrupted: error
        case let error as StalePlan: error
        case let error as SystemError: WipeError.system(error)
        default: WipeError.library("\(error)")
        }
    }
}
