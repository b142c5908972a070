// One process at a time runs jobs. It is another lock than that of what changes the machine: a backup of an hour keeps nobody from a restore point.

internal import Glibc
public import Machine
internal import Platform

/// Held for as long as it lives, and let go with the process, however that ends.
public struct ScheduleLock: ~Copyable {
    private let file: Descriptor

    /// - Returns: nil where a run is going on already.
    /// - Throws: where that cannot be told.
    public init?(_ places: Places) throws {
        try makeFolders(places.jobs, mode: 0o755)
        let file = try MachineLock.open(places.jobs.appending("lock"))
        // Whoever only looks has it for an instant.
        var tries = 0
        while !file.tryLock() {
            tries += 1
            if tries == 5 { return nil }
            usleep(50_000)
        }
        self.file = file
    }

    /// Whether a run is going on, as far as it can be told.
    public static func isHeld(_ places: Places) -> Bool {
        guard let file = try? Descriptor.open(places.jobs.appending("lock"), [.noFollow, .nonBlocking]) else {
            return false
        }
        return !file.tryLock()
    }
}
