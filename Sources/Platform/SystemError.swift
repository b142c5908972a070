// The one place where errno becomes an error, and where EINTR is repeated.

internal import Glibc
public import Reporting

/// A system call that failed: which, on what, and with which errno.
public struct SystemError: Explained, Hashable {
    public let code: CInt
    /// What was being done, as a verb: "open", "write".
    public let operation: String
    /// What it was done to, made printable.
    public let subject: String
    /// Why, where more is known than errno says.
    private let detail: String?

    public init(_ code: CInt, _ operation: String, _ subject: String, detail: String? = nil) {
        self.code = code
        self.operation = operation
        self.subject = subject
        self.detail = detail
    }

    public var reason: String { detail ?? String(cString: strerror(code)) }
    public var description: String { "cannot \(operation) \(subject): \(reason)" }

    /// Whether the medium is full (ENOSPC, EDQUOT).
    public var isFull: Bool { code == ENOSPC || code == EDQUOT }

    /// Whether there is no such thing (ENOENT).
    public var isAbsent: Bool { code == ENOENT }

    /// Whether a folder on the way is a file, so that there can be no such thing (ENOTDIR).
    public var isBelowFile: Bool { code == ENOTDIR }

    /// Whether something of this name is there already (EEXIST).
    public var isPresent: Bool { code == EEXIST }

    /// Whether the medium or the server is gone: pulled, unmounted, not answering.
    public var isUnreachable: Bool {
        [ENODEV, ENXIO, ENOTCONN, ESTALE, ETIMEDOUT, EHOSTDOWN, EHOSTUNREACH, ESHUTDOWN, ENOMEDIUM].contains(code)
    }

    /// Whether the medium refused, which may concern this one place of it (EIO, ENODATA, EREMOTEIO, EILSEQ).
    public var isBadPlace: Bool { [EIO, ENODATA, EREMOTEIO, EILSEQ].contains(code) }

    /// Whether the caller lacks the right (EACCES, EPERM).
    public var isPermission: Bool { code == EACCES || code == EPERM }

    /// Whether the file system is read-only, for everybody (EROFS).
    public var isReadOnly: Bool { code == EROFS }

    public var mend: String? { isReadOnly ? "mount it so that it can be written" : nil }
}

/// Repeats `call` while it is interrupted, and throws errno when it returns -1.
@inline(__always)
@discardableResult
public func check<I: FixedWidthInteger & SignedInteger>(
    _ operation: @autoclosure () -> String, _ subject: @autoclosure () -> String, _ call: () -> I
) throws(SystemError) -> I {
    while true {
        let result = call()
        if result != -1 { return result }
        let code = errno
        if code == EINTR { continue }
        throw SystemError(code, operation(), subject())
    }
}
