// Which processors work that nobody waits for may use, and the classes in which it runs: a task of the plant comes first.

internal import CLinux

/// Numbers of processors.
public struct ProcessorSet: Hashable, Sendable {
    public private(set) var numbers: Set<Int>

    /// `0-3,5,7`, as the kernel and systemd have it; nothing at all is an empty set.
    public init?(_ text: some StringProtocol) {
        numbers = []
        let text = String(text).filter { $0 != " " }
        if text.isEmpty { return }
        for part in text.split(separator: ",", omittingEmptySubsequences: false) {
            let ends = part.split(separator: "-", omittingEmptySubsequences: false).map { UInt16($0) }
            guard (1...2).contains(ends.count), let first = ends[0], let last = ends[ends.count - 1], first <= last,
                last < Self.most
            else { return nil }
            numbers.formUnion(Int(first)...Int(last))
        }
    }

    private static let most: UInt16 = 8192

    /// `0-3,5`, the text of which it is made.
    public var text: String {
        var ranges: [(Int, Int)] = []
        for number in numbers.sorted() {
            if let last = ranges.last, last.1 + 1 == number {
                ranges[ranges.count - 1].1 = number
            } else {
                ranges.append((number, number))
            }
        }
        return ranges.map { $0.0 == $0.1 ? "\($0.0)" : "\($0.0)-\($0.1)" }.joined(separator: ",")
    }

    public var isEmpty: Bool { numbers.isEmpty }

    /// Those that are there.
    public static var online: ProcessorSet? { kernel("online") }

    /// Those that the kernel was not told to keep for tasks of the plant (`isolcpus`, `nohz_full`); all where there would be none.
    /// - Returns: nil where the kernel does not say.
    public static var housekeeping: ProcessorSet? {
        guard var result = online else { return nil }
        for name in ["isolated", "nohz_full"] {
            // A kernel that knows nothing of it has no such file, or says "(null)".
            if let kept = kernel(name) { result.numbers.subtract(kept.numbers) }
        }
        return result.isEmpty ? online : result
    }

    private static func kernel(_ name: String) -> ProcessorSet? {
        guard let bytes = try? readWhole(BytePath("/sys/devices/system/cpu/\(name)"), limit: 1 << 14) else {
            return nil
        }
        return ProcessorSet(String(decoding: bytes.prefix { $0 != UInt8(ascii: "\n") }, as: UTF8.self))
    }
}

/// Lets everything else on the machine come first, from now on: this thread, and those that it makes.
/// - Parameter processors: nil: wherever it may run already.
/// - Returns: what was not to be had, in sentences.
public func giveWay(on processors: ProcessorSet?) -> [String] {
    var missed: [String] = []
    if clinux_take_idle_classes() > 0 {
        missed.append("the idle classes of processor and disk were not to be had; it runs as everything else does")
    }
    if let processors, !processors.isEmpty {
        let numbers = processors.numbers.sorted().map { CInt($0) }
        if clinux_stay_on(numbers, numbers.count) != 0 {
            missed.append("the processors \(processors.text) were not to be had; it runs wherever it may")
        }
    }
    return missed
}
