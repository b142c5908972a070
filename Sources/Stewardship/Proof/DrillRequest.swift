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
    /// All of a disk was taken by its blocks: there are no files to choose from.
    case noFiles(image: String)
    /// What is on a disk is mounted to be looked at.
    case noRight
    /// The key that nobody has typed would lie on the machine whose images it opens.
    case keyOnMachine(host: String)
    case noImageOfJob(job: String, store: String)
    /// Nothing of it could be started here.
    case cannotStart(reason: String)
    /// It was started, and nobody can tell what came of it.
    case cannotAsk(reason: String)
    /// What the job names for a drill to open images with cannot be taken.
    case badKey(job: String, reason: String)

    public var description: String {
        switch self {
        case .noFiles(let image):
            "\(image) is the image of a disk that was taken by its blocks, and a sample is one of files"
        case .noRight: "the image is of a disk, and only root mounts what is on it"
        case .keyOnMachine(let host):
            "the image is of \(host), which is this machine, and a key that opens it is not to lie here"
        case .noImageOfJob(let job, let store): "\(store) has no image of the job \(job), as far as is known here"
        case .cannotStart(let reason): "nothing can be started in a virtual machine: \(reason)"
        case .cannotAsk(let reason): "nobody can tell what came of the start: \(reason)"
        case .badKey(let job, let reason): "the key for drills of the job \(job) is not taken: \(reason)"
        }
    }

    public var mend: String? {
        switch self {
        case .noFiles: "`--kind full` restores all of it, `--kind boot` starts it, too"
        case .noRight: "run it as root"
        case .keyOnMachine:
            "have another machine do the drill, give a key by hand with `--identity FILE`, or set here = true in the drill of the job"
        case .noImageOfJob: "`holdfast schedule run` makes one when it is due; `--series NAME` names another series"
        case .cannotStart:
            "as root, `apt-get install qemu-system-x86 e2fsprogs ovmf`, with an image of / and what is in /boot, or of a disk; `--kind full` needs none of it"
        case .cannotAsk:
            "`--kind full` proves the rest; a system that has its console on the serial line (console=ttyS0) shows there that it came up"
        case .badKey:
            "a file of keys has to be its owner's alone (`chmod 600`), and no link; the timer gets a credential by LoadCredential= in `systemctl edit holdfast-schedule.service`"
        }
    }

    public var exitStatus: Int32 {
        switch self {
        case .noFiles, .noRight, .keyOnMachine, .badKey: 4
        case .noImageOfJob, .cannotStart, .cannotAsk: 1
        }
    }
}
