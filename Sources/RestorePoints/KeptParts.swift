// Parts of a tree, kept for a while to be put on another: what a commit of the filter keeps until the next start, what a factory reset takes
// along. One file, an image like any other, with the key beside it: it guards integrity, not secrecy.
//
//     <folder>/parts.hf    the image
//     <folder>/identity    what opens it

internal import Cryptography
public import Images
public import Platform
public import Reporting

/// Parts of a tree in a folder of their own.
public struct KeptParts: Sendable {
    private let folder: BytePath
    private var image: BytePath { folder.appending("parts.hf") }
    private var identity: BytePath { folder.appending("identity") }
    private var machine: MachineState { MachineState(state: folder, cache: folder) }

    private var credentials: Credentials {
        get throws {
            Credentials(identities: try AgeIdentity.identities(inFile: try readRegular(identity, limit: 1 << 12)))
        }
    }

    /// - Parameter folder: that it is in, or will be.
    public init(in folder: BytePath) { self.folder = folder }

    /// Keeps parts of a tree; on return they are durable. The folder is there and holds none yet.
    /// - Parameter tree: an open folder.
    /// - Returns: how many entries could not be read; each was named.
    public func keep(
        _ parts: TreeParts, of tree: Descriptor, named root: BytePath, progress: Progress, findings: Findings
    ) throws -> UInt64 {
        let identity = try AgeIdentity.generate()
        try writeNew(self.identity, identity.encoded().withUnsafeBytes { Array($0) })
        var request = BackupRequest(sources: [root], name: "parts")
        request.parts = parts
        request.views[root] = tree.view
        let before = findings.count
        _ = try SingleFile.backup(
            request, to: .file(image, partLength: nil), recipients: [.age(identity.recipient)],
            machine: machine, progress: progress, findings: findings)
        return findings.count - before
    }

    /// Opens and reads all of them, and puts them nowhere. What is damaged is named.
    public func check(_ parts: TreeParts, named root: BytePath, findings: Findings) throws {
        var request = RestoreRequest(target: root)
        request.isDryRun = true
        try restore(parts, request, progress: Progress(), findings: findings)
    }

    /// What they are, by the paths below the root of the tree.
    public func entries() throws -> [[UInt8]: ListedEntry] {
        let listing = try SingleFile.listing(of: image, credentials: credentials, machine: machine)
        return Dictionary(listing.entries.map { ($0.path.bytes, $0) }) { $1 }
    }

    /// Puts them onto a tree, each file whole or not at all. Idempotent.
    /// - Parameters:
    ///   - root: what messages call it.
    ///   - keptAttributes: what the names of attributes begin with that stay as they are there.
    /// - Returns: how many entries could not be put there; each was named.
    public func bring(
        _ parts: TreeParts, onto tree: Descriptor, named root: BytePath, keptAttributes: String? = nil,
        progress: Progress, findings: Findings
    ) throws -> UInt64 {
        var request = RestoreRequest(target: root)
        request.folder = tree
        request.keptAttributes = keptAttributes
        let before = findings.count
        try restore(parts, request, progress: progress, findings: findings)
        return findings.count - before
    }

    private func restore(
        _ parts: TreeParts, _ request: RestoreRequest, progress: Progress, findings: Findings
    ) throws {
        var request = request
        request.parts = parts
        request.devices = true
        request.otherHardware = true
        let reader = try SingleFile.imageReader(
            image, credentials: credentials, machine: machine)
        _ = try Images.restore(reader, request, progress: progress, findings: findings)
    }
}

extension Descriptor {
    /// A path that leads to this open folder, for this process alone.
    public var view: BytePath { BytePath("/proc/self/fd/\(raw)/.") }
}
