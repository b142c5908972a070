// An age identity as a person copies it from paper: in small letters, with blanks between groups, with a letter that is wrong. Case and
// blanks carry nothing; what is wrong is named by its place, and never guessed at.

/// A line that should be an identity.
struct TypedIdentity {
    private static let prefix = [UInt8]("AGE-SECRET-KEY-1".utf8)
    private static let length = 74
    private static let alphabet = [UInt8]("QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L".utf8)

    /// In capitals, without blanks.
    let text: Secret

    init(_ line: Slice<UnsafeRawBufferPointer>) {
        let blanks: [UInt8] = [0x20, 0x09, 0x0d]
        let count = line.count { !blanks.contains($0) }
        text = Secret(count: count) { output in
            var position = 0
            for character in line where !blanks.contains(character) {
                let isSmall = (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(character)
                output[position] = isSmall ? character & ~0x20 : character
                position += 1
            }
        }
    }

    /// What is wrong with it, as it stands after `line 3 of the identity file`.
    var problem: String {
        text.withUnsafeBytes { text in
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
