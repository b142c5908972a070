// One command at a time changes a machine. What changes it takes the lock as a parameter, so that forgetting it does not compile.

internal import Glibc
public import Platform
public import Reporting

/// Holds off other commands that change what a state folder describes, for as long as it lives.
public struct MachineLock: ~Copyable, Sendable {
    private let file: Descriptor
    /// The state that is held.
    public let state: BytePath

    /// Waits a while for whoever has it.
    /// - Throws: `MachineLocked` where it does not come free, `SystemError` where the state cannot be locked.
    public init(_ state: BytePath) throws {
        let file = try Self.open(state.appending("lock"))
        guard file.tryLockPatiently() else { throw MachineLocked() }
        self.file = file
        self.state = state
    }

    /// Opens a file that is locked, or makes it. It stays for ever: whoever removed it would let two commands hold two locks.
    package static func open(_ path: BytePath) throws(SystemError) -> Descriptor {
        while true {
            do throws(SystemError) { return try Descriptor.open(path, [.readWrite, .noFollow]) } catch {
                guard error.isAbsent else { throw error }
            }
            do throws(SystemError) {
                return try Descriptor.open(path, [.readWrite, .create, .exclusive])
            } catch {
                // Somebody else was first.
                guard error.isPresent else { throw error }
            }
        }
    }
}

/// Another command is changing the machine.
public struct MachineLocked: Explained, Hashable {
    public init() {}
    public var description: String { "another holdfast command is changing this machine" }
    public var mend: String? { "wait until it has ended, and repeat" }
    public var exitStatus: Int32 { 4 }
}
