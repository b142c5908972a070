// Names that decide something: of series, hosts, writers, images. To `String` two spellings of one character are equal, so that two series of
// a store would fall into one; on the medium they are two, and to every other reader.

/// A text that is compared byte by byte.
public struct ExactText: Hashable, Comparable, Sendable {
    public let text: String

    public init(_ text: String) { self.text = text }

    public static func == (left: Self, right: Self) -> Bool { left.text.utf8.elementsEqual(right.text.utf8) }

    public static func < (left: Self, right: Self) -> Bool { left.text.utf8.lexicographicallyPrecedes(right.text.utf8) }

    public func hash(into hasher: inout Hasher) {
        for byte in text.utf8 { hasher.combine(byte) }
        hasher.combine(UInt8(0xff))
    }

    func hasPrefix(_ prefix: String) -> Bool { text.utf8.starts(with: prefix.utf8) }
}

/// Values by texts, each spelling of its own.
struct ExactTable<Value> {
    private(set) var values: [ExactText: Value] = [:]

    subscript(_ text: String) -> Value? {
        get { values[ExactText(text)] }
        set { values[ExactText(text)] = newValue }
    }

    subscript(_ text: String, default value: @autoclosure () -> Value) -> Value {
        get { values[ExactText(text)] ?? value() }
        set { values[ExactText(text)] = newValue }
    }

    mutating func change(_ body: (inout Value) -> Void) {
        values = values.mapValues { value in
            var value = value
            body(&value)
            return value
        }
    }

    /// In the order of the texts' bytes.
    var sorted: [(text: String, value: Value)] {
        values.sorted { $0.key < $1.key }.map { ($0.key.text, $0.value) }
    }

    mutating func remove(where isUnwanted: (Value) -> Bool) { values = values.filter { !isUnwanted($0.value) } }
}

extension ExactTable: Sendable where Value: Sendable {}
extension ExactTable: Equatable where Value: Equatable {}
