// What the configuration says of the drills of a job.

internal import Cryptography
internal import Glibc
public import Machine
public import Platform

public struct DrillSettings: Sendable, Hashable {
    public var kind = DrillReport.Kind.sample
    public var files = DrillRequest.standardFiles
    /// Seconds to the next one.
    public var every: Int64?
    public var recoveryTime: Int64?
    public var recoveryPoint: Int64?
    /// The store that is restored from, by its name; nil: the first one of the job.
    public var store: String?
    /// The folder below which what is restored is put.
    public var scratch: BytePath?
    /// What a machine that was started is asked.
    public var health: String?
    /// What opens the images where nobody is there to give a key.
    public var key: Key?
    /// Whether that may be on the machine that was backed up.
    public var isAllowedHere = false

    public enum Key: Sendable, Hashable {
        /// A file of keys that is its owner's alone.
        case file(BytePath)
        /// The name of a credential that systemd hands over.
        case credential(String)
    }

    public init() {}
}

extension DrillSettings.Key {
    /// Where a report says that the key came from.
    public var words: String {
        switch self {
        case .file(let path): "the file \(path), which the job names"
        case .credential(let name): "the systemd credential \(name)"
        }
    }

    /// The bytes of its file, which its caller erases.
    /// - Throws: `DrillError.badKey` where others could have read it, and where it is not there.
    public func read(job: String) throws -> [UInt8] {
        func bad(_ reason: String) -> DrillError { .badKey(job: job, reason: reason) }
        let path: BytePath
        switch self {
        case .file(let file): path = file
        case .credential(let name):
            guard let folder = HostFacts.environment("CREDENTIALS_DIRECTORY"), folder.isAbsolute else {
                throw bad("there is no credential \(name), since systemd has handed over none (LoadCredential=)")
            }
            path = folder.appending(name)
        }
        do throws(SystemError) {
            let file = try Descriptor.open(path, [.noFollow, .nonBlocking])
            let status = try file.status()
            guard status.kind == .file else { throw SystemError(EINVAL, "read", "\(path)", detail: "it is no file") }
            guard status.mode & 0o077 == 0 else {
                throw SystemError(EPERM, "read", "\(path)", detail: "others than its owner can read or write it")
            }
            guard status.user == geteuid() || status.user == 0 else {
                throw SystemError(EPERM, "read", "\(path)", detail: "it is somebody else's")
            }
            return try readWhole(file, limit: 1 << 20, named: "\(path)")
        } catch { throw bad("\(path): \(error.reason)") }
    }
}

extension Places {
    /// Where reports of drills go that are given no other place. As the jobs, they are with the keys before set-up.
    public var drills: BytePath { jobs.parent.appending("drills") }

    /// A new place for one among them.
    public func newDrillReport() throws -> BytePath {
        try makeFolders(drills, mode: 0o755)
        let time = Timestamp.now().text.filter(\.isNumber)
        return drills.appending("drill-\(time)-\(hexadecimal(try SecureRandom.bytes(4))).json")
    }

    /// Whose key signs them.
    public var drillState: BytePath { jobs.parent }
}
