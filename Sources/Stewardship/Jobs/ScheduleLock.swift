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
        let path = places.jobs.appending("lock")
        do throws(SystemError) {
            return try !Descriptor.open(path, [.noFollow, .nonBlocking]).tryLock()
        } catch {
            // It is root's, so that nobody else keeps jobs from running; a monitor asks the kernel.
            return error.isPermission && isListed(path)
        }
    }

    /// Whether the kernel lists a lock of that kind on a file, which anybody may ask. Of the device some file systems say something else there.
    private static func isListed(_ path: BytePath) -> Bool {
        guard let inode = try? Descriptor.open(path, .place).status().inode,
            let list = try? readWhole("/proc/locks", limit: 1 << 22)
        else { return false }
        let end = ":\(inode)"
        // 3: FLOCK  ADVISORY  WRITE 11 fe:00:7219348 0 EOF
        return String(decoding: list, as: UTF8.self).split(separator: "\n").contains { line in
            let words = line.split(separator: " ")
            return words.count > 5 && words[1] == "FLOCK" && words[5].hasSuffix(end)
        }
    }
}
