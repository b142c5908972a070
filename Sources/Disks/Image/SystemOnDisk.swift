// A Linux system on a disk: which volume has its root, and which folder of that.

internal import Glibc
internal import Platform

public struct SystemOnDisk: Codable, Hashable, Sendable {
    /// The stream of the volume that has its root.
    public var volume: String
    /// The folder of the volume that is its root, as `@rootfs` of a btrfs; absent where the volume's own is.
    public var folder: String?
    /// Where in the volume its file system is, if that is not all of it, as in LVM.
    public var inner: Inner?
    /// `Debian GNU/Linux 12 (bookworm)`
    public var name: String?
    public var hostName: String?

    /// The folders of a volume that are looked at: its own, and those that installers make subvolumes of that name for.
    static let folders = ["", "@rootfs", "@"]

    /// nil: there is none.
    init?(on mount: VolumeMount, stream: String) {
        for name in Self.folders {
            guard let root = Self.root(of: mount.folder, name) else { continue }
            if let found = SystemOnDisk(in: root, stream, name.isEmpty ? nil : name) {
                self = found
                return
            }
        }
        return nil
    }

    /// nil: there is none in this folder.
    init?(in root: Descriptor, _ stream: String, _ folder: String?) {
        guard let release = Self.release(in: root) else { return nil }
        volume = stream
        self.folder = folder
        name = release
        hostName = Self.line(of: "etc/hostname", in: root)
    }

    /// A file system within a volume, in one piece.
    public struct Inner: Codable, Hashable, Sendable {
        /// Bytes from the volume's beginning.
        public var offset: UInt64
        public var size: UInt64
        public var type: String
    }

    /// The same, where its volume is a part of another one.
    func within(_ part: Range<UInt64>, type: String) -> SystemOnDisk {
        var copy = self
        if inner == nil { copy.inner = Inner(offset: 0, size: part.upperBound - part.lowerBound, type: type) }
        copy.inner?.offset.add(saturating: part.lowerBound)
        return copy
    }

    static func root(of volume: Descriptor, _ name: String) -> Descriptor? {
        if name.isEmpty { return volume }
        return try? volume.openBeneath(Array(name.utf8), .directory)  // It is not there, or no folder.
    }

    /// What a system says of itself; nil where none is.
    private static func release(in root: Descriptor) -> String? {
        // One of them is in every root, and in no volume that is mounted below one; systemd finds some without any fstab.
        let marks = ["etc/fstab", "usr/lib/systemd/systemd", "sbin/init", "usr/sbin/init"]
        // A volume that lacks them has no system.
        guard marks.contains(where: { (try? root.openBeneath(Array($0.utf8), .place)) != nil }) else { return nil }
        for path in ["usr/lib/os-release", "etc/os-release"] {
            guard let text = text(of: path, in: root) else { continue }
            let line = text.split(separator: "\n").first { $0.hasPrefix("PRETTY_NAME=") }
            return line.map { String($0.dropFirst(12)).replacing("\"", with: "") } ?? "Linux"
        }
        return nil
    }

    private static func line(of path: String, in root: Descriptor) -> String? {
        text(of: path, in: root)?.split(separator: "\n").first.map(String.init)
    }

    private static func text(of path: String, in root: Descriptor) -> String? {
        // What cannot be read says nothing of itself.
        guard let file = try? root.openBeneath(Array(path.utf8), .nonBlocking),
            (try? file.status())?.kind == .file  // As above.
        else { return nil }
        var bytes = [UInt8](repeating: 0, count: 4096)
        guard let count = try? file.read(intoArray: &bytes) else { return nil }  // As above.
        return String(decoding: bytes.prefix(count), as: UTF8.self).filter { $0 == "\n" || !$0.isControl }
    }
}

extension Character {
    fileprivate var isControl: Bool { unicodeScalars.contains { $0.properties.generalCategory == .control } }
}
