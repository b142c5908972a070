// What keeps the start of a machine from doing what Holdfast wants of it.

public import Platform
public import Reporting

public enum BootError: Explained, Hashable {
    /// There is nothing that takes a script into the initramfs.
    case noInitramfs
    /// The initramfs cannot get at the state.
    case unreachable(state: BytePath, reason: String)
    /// The initramfs has no script of Holdfast's.
    case notCalled
    case program(String, status: Int32, complaint: String)
    /// A boot loader of somebody else reads this file.
    case foreignLoader(BytePath)

    public var description: String {
        switch self {
        case .noInitramfs:
            "what is done with / is done by the initramfs, and no initramfs-tools are here to take it along"
        case .unreachable(let state, let reason):
            "the start of the machine cannot reach the state in \(state): \(reason)"
        case .notCalled: "nothing in the initramfs calls Holdfast at the start of the machine"
        case .foreignLoader(let file): "\(file) is there, and not of Holdfast: another boot loader reads it"
        case .program(let name, let status, let complaint): "\(name) ended with \(status): \(complaint)"
        }
    }

    public var mend: String? {
        switch self {
        case .noInitramfs: "`apt-get install initramfs-tools`, then `holdfast setup --refresh`"
        case .unreachable:
            "have it on the same file system as /, in a folder of plain letters and digits, as `holdfast setup --root /` lays it"
        case .notCalled: "`holdfast setup --refresh`"
        case .program, .foreignLoader: nil
        }
    }

    public var exitStatus: Int32 {
        switch self {
        case .noInitramfs, .unreachable, .notCalled: 4
        case .program, .foreignLoader: 1
        }
    }
}

/// Runs a program that has to do what it is called for.
/// - Throws: `BootError.program` where it ends with another status than 0; `SystemError` where it cannot be started.
@discardableResult
func runOrThrow(_ words: [ProgramWord], input: [UInt8]? = nil) throws -> ProgramResult {
    let result = try runProgram(words, input: input)
    guard result.status == 0 else {
        throw BootError.program(words.first?.shown ?? "", status: result.status, complaint: result.complaint)
    }
    return result
}
