// What the tests of images share: a scratch folder, a machine of its own, a small tree, and what a tree looks like.

import Cryptography
import Glibc
import Images
import Platform
import Reporting
import Testing

/// A scratch folder that goes with the test.
final class Scratch: Sendable {
    let path: BytePath

    init() throws {
        path = BytePath("/tmp/holdfast-test-\(try SecureRandom.bytes(8).map { String($0, radix: 16) }.joined())")
        try makeFolders(path)
    }

    deinit { _ = run("/bin/rm", ["-rf", path.description]) }

    func file(_ name: String) -> BytePath { path.appending(name) }

    /// A machine with nothing on it.
    func machine(_ name: String = "machine") -> MachineState {
        MachineState(state: file("\(name)/state"), cache: file("\(name)/cache"))
    }
}

@discardableResult
func run(_ program: String, _ arguments: [String]) -> Int32 {
    var child = pid_t()
    var argv = ([program] + arguments).map { strdup($0) } + [nil]
    defer { argv.forEach { free($0) } }
    guard posix_spawn(&child, program, nil, nil, &argv, environ) == 0 else { return -1 }
    var status: Int32 = 0
    waitpid(child, &status, 0)
    return status >> 8 & 0xff
}

/// Repeatable random numbers.
struct SplitMix64: RandomNumberGenerator {
    var state: UInt64
    init(seed: UInt64) { state = seed }
    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var z = state
        z = (z ^ z >> 30) &* 0xbf58_476d_1ce4_e5b9
        z = (z ^ z >> 27) &* 0x94d0_49bb_1331_11eb
        return z ^ z >> 31
    }

    mutating func bytes(_ count: Int) -> [UInt8] { (0..<count).map { _ in UInt8(truncatingIfNeeded: next()) } }
}

func put(_ path: BytePath, _ bytes: [UInt8]) throws {
    try makeFolders(path.parent)
    if exists(path) { try removeFile(path) }
    try writeNew(path, bytes)
}

/// Every entry of a tree by its path: kind, mode, size and content of files, target of links.
func look(at root: BytePath) throws -> [[UInt8]: String] {
    var result: [[UInt8]: String] = [:]
    func visit(_ folder: Descriptor, _ prefix: [UInt8]) throws {
        let names = try DirectoryListing(of: folder)
        for index in 0..<names.count {
            let name = names[index]
            let path = prefix + name
            let status = try folder.status(of: name)
            var text = "\(status.kind) \(String(status.mode, radix: 8)) \(status.modified)"
            switch status.kind {
            case .file:
                let bytes = try readWhole(folder.open(name), limit: 1 << 28, named: "it")
                text += " \(bytes.count) \(try bytes.withUnsafeBytes { try SHA256.digest(of: $0) })"
            case .symbolicLink: text += " \(try folder.readLink(name))"
            case .directory: try visit(folder.open(name, .directory), path + [UInt8(ascii: "/")])
            default: break
            }
            result[path] = text
        }
    }
    try visit(Descriptor.open(root, .directory), [])
    return result
}

/// A tree with small, large, empty and sparse files, links, and names that are no text.
func makeTree(_ root: BytePath, seed: UInt64 = 1) throws {
    var random = SplitMix64(seed: seed)
    try makeFolders(root)
    for index in 0..<40 {
        try put(
            root.appending("folder \(index % 5)/file \(index)"), random.bytes(Int.random(in: 0..<9000, using: &random)))
    }
    try put(root.appending("empty"), [])
    try put(root.appending("zeros"), [UInt8](repeating: 0, count: 700_000))
    try put(root.appending("large"), random.bytes(3_000_000))
    try put(root.appending([0x62, 0xff, 0xfe, 0x0a]), Array("not text".utf8))
    let folder = try Descriptor.open(root, .directory)
    try folder.makeSymbolicLink(Array("link".utf8), target: Array("folder 1/nowhere".utf8))
    try folder.makeLink(Array("second name".utf8), to: Array("large".utf8), in: folder)
    let sparse = try folder.open(Array("sparse".utf8), [.write, .create])
    try sparse.truncate(to: 50_000_000)
    try random.bytes(5000).withUnsafeBytes { try sparse.write($0, at: 20_000_000) }
}

/// The paths at which two trees differ, for messages.
func differences(_ a: [[UInt8]: String], _ b: [[UInt8]: String]) -> [String] {
    Set(a.keys).union(b.keys).filter { a[$0] != b[$0] }.map {
        "\(printable($0)): \(a[$0] ?? "missing") / \(b[$0] ?? "missing")"
    }.sorted()
}

func expectSameTree(_ a: BytePath, _ b: BytePath, sourceLocation: SourceLocation = #_sourceLocation) throws {
    let found = try differences(look(at: a), look(at: b))
    #expect(found.isEmpty, "\(found.joined(separator: "\n"))", sourceLocation: sourceLocation)
}

/// A store with an identity that opens it.
struct TestStore {
    let path: BytePath
    let identity: AgeIdentity
    let machine: MachineState
    var credentials: Credentials { Credentials(identities: [identity]) }

    init(_ scratch: Scratch, _ name: String = "store") throws {
        path = scratch.file(name)
        identity = try AgeIdentity.generate()
        machine = scratch.machine()
        _ = try Store.create(path, recipients: [.age(identity.recipient)], group: nil, machine: machine)
    }

    @discardableResult
    func backup(_ sources: BytePath..., name: String = "test") throws -> BackupReport {
        try Store.open(path, for: .write, credentials: Credentials(), machine: machine).backup(
            BackupRequest(sources: sources, name: name), progress: Progress(), findings: Findings())
    }

    func opened() throws -> Store { try Store.open(path, for: .read, credentials: credentials, machine: machine) }

    @discardableResult
    func restore(
        _ image: String = "latest", to target: BytePath, findings: Findings = Findings(),
        _ change: (inout RestoreRequest) -> Void = { _ in }
    ) throws -> RestoreReport {
        var request = RestoreRequest(target: target)
        change(&request)
        return try Images.restore(
            opened().imageReader(image), request, progress: Progress(), findings: findings)
    }

    func verify(readData: Bool = true, findings: Findings = Findings()) throws -> VerifyReport {
        try opened().verify(image: nil, readData: readData, progress: Progress(), findings: findings)
    }
}
