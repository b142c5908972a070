// One console at a time is at work: a rescue stick shows its menu on the screen and on the serial line, and both reach the same disks.

internal import Machine
internal import Platform

/// Held while something is done; the kernel lets go of it with the process, however that ends.
final class MenuLock {
    /// The other console has it.
    struct Taken: Error {
        /// What it does.
        var work: String
    }

    private let file: Descriptor

    init(_ work: String) throws {
        try makeFolders(Places.runtime, mode: 0o700)
        file = try MachineLock.open(Places.runtime.appending("menu.lock"))
        guard file.tryLock() else {
            var bytes = [UInt8](repeating: 0, count: 256)
            let count = try file.read(intoArray: &bytes)
            throw Taken(work: printable(bytes[..<count]))
        }
        try file.truncate(to: 0)
        try file.write(Array(work.utf8))
    }

    /// What is written there last is nobody's work any more.
    func release() { try? file.truncate(to: 0) }
}
