// What somebody writes for the place of a store: a path, or a URL.

public import Platform

/// Where a store is.
public enum StoreLocation: Hashable, Sendable, CustomStringConvertible {
    case folder(BytePath)
    case s3(S3Location)
    case sftp(SFTPLocation)
    case medium(MediumLocation)

    private static let schemes = ["file", "sftp", "s3", "usb"]

    /// The scheme of a URL that stores can have.
    public static func scheme(of bytes: [UInt8]) -> String? {
        schemes.first { bytes.starts(with: Array(($0 + ":").utf8)) }
    }

    public init(_ bytes: [UInt8]) throws(LocationError) {
        switch Self.scheme(of: bytes) {
        case nil: self = .folder(BytePath(bytes))
        case "file": self = .folder(try Self.path(bytes))
        case "s3": self = .s3(try S3Location(bytes))
        case "sftp": self = .sftp(try SFTPLocation(bytes))
        default:
            guard let location = MediumLocation(bytes) else {
                throw LocationError("\(printable(bytes)) names no medium", mend: "write usb:LABEL or usb:LABEL/FOLDER")
            }
            self = .medium(location)
        }
    }

    /// Of a `file:` URL.
    private static func path(_ bytes: [UInt8]) throws(LocationError) -> BytePath {
        var rest = bytes.dropFirst(5)
        for host in ["//localhost/", "///"] where rest.starts(with: Array(host.utf8)) {
            rest = rest.dropFirst(host.utf8.count - 1)
        }
        guard let path = percentDecoded(Array(rest)), !path.isEmpty, !path.contains(0),
            !path.starts(with: Array("//".utf8))
        else {
            throw LocationError("\(printable(bytes)) is no file URL of this machine", mend: "write file:///path")
        }
        return BytePath(path)
    }

    /// The folder on this machine that it is; nil where it is none.
    public var folder: BytePath? {
        if case .folder(let path) = self { return path }
        return nil
    }

    /// Whether it is on a medium that is found by its label.
    public var isMedium: Bool {
        if case .medium = self { return true }
        return false
    }

    /// As it has to be written, whole.
    public var url: String {
        if case .s3(let location) = self { return location.url }
        return description
    }

    /// As it is typed in a command.
    public var typed: String { folder == nil ? shellWord(url) : description }

    /// As people know it, without secrets.
    public var description: String {
        switch self {
        case .folder(let path): path.description
        case .s3(let location): location.description
        case .sftp(let location): location.description
        case .medium(let location): location.description
        }
    }

    /// The same place has the same words on this machine, from whatever folder they were written.
    public func name(from workingFolder: BytePath) -> BytePath {
        folder.map { $0.normalized(relativeTo: $0.isAbsolute ? "/" : workingFolder) } ?? BytePath(description)
    }
}
