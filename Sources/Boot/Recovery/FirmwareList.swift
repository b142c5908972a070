// What a UEFI firmware starts, as efibootmgr tells it.

/// The entries of a firmware and their order.
struct FirmwareList: Sendable, Hashable {
    struct Entry: Sendable, Hashable {
        /// Four hexadecimal digits.
        var number: String
        var label: String
        /// Device and file, as the program writes them.
        var path: String
    }

    var order: [String] = []
    var entries: [Entry] = []

    /// Reads what `efibootmgr -v` prints; lines of anything else are passed over.
    init(_ text: String) {
        for line in text.split(separator: "\n") {
            if line.hasPrefix("BootOrder: ") {
                order = line.dropFirst(11).split(separator: ",").map(String.init).filter(Self.isNumber)
            } else if line.hasPrefix("Boot"), let entry = Self.entry(line.dropFirst(4)) {
                entries.append(entry)
            }
        }
    }

    private static func entry(_ line: Substring) -> Entry? {
        let number = String(line.prefix(4))
        let rest = line.dropFirst(4)
        guard isNumber(number), rest.first == "*" || rest.first == " " else { return nil }
        let words = rest.dropFirst(2).split(separator: "\t", maxSplits: 1, omittingEmptySubsequences: false)
        return Entry(
            number: number, label: words.first.map(String.init) ?? "", path: words.count > 1 ? String(words[1]) : "")
    }

    private static func isNumber(_ text: String) -> Bool {
        text.utf8.count == 4 && text.allSatisfy { $0.isASCII && $0.isHexDigit }
    }
}
