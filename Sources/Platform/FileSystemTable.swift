// What is to be mounted where (fstab(5)).

/// The lines of /etc/fstab.
public enum FileSystemTable {
    private static let file: BytePath = "/etc/fstab"

    public struct Entry: Sendable, Hashable {
        public var device: String
        public var point: String
        public var options: [String]
    }

    /// What it names; nothing where it cannot be read.
    public static func read() -> [Entry] {
        lines().compactMap { line in
            let fields = line.split(whereSeparator: { $0 == " " || $0 == "\t" }).map(String.init)
            guard fields.count >= 4, !fields[0].hasPrefix("#") else { return nil }
            return Entry(
                device: fields[0], point: fields[1], options: fields[3].split(separator: ",").map(String.init))
        }
    }

    /// Adds a line, durably. A crash leaves the table as it was or with it.
    public static func append(_ line: String, remark: String) throws(SystemError) {
        var lines = lines()
        if lines.last?.isEmpty == true { lines.removeLast() }
        lines += ["# \(remark)", line, ""]
        try replaceFile(file, Array(lines.joined(separator: "\n").utf8), mode: 0o644)
    }

    private static func lines() -> [String] {
        guard let bytes = try? readWhole(file, limit: 1 << 20) else { return [] }
        return String(decoding: bytes, as: UTF8.self).split(separator: "\n", omittingEmptySubsequences: false)
            .map(String.init)
    }
}
