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
    /// No recovery system is there that would return.
    case noRecovery
    /// GRUB has nowhere to count; nil: `setup` has not been there yet.
    case loaderCannotCount(String?)
    /// The boot menu does not count, or the recovery system does not return by itself.
    case loaderNotCalled
    /// The recovery system would ask for what opens the disk.
    case passphraseAtReturn
    /// GRUB counts, and where is not mounted.
    case counterNotThere
    /// What GRUB counts in is no such file.
    case counterDamaged(BytePath)
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
        case .noRecovery: "there is no recovery system that would return"
        case .loaderCannotCount(let reason): reason ?? "the boot loader does not count starts yet"
        case .loaderNotCalled:
            "the boot menu does not count starts, or the recovery system is of before it could return by itself"
        case .passphraseAtReturn: "/ is encrypted, and the recovery system would wait for the passphrase"
        case .counterNotThere: "the boot loader counts starts still, and the file system with its number is not mounted"
        case .counterDamaged(let file): "\(file), in which the boot loader counts starts, is damaged"
        case .program(let name, let status, let complaint): "\(name) ended with \(status): \(complaint)"
        }
    }

    public var mend: String? {
        switch self {
        case .noInitramfs: "`apt-get install initramfs-tools`, then `holdfast setup --refresh`"
        case .unreachable:
            "have it on the same file system as /, in a folder of plain letters and digits, as `holdfast setup --root /` lays it"
        case .notCalled: "`holdfast setup --refresh`"
        case .noRecovery: "`holdfast setup --refresh`, which says what is missing for it"
        case .loaderCannotCount(let reason): reason == nil ? "`holdfast setup --refresh`" : nil
        case .counterNotThere: "mount it (/boot/efi or /boot), and repeat `holdfast confirm`"
        case .loaderNotCalled, .counterDamaged: "`holdfast setup --refresh`"
        case .passphraseAtReturn, .program, .foreignLoader: nil
        }
    }

    public var exitStatus: Int32 {
        switch self {
        case .noInitramfs, .unreachable, .notCalled, .noRecovery, .loaderCannotCount, .loaderNotCalled,
            .passphraseAtReturn:
            4
        case .program, .foreignLoader, .counterDamaged, .counterNotThere: 1
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
