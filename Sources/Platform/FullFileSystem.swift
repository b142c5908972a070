// What is full where something could not be written: a file system or somebody's share of it, not the file that was being written. Found
// out after the failure, for its message alone.

internal import Glibc

public struct FullFileSystem: Sendable, Hashable, CustomStringConvertible {
    private enum Part { case space, quota, files }

    /// Where it is mounted, or a place on it.
    private let point: BytePath
    private let source: String
    private let total: UInt64
    private let free: UInt64
    private let part: Part
    private let wanted: UInt64

    /// - Parameters:
    ///   - file: anything on it.
    ///   - place: a place on it, shown where its mount is not known.
    ///   - wanted: how many bytes were to be written; 0 where nobody knows.
    /// - Returns: nil for an error that is another one.
    public init?(_ error: SystemError, holding file: Descriptor, place: BytePath, wanted: Int = 0) {
        guard error.isFull else { return nil }
        // What cannot be told is left out of the message.
        let mount = try? Mount.holding(file)
        point = mount?.point ?? place
        source = mount.map { $0.source == "none" ? $0.type : "\($0.source)" } ?? ""
        var status = statvfs()
        let isKnown = fstatvfs(file.raw, &status) == 0
        let unit = UInt64(status.f_frsize)
        total = isKnown ? UInt64(status.f_blocks).multiplied(saturating: unit) : 0
        free = isKnown ? UInt64(status.f_bavail).multiplied(saturating: unit) : 0
        if error.code == EDQUOT {
            part = .quota
        } else {
            part = isKnown && status.f_files > 0 && status.f_favail == 0 ? .files : .space
        }
        self.wanted = UInt64(max(0, wanted))
    }

    /// By a path, or where it is not there the next folder above that is.
    public init?(_ error: SystemError, at path: BytePath) {
        guard error.isFull, path.isAbsolute else { return nil }
        var place = path
        while true {
            // What cannot be opened is looked for one folder higher.
            if let file = try? Descriptor.open(place, .place) {
                self.init(error, holding: file, place: place)
                return
            }
            if place.parent == place { return nil }
            place = place.parent
        }
    }

    /// `/mnt/small (/dev/loop2, 33 MB)`, as it stands before `is full`.
    public var name: String {
        let details = [source, total > 0 ? Self.megabytes(total) : ""].filter { !$0.isEmpty }.joined(separator: ", ")
        let whole = "\(point)" + (details.isEmpty ? "" : " (\(details))")
        return switch part {
        case .space: whole
        case .quota: "the quota on \(whole)"
        case .files: "the table of files of \(whole)"
        }
    }

    public var description: String {
        guard part == .space, wanted > free else { return "\(name) is full" }
        return "\(name) is full: \(Self.megabytes(wanted)) more do not fit, \(Self.megabytes(free)) are free"
    }

    private static func megabytes(_ bytes: UInt64) -> String {
        bytes < 1_000_000 ? "\(bytes / 1000) kB" : "\(bytes / 1_000_000) MB"
    }
}
