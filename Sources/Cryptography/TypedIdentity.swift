// An age identity as a person copies it from paper: in small letters, with blanks between groups, with a letter that is wrong. Case and
// blanks carry nothing; what is wrong is named by its place, and never guessed at.

/// A line that should be an identity.
struct TypedIdentity {
    private static let prefix = [UInt8]("AGE-SECRET-KEY-1".utf8)
    private static let length = 74
    private static let alphabet = [UInt8]("QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L".utf8)

    /// In capitals, without blanks and checks.
    let text: Secret
    /// The checks of its groups as they were typed, each with the place behind its group.
    private let checks: [(end: Int, check: [UInt8])]

    init(_ line: Slice<UnsafeRawBufferPointer>) {
        let blanks: [UInt8] = [0x20, 0x09, 0x0d]
        var checks: [(end: Int, check: [UInt8])] = []
        func walk(_ body: (_ position: Int, _ character: UInt8) -> Void) {
            var (position, left) = (0, 0)
            for character in line where !blanks.contains(character) {
                let isSmall = (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(character)
                let capital = isSmall ? character & ~0x20 : character
                if capital == UInt8(ascii: "/") {
                    left = PaperGroups.checkLength
                    checks.append((position, []))
                } else if left > 0 {
                    left -= 1
                    checks[checks.count - 1].check.append(capital)
                } else {
                    body(position, capital)
                    position += 1
                }
            }
        }
        var count = 0
        walk { position, _ in count = position + 1 }
        checks = []
        text = Secret(count: count) { output in walk { output[$0] = $1 } }
        self.checks = checks
    }

    /// The first group whose check does not fit, as it stands after `line 3 of the identity file`; nil where none does not, or none was typed.
    var wrongGroup: String? {
        text.withUnsafeBytes { text in
            var start = 0
            for (number, (end, check)) in checks.enumerated() {
                if PaperGroups.checkBytes(text[start..<end], at: start) != check {
                    return
                        "does not fit its check in group \(number + 1), the places \(start + 1) to \(end): it is mistyped there"
                }
                start = end
            }
            return nil
        }
    }

    /// What is wrong with it, as it stands after `line 3 of the identity file`.
    var problem: String {
        if let wrongGroup { return wrongGroup }
        return text.withUnsafeBytes { text in
            guard text.count >= Self.prefix.count, text.prefix(Self.prefix.count).elementsEqual(Self.prefix) else {
                return "is no age identity: one begins with AGE-SECRET-KEY-1"
            }
            for (index, character) in text.enumerated() where index >= Self.prefix.count {
                if !Self.alphabet.contains(character) {
                    return
                        "has a character that no age key has, at place \(index + 1): after the prefix there is no 1, B, I and O"
                }
            }
            if text.count != Self.length {
                return "has \(text.count) characters, and an age key has \(Self.length)"
            }
            let places = wrongPlaces(text)
            switch places.count {
            case 1:
                return
                    "begins like an age key, but its checksum is wrong: the character at place \(places[0]) is mistyped"
            default: return "begins like an age key, but its checksum is wrong: some characters are mistyped"
            }
        }
    }

    /// The places, from 1 on, at which one other character would make the checksum right. Ten bits more than any one change can hide say
    /// that it is the only one.
    private func wrongPlaces(_ text: UnsafeRawBufferPointer) -> [Int] {
        let copy = Secret(copying: text)
        var places: [Int] = []
        copy.withMutableBytes { copy in
            for index in Self.prefix.count..<text.count {
                let own = copy[index]
                for character in Self.alphabet where character != own {
                    copy[index] = character
                    if (try? Bech32.decode(UnsafeRawBufferPointer(copy))) != nil { places.append(index + 1) }
                }
                copy[index] = own
            }
        }
        return places
    }
}
