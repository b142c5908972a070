// A restore point: a state of a tree that has a name.

internal import Platform

/// A named state of the protected tree.
public struct RestorePoint: Codable, Hashable, Sendable, Identifiable {
    public enum Origin: String, Codable, Sendable {
        /// Somebody asked for it.
        case requested
        /// The state that a rollback left.
        case beforeRollback = "before-rollback"
    }

    /// 16 hexadecimal digits; it stays when the point is renamed or the clock is set.
    public var id: String
    public var name: String
    /// Seconds since 1970, UTC.
    public var time: Int64
    public var user: String
    public var host: String
    public var message: String
    public var tags: [String: String]
    public var origin: Origin
    public var isFactory: Bool
    public var isPinned: Bool
    /// What the backend finds it by.
    public var handle: String
    /// The kernel that ran when it was made, as `uname -r` says it.
    public var kernel: String
    /// Why a trial of it did not hold; nil where none has failed.
    public internal(set) var failedTrial: String?
    /// What /boot and the EFI system partition held, where they are file systems of their own.
    var boot: [KeptBoot]?
}

extension RestorePoint {
    /// A name as the ids of points and of set-ups are: 16 hexadecimal digits; nil where it is none.
    static func identifier(_ name: [UInt8]) -> String? {
        let text = String(decoding: name, as: UTF8.self)
        return name.count == 16 && decodeHexadecimal(text) != nil ? text : nil
    }

    /// Why a text cannot be a point's name; nil where it can. 1–64 ASCII letters, digits, `.`, `_`, `:`, `-`, beginning with a
    /// letter or digit, not all digits: those are the numbers of the menu.
    public static func problem(withName name: String) -> String? {
        let bytes = Array(name.utf8)
        func isAlphanumeric(_ byte: UInt8) -> Bool {
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"):
                true
            default: false
            }
        }
        guard let first = bytes.first else { return "it is empty" }
        if bytes.count > 64 { return "it is longer than 64 characters" }
        if !isAlphanumeric(first) { return "it does not begin with a letter or a digit" }
        let others = Array("._:-".utf8)
        if !bytes.allSatisfy({ isAlphanumeric($0) || others.contains($0) }) {
            return "it has other characters than letters, digits and . _ : -"
        }
        if bytes.allSatisfy({ (0x30...0x39).contains($0) }) {
            return "it is a number, which the menu would take for a line"
        }
        return nil
    }
}

/// What somebody says of a point that is to be made.
public struct PointRequest: Sendable {
    /// nil: the time, as `2026-11-20T08:56:14Z`.
    public var name: String?
    public var message = ""
    public var tags: [String: String] = [:]
    public var isFactory = false

    public init(name: String? = nil) { self.name = name }
}
