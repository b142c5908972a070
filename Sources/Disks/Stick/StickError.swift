// What keeps a stick from being made or used, each in a sentence with its mend.

public import Platform
public import Reporting

public enum StickError: Explained, Hashable {
    case tooSmall(BytePath, size: UInt64, needed: UInt64)
    case sectors(BytePath, Int)
    case noStick(BytePath, reason: String)
    case bootTooLarge(needed: UInt64, room: UInt64)
    case program(String, status: Int32, complaint: String)
    case different(BytePath, first: UInt64)

    public var description: String {
        switch self {
        case .tooSmall(let path, let size, let needed):
            "\(path) is too small for a stick: it has \(size) bytes, and \(needed) are the least"
        case .sectors(let path, let size): "\(path) has sectors of \(size) bytes, and firmware starts from those of 512"
        case .noStick(let path, let reason): "\(path) is no stick of Holdfast's: \(reason)"
        case .bootTooLarge(let needed, let room):
            "what the stick starts with needs \(needed) bytes, and its partition has \(room)"
        case .program(let name, let status, let complaint): "\(name) ended with \(status): \(complaint)"
        case .different(let path, let first):
            "\(path) does not give back what was written to it, from byte \(first) on"
        }
    }

    public var mend: String? {
        switch self {
        case .tooSmall: "take a stick of 2 GB or more; of a file, --store-size is 70M or more"
        case .sectors: "take another stick"
        case .noStick: "`holdfast stick create DEVICE` makes one, and all that is on the device will be gone"
        case .bootTooLarge, .program: nil
        case .different: "the medium is broken; take another one"
        }
    }

    public var exitStatus: Int32 {
        switch self {
        case .tooSmall, .sectors, .noStick: 4
        case .bootTooLarge, .program, .different: 1
        }
    }
}
