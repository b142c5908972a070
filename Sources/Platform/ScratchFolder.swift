// A folder for what is made on the way to something else.

internal import Glibc

/// A folder below `/var/tmp` that only we can look into. It goes, with all that is in it, when this does; a crash leaves it there.
public final class ScratchFolder {
    public let path: BytePath

    /// - Throws: `SystemError`
    public init() throws(SystemError) {
        var template = Array("/var/tmp/holdfast-XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else { throw SystemError(errno, "make a folder in", "/var/tmp") }
        path = BytePath(template.dropLast().map { UInt8(bitPattern: $0) })
    }

    deinit {
        // What cannot be removed is in the way of nothing.
        try? Descriptor.open(path.parent, .directory).removeTree(path.lastComponent)
    }
}
