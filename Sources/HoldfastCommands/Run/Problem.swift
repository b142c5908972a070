// Why a command ends without its work done: one sentence, what mends it, and the exit status.

internal import Reporting

/// The face's own errors, and what it makes of those from below.
struct Problem: Explained, Equatable {
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
        let error = explained(error)
        self.init(error.sentence, hint: error.mend, status: error.exitStatus)
    }

    var description: String { message }
    var mend: String? { hint }
    var exitStatus: Int32 { status }

    var document: JSON {
        .object([("message", .text(message)), ("hint", hint.map(JSON.text)), ("status", .number(UInt64(status)))])
    }
}
