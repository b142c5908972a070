// What keeps a live system from being made.

public import Platform
public import Reporting

public enum LiveError: Explained, Hashable {
    /// What this machine lacks: a file each, and the package that has it.
    case missing([MissingPart])
    /// No kernel whose modules are here, too.
    case noKernel(in: BytePath)
    /// A folder of unpacked packages that others may write to: a machine would start what they put there.
    case untrusted(BytePath)

    public var description: String {
        switch self {
        case .missing(let parts):
            "this machine lacks what it is made of: \(parts.map(\.name).joined(separator: ", "))"
        case .noKernel(let folder): "there is no kernel in \(folder) whose modules are in lib/modules beside it"
        case .untrusted(let folder): "others may write to \(folder), and machines would start what they put there"
        }
    }

    public var mend: String? {
        switch self {
        case .missing(let parts): "`apt-get install \(Set(parts.map(\.package)).sorted().joined(separator: " "))`"
        case .noKernel:
            "`apt-get install linux-image-amd64`, or `dpkg -x` of a kernel's package into the folder of --packages"
        case .untrusted: "unpack the packages into a folder of your own"
        }
    }

    public var exitStatus: Int32 {
        switch self {
        case .missing, .noKernel: 2
        case .untrusted: 4
        }
    }
}

/// A file or a program that is not here.
public struct MissingPart: Hashable, Sendable {
    public var name: String
    /// Debian's package that has it.
    public var package: String

    public init(_ name: String, package: String) {
        self.name = name
        self.package = package
    }
}
