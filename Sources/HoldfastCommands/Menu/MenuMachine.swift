// The machine whose recovery system this is: its own system is mounted only while it is looked at, and what the machine would ask a password for
// wants one here, too.

internal import CLinux
internal import Cryptography
internal import Glibc
internal import Machine
internal import Platform
internal import Stewardship

final class MenuMachine {
    /// What mounts it; the recovery system has it.
    private static let program: BytePath = "/usr/lib/holdfast/machine"
    private var isOwner = false

    /// Where its `/` and the state are.
    struct Place {
        var root: BytePath
        var state: BytePath

        /// What a command is told of it.
        func options(for words: [ProgramWord]) -> [ProgramWord] {
            let isOfPoints = ["status", "rollback", "undo", "factory-reset"].contains { words.first == $0 }
            return ["--state", ProgramWord(state)] + (isOfPoints ? ["--machine-at", ProgramWord(root)] : [])
        }
    }

    func whileUp<R>(_ menu: Menu, _ body: (Place) throws -> R) throws -> R {
        // What it says, and asks, is for who sits there.
        guard try menu.start([ProgramWord(Self.program), "up"]) == 0 else { throw menu.said(.machineNotUp) }
        defer { _ = try? runProgram([ProgramWord(Self.program), "down"]) }
        func place(_ name: ProgramWord) throws -> BytePath {
            BytePath(try runProgram([ProgramWord(Self.program), name]).lines.first ?? "/nowhere")
        }
        return try body(Place(root: place("root"), state: place("state")))
    }

    /// Has root's password typed, once for this menu.
    /// - Parameter isLocked: the other console does nothing meanwhile.
    /// - Throws: `Menu.Said`
    func checkOwner(_ menu: Menu, isLocked: Bool) throws {
        if isOwner { return }
        let lock = isLocked ? nil : try MenuLock(MenuWord.typePassword.text(.english))
        defer { lock?.release() }
        let hash = try whileUp(menu) { place in
            String(
                decoding: try readRegular(RecoveryBoot.passwordFile(state: place.state), limit: 1 << 12)
                    .prefix { $0 > 0x20 }, as: UTF8.self)
        }
        guard hash.hasPrefix("$") else { throw menu.said(.noPassword) }
        guard let typed = try menu.terminal.secret(.typePassword) else { throw MenuTerminal.Back() }
        let fits = typed.withUnsafeBytes { bytes in
            withNullTerminated(Array(bytes)) { password in hash.withCString { clinux_password_fits(password, $0) } }
        }
        guard fits == 1 else {
            // Nobody tries thousands.
            sleep(2)
            throw menu.said(.wrongPassword)
        }
        isOwner = true
    }
}
