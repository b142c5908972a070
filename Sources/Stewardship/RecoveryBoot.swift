// The recovery system of this machine as a part of its set-up: made where it can be, and what keeps it from being made is said.

public import Boot
internal import Glibc
internal import Machine
public import Platform
public import Reporting

public enum RecoveryBoot {
    public enum Outcome: Sendable {
        case installed(RecoverySystem)
        /// What is missing, in a sentence, and what mends it.
        case notPossible(String, mend: String?)
    }

    /// Makes the recovery system of a machine whose `/` is protected, or makes it anew.
    /// - Throws: where it was interrupted; whatever else keeps it from being made costs nothing that was there.
    public static func install(state: BytePath, stop: Stop) throws -> Outcome {
        let missing = RecoverySystem.missing()
        if !missing.isEmpty {
            let error = LiveError.missing(missing)
            return .notPossible("\(error)", mend: error.mend.map { $0 + ", then `holdfast setup --refresh`" })
        }
        do {
            try keepPassword(in: state)
            guard let made = try RecoverySystem.install(state: state, stop: stop) else {
                return .notPossible(
                    "neither the EFI system partition nor another file system that GRUB reads has the room for it",
                    mend: "it takes some 200 MB; a stick does the same (`holdfast stick create`)")
            }
            return .installed(made)
        } catch let error as Interrupted { throw error } catch {
            let problem = explained(error)
            return .notPossible(problem.sentence, mend: nil)
        }
    }

    /// The hash of root's password: the recovery system lets nobody do what the machine would not.
    public static func passwordFile(state: BytePath) -> BytePath { state.appending("recovery.password") }

    private static func keepPassword(in state: BytePath) throws {
        let text = String(decoding: try readRegular("/etc/shadow", limit: 1 << 20), as: UTF8.self)
        let fields = text.split(separator: "\n").first { $0.hasPrefix("root:") }?
            .split(separator: ":", omittingEmptySubsequences: false)
        // One that begins otherwise fits no password: the account is locked.
        let hash = fields.flatMap { $0.count > 1 && $0[1].hasPrefix("$") ? String($0[1]) : nil } ?? "!"
        try replaceFile(passwordFile(state: state), Array((hash + "\n").utf8), mode: 0o600)
    }
}
