// What a drill is asked for, and why one is not begun.

public import Images
public import Platform
public import Reporting

public struct DrillRequest: Sendable {
    public var kind = DrillReport.Kind.sample
    /// How many files chance chooses.
    public var files = DrillRequest.standardFiles
    /// The folder in which a new one is made for what is restored; nil: `/var/tmp`.
    public var scratch: BytePath?
    /// The number of an earlier drill, whose choice is made again.
    public var repeated: String?
    /// Seconds within which the whole is to be there again.
    public var recoveryTime: Int64?
    /// Seconds that an image may be old.
    public var recoveryPoint: Int64?
    /// Seconds to the next drill.
    public var every: Int64?
    public var job: String?
    /// What looks at what was restored.
    public var scan: RestoreScan?
    /// What a machine that was started is asked; nil: whether systemd has come to its end.
    public var health: String?
    /// Seconds within which it has to answer; nil: ten minutes.
    public var within: Int64?
    public var identity = DrillReport.Identity()
    /// Whether the key came from the configuration, with nobody there who has it.
    public var isUnattended = false
    /// Whether that may be on the machine that was backed up.
    public var isAllowedHere = false

    public static let standardFiles = 50

    public init() {}
}

/// An image that is to be restored, with where it is.
public struct DrillSource {
    public var store: Store
    /// Its place, without what is secret of it.
    public var place: String
    public var reader: any ImageReader
    /// What was found when they were opened, as images that are gone.
    public var findings: [String]

    public init(store: Store, place: String, reader: any ImageReader, findings: [String] = []) {
        self.store = store
        self.place = place
        self.reader = reader
        self.findings = findings
    }
}

public enum DrillError: Explained, Hashable {
    /// Its volumes are streams, which no manifest compares file by file.
    case ofDisk(image: String)
    /// The key that nobody has typed would lie on the machine whose images it opens.
    case keyOnMachine(host: String)
    case noImageOfJob(job: String, store: String)
    /// Nothing of it could be started here.
    case cannotStart(reason: String)
    /// What the job names for a drill to open images with cannot be taken.
    case badKey(job: String, reason: String)

    public var description: String {
        switch self {
        case .ofDisk(let image): "\(image) is the image of a disk, and a drill compares trees"
        case .keyOnMachine(let host):
            "the image is of \(host), which is this machine, and a key that opens it is not to lie here"
        case .noImageOfJob(let job, let store): "\(store) has no image of the job \(job), as far as is known here"
        case .cannotStart(let reason): "nothing can be started in a virtual machine: \(reason)"
        case .badKey(let job, let reason): "the key for drills of the job \(job) is not taken: \(reason)"
        }
    }

    public var mend: String? {
        switch self {
        case .ofDisk:
            "write it to a file with `holdfast restore --disk ./NAME`, which reads it back, and put that on record with `holdfast drill record`"
        case .keyOnMachine:
            "have another machine do the drill, give a key by hand with `--identity FILE`, or set here = true in the drill of the job"
        case .noImageOfJob: "`holdfast schedule run` makes one when it is due; `--series NAME` names another series"
        case .cannotStart:
            "as root, `apt-get install qemu-system-x86 e2fsprogs`, with an image of / and what is in /boot; `--kind full` needs none of it"
        case .badKey:
            "a file of keys has to be its owner's alone (`chmod 600`), and no link; the timer gets a credential by LoadCredential= in `systemctl edit holdfast-schedule.service`"
        }
    }

    public var exitStatus: Int32 {
        switch self {
        case .ofDisk, .keyOnMachine, .badKey: 4
        case .noImageOfJob, .cannotStart: 1
        }
    }
}
