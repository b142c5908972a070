// Reading of the text form of age files: strict PEM (RFC 7468, section 3, "strict", with age's own label).

/// ASCII armor.
enum AgeArmor {
    private static let begin = [UInt8]("-----BEGIN AGE ENCRYPTED FILE-----".utf8)
    private static let end = [UInt8]("-----END AGE ENCRYPTED FILE-----".utf8)
    private static let columns = 64

    /// Whether `file` is meant to be armored: whether its first line that is not blank begins as armor does.
    static func isArmored(_ file: UnsafeRawBufferPointer) -> Bool {
        file.drop(while: isBlank).starts(with: Array("-----BEGIN".utf8))
    }

    /// The binary file within the armor; throws `malformed`.
    ///
    /// Blanks before and after are allowed, and either kind of line end; lines have 64 characters, only the last fewer.
    static func decode(_ file: UnsafeRawBufferPointer) throws(CryptographyError) -> [UInt8] {
        var text = file.drop(while: isBlank)
        // The last line end may be missing; other blanks after the end mark are cut as well.
        while let last = text.last, isBlank(last) { text.removeLast() }
        var lines = text.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)[...]
        for index in lines.indices where lines[index].last == UInt8(ascii: "\r") { lines[index].removeLast() }
        guard lines.count >= 2, lines.removeFirst().elementsEqual(begin), lines.removeLast().elementsEqual(end)
        else { throw .malformed("the first or last line of an armored age file") }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(text.count / 4 * 3)
        for (index, line) in zip(lines.indices, lines) {
            let fits = index == lines.endIndex - 1 ? (1...columns).contains(line.count) : line.count == columns
            let before = bytes.count
            guard fits, Base64.decode(line, padded: true, to: &bytes),
                index == lines.endIndex - 1 || bytes.count - before == columns / 4 * 3
            else { throw .malformed("a line of an armored age file") }
        }
        return bytes
    }

    private static func isBlank(_ character: UInt8) -> Bool {
        character == UInt8(ascii: " ") || (9...13).contains(character)
    }
}
