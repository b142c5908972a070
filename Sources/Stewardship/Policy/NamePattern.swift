// Patterns of names: which series a table of the policy is for, which mounts need no image.

/// A name in which `*` stands for any part of a name without a slash, and `?` for one byte of that. Nothing is looked up, and no pattern takes longer
/// than its length times the name's.
public struct NamePattern: Sendable, Hashable, CustomStringConvertible {
    public let text: String

    public init(_ text: String) { self.text = text }

    public var description: String { text }

    /// Whether it means one name alone.
    public var isName: Bool { !text.utf8.contains { $0 == star || $0 == question } }

    public func matches(_ name: String) -> Bool {
        let pattern = Array(text.utf8), name = Array(name.utf8)
        var (at, read) = (0, 0)
        // Where the last star stood, and how much of the name it stands for.
        var back: (at: Int, read: Int)?
        while read < name.count {
            if at < pattern.count, pattern[at] == star {
                at += 1
                back = (at, read)
            } else if at < pattern.count, pattern[at] == name[read] || pattern[at] == question && name[read] != slash {
                at += 1
                read += 1
            } else if let last = back, name[last.read] != slash {
                read = last.read + 1
                at = last.at
                back = (at, read)
            } else {
                return false
            }
        }
        return pattern[at...].allSatisfy { $0 == star }
    }
}

private let star = UInt8(ascii: "*"), question = UInt8(ascii: "?"), slash = UInt8(ascii: "/")
