// What an argument can be: a path, a name, a pattern, a size, a recipient. Each refuses what it cannot be.

internal import ArgumentParser
internal import Cryptography
internal import Images
internal import Platform
internal import Stores

/// An argument that is one of some words (`allValueStrings`).
protocol WordArgument: ExpressibleByArgument {}

extension WordArgument {
    static var defaultCompletionKind: CompletionKind { .list(allValueStrings) }
}

/// A path, byte for byte as it was typed.
struct PathArgument: ExpressibleByArgument {
    static var defaultCompletionKind: CompletionKind { .file() }

    let path: BytePath

    init?(argument: String) {
        if argument.isEmpty { return nil }
        path = BytePath(ArgumentText.bytes(of: argument))
    }

    /// Standard input or output.
    var isStandard: Bool { path == "-" }

    /// Absolute, so that it says the same wherever it is read.
    var absolute: BytePath {
        get throws {
            if path.isAbsolute { return path.normalized(relativeTo: "/") }
            do throws(SystemError) {
                return path.normalized(relativeTo: try HostFacts.workingFolder)
            } catch {
                throw Problem.usage(
                    "\(path) leads nowhere: the folder that you are in cannot be told (\(error.reason))",
                    hint: "change to a folder that exists, or give the whole path")
            }
        }
    }
}

/// A name that is kept as text: an image's, a group's.
struct NameArgument: ExpressibleByArgument {
    let text: String

    init?(argument: String) {
        guard !argument.isEmpty, ArgumentText.isText(argument) else { return nil }
        text = argument
    }
}

/// What series begin with. It ends with a slash: `v1` alone would begin `v10/plc`, too.
struct SeriesPrefixArgument: ExpressibleByArgument {
    let text: String

    init?(argument: String) {
        guard let name = NameArgument(argument: argument)?.text else { return nil }
        text = name.hasSuffix("/") ? name : name + "/"
    }
}

/// A shell pattern of paths.
struct PatternArgument: ExpressibleByArgument {
    let bytes: [UInt8]

    init?(argument: String) {
        if argument.allSatisfy({ $0 == "/" }) { return nil }
        bytes = ArgumentText.bytes(of: argument)
    }

    var pattern: PathPattern { PathPattern(bytes) }
}

/// A number of bytes: `4000000000`, `4G` (powers of 1000), `4GiB` (powers of 1024).
struct SizeArgument: ExpressibleByArgument {
    let bytes: UInt64

    init?(argument: String) {
        let digits = argument.prefix { $0.isASCII && $0.isNumber }
        guard var value = UInt64(digits), value > 0 else { return nil }
        var unit = argument.dropFirst(digits.count).uppercased()
        let base: UInt64 = unit.hasSuffix("IB") ? 1024 : 1000
        if unit.hasSuffix("IB") { unit.removeLast(2) } else if unit.hasSuffix("B") { unit.removeLast() }
        guard let power = ["", "K", "M", "G", "T"].firstIndex(of: unit), power > 0 || base == 1000 else { return nil }
        for _ in 0..<power {
            let (product, isTooLarge) = value.multipliedReportingOverflow(by: base)
            if isTooLarge { return nil }
            value = product
        }
        bytes = value
    }
}

/// A span of time: `15m`, `4h`, `1d`, `2w`, `1y` (365 days).
struct SpanArgument: ExpressibleByArgument {
    let seconds: Int64

    init?(argument: String) {
        let units: [Character: Int64] = ["m": 60, "h": 3600, "d": 86_400, "w": 604_800, "y": 31_536_000]
        let digits = argument.dropLast()
        guard let unit = argument.last.flatMap({ units[$0] }), digits.allSatisfy({ $0.isASCII && $0.isNumber }),
            let count = Int64(digits), count > 0, count <= 3_153_600_000 / unit
        else { return nil }
        seconds = count * unit
    }
}

/// A public key, `age1…`.
struct RecipientArgument {
    let recipient: AgeRecipient

    /// - Throws: why it is none, for people.
    init(_ text: String) throws {
        do { recipient = try AgeRecipient(text) } catch {
            if text.contains(",") { throw ValidationError("Give each recipient with an option of its own.") }
            if text.hasPrefix("ssh-") { throw ValidationError("An ssh key is none; recipients are age keys, age1….") }
            if text.hasPrefix("age1"), text.count != 62 {
                throw ValidationError("An age key has 62 characters, and this has \(text.count).")
            }
            throw ValidationError(text.hasPrefix("age1") ? "A character is mistyped." : "A recipient begins with age1.")
        }
    }
}

/// A store as it was typed; the configuration says what a name means.
struct StoreArgument: ExpressibleByArgument, CustomStringConvertible {
    static var defaultCompletionKind: CompletionKind { .stores }

    let bytes: [UInt8]
    /// What the store held then is read, in seconds since 1970; nil: what it holds.
    var moment: Int64?
    /// Bytes a second at most.
    var rate: UInt64?

    init?(argument: String) {
        if argument.isEmpty { return nil }
        bytes = ArgumentText.bytes(of: argument)
    }

    /// As it is shown, in a command to be typed, say.
    var description: String {
        StoreLocation.scheme(of: bytes) == nil ? printable(bytes) : shellWord(printable(bytes))
    }
}

/// A store's fingerprint, in any grouping.
struct FingerprintArgument: ExpressibleByArgument {
    let fingerprint: StoreFingerprint

    init?(argument: String) {
        guard let fingerprint = StoreFingerprint(argument) else { return nil }
        self.fingerprint = fingerprint
    }
}

/// An instant in UTC, as Holdfast writes it; a date alone is its beginning.
struct TimeArgument: ExpressibleByArgument {
    /// Since 1970.
    let seconds: Int64

    init?(argument: String) {
        let text = argument.count == 10 ? argument + "T00:00:00Z" : argument
        guard let time = Timestamp(text: text) else { return nil }
        seconds = time.seconds
    }
}
