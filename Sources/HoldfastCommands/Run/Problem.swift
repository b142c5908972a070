// Why a command ends without its work done: one sentence, what mends it, and the exit status.

internal import Cryptography
internal import Images
internal import Platform
internal import RestorePoints
internal import Sanitization
internal import WriteFilter

/// The face's own errors, and what it makes of those from below.
struct Problem: Error, Equatable {
    var message: String
    var hint: String?
    var status: Int32

    init(_ message: String, hint: String? = nil, status: Int32) {
        self.message = message
        self.hint = hint
        self.status = status
    }

    /// A command line or a configuration that makes no sense.
    static func usage(_ message: String, hint: String? = nil) -> Problem {
        Problem(message, hint: hint, status: 2)
    }

    /// A safety rule, or a confirmation that did not come.
    static func refused(_ message: String, hint: String? = nil) -> Problem {
        Problem(message, hint: hint, status: 4)
    }

    init(_ error: any Error) {
        switch error {
        case let problem as Problem: self = problem
        case let error as ImageError: self.init(error.description, hint: error.mend, status: error.exitStatus)
        case let error as PointError: self.init(error.description, hint: error.mend, status: error.exitStatus)
        case let error as FilterError: self.init(error.description, hint: error.mend, status: error.exitStatus)
        case let error as WipeError: self.init(error.description, hint: error.mend, status: error.exitStatus)
        case let error as CryptographyError: self.init(Self.clause(error.description), status: 1)
        default: self.init("\(error)", status: 1)
        }
    }

    /// A sentence without its capital and its full stop, as messages after `error:` are.
    static func clause(_ sentence: String) -> String {
        let text = sentence.hasSuffix(".") ? sentence.dropLast() : sentence[...]
        return text.prefix(1).lowercased() + text.dropFirst()
    }

    var document: JSON {
        .object([("message", .text(message)), ("hint", hint.map(JSON.text)), ("status", .number(UInt64(status)))])
    }
}
