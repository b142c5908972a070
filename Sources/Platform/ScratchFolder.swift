// A folder for what is made on the way to something else.

internal import Glibc

/// A folder, below `/var/tmp` where nothing else is said, that only we can look into. It goes, with all that is in it, when this does. A crash
/// leaves it there, for the next one to take away: it is locked as long as somebody works in it.
public final class ScratchFolder {
    public let path: BytePath
    public let folder: Descriptor
    private let parent: BytePath

    /// Where it is made where nothing else is said.
    public static let standardParent: BytePath = "/var/tmp"
    private static let prefix = "holdfast-scratch-"

    /// - Throws: `SystemError`
    public init(in parent: BytePath = ScratchFolder.standardParent) throws(SystemError) {
        self.parent = parent
        Self.removeAbandoned(parent)
        var template = parent.appending("\(Self.prefix)XXXXXX").bytes.map { CChar(bitPattern: $0) } + [0]
        guard mkdtemp(&template) != nil else { throw SystemError(errno, "make a folder in", "\(parent)") }
        path = BytePath(template.dropLast().map { UInt8(bitPattern: $0) })
        folder = try Descriptor.open(path, .directory)
        // Between the two calls another one may have taken it for abandoned; then what is made in it fails, and nothing else.
        _ = folder.tryLock()
    }

    deinit {
        // What cannot be removed now is removed by the next one.
        try? Descriptor.open(parent, .directory).removeTree(path.lastComponent, liftsProtection: true)
    }

    /// Those of this user in which nobody works any more. It is a favour: what fails here is in nobody's way.
    private static func removeAbandoned(_ parent: BytePath) {
        guard let parent = try? Descriptor.open(parent, .directory), let names = try? DirectoryListing(of: parent)
        else { return }
        for index in 0..<names.count where names[index].starts(with: Array(prefix.utf8)) {
            guard let folder = try? parent.open(names[index], .directory), let status = try? folder.status(),
                status.user == getuid(), status.mode & 0o077 == 0, folder.tryLock()
            else { continue }
            try? parent.removeTree(names[index], liftsProtection: true)
        }
    }
}
