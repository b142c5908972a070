// What a disk says of itself before anything of it is kept. A command of its own looks at it: whatever a disk holds that others wrote, the menu
// goes on.

internal import FoundationEssentials
internal import Platform
internal import Reporting

struct MenuDiskFacts {
    var host: String?
    /// The disk, and what is on it, a line each.
    var lines: [String]
    /// Bytes that are read of it.
    var used: UInt64
    var smallestTarget: UInt64
    /// When something of it was changed last, as it is shown; nil: that is not known.
    var newest: String?

    /// What `backup --dry-run --json` says.
    private struct Answer: Decodable {
        struct Disk: Decodable {
            var disk: String
            var bytes: UInt64
            var serial: String?
            var host: String?
            var smallestTarget: UInt64
            var newestChange: Int64?
            var volumes: [Volume]
        }

        struct Volume: Decodable {
            var name: String
            var bytes: UInt64
            var used: UInt64
            var content: String?
        }

        struct Failure: Decodable {
            var message: String
            var hint: String?
            var status: Int32
        }

        var disks: [Disk]?
        var error: Failure?
    }

    /// - Parameter given: the menu's own options for each command.
    init(_ path: BytePath, given: [ProgramWord], _ session: Session) throws {
        let words: [ProgramWord] = [
            ProgramWord(try ProgramFiles.executable), "backup", "--dry-run", "--newest-change", "--json", "--disk",
            ProgramWord(path),
        ]
        let result = try runProgram(
            words + given,
            variables: [
                "HOME", "HOLDFAST_STATE", "HOLDFAST_CONFIG", "XDG_STATE_HOME", "XDG_CONFIG_HOME", "XDG_CACHE_HOME",
            ],
            limit: 3600, outputLimit: 1 << 24, stop: session.progress.stop)
        let answer: Answer
        do { answer = try JSONDecoder().decode(Answer.self, from: Data(result.output)) } catch {
            throw Problem("\(path) could not be looked at: \(result.complaint)", status: 1)
        }
        if let failure = answer.error {
            throw Problem(failure.message, hint: failure.hint, status: failure.status)
        }
        guard let disk = answer.disks?.first else { throw Problem("\(path) says nothing of itself", status: 1) }
        host = disk.host
        let serial = disk.serial.map { ", serial number \($0)" } ?? ""
        lines =
            ["\(disk.disk)\(serial), \(Text.size(disk.bytes))"]
            + disk.volumes.map { volume in
                "\(volume.name): \(volume.content ?? "unknown"), \(Text.size(volume.used)) in use of \(Text.size(volume.bytes))"
            }
        used = disk.volumes.reduce(into: UInt64(0)) { $0.add(saturating: $1.used) }
        smallestTarget = disk.smallestTarget
        newest = disk.newestChange.map { Text.localMinute(Timestamp(seconds: $0, nanoseconds: 0)) }
    }
}
