// Runs the programs of others, against which ours is measured, in a scratch folder that goes away.

internal import Glibc
internal import Testing

/// What a program left behind.
struct Outcome {
    var status: Int32
    var output: [UInt8]
    var errors: String
}

/// A folder that is removed with all its files at the end of a test.
final class Scratch {
    let path: String

    init() throws {
        var template = Array("/tmp/holdfast-cryptography-XXXXXX".utf8CString)
        try #require(mkdtemp(&template) != nil)
        path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    deinit {
        var process = pid_t()
        _ = Scratch.withArguments(["rm", "-rf", path]) { posix_spawnp(&process, "rm", nil, nil, $0, environ) }
        var status: Int32 = 0
        waitpid(process, &status, 0)
    }

    func file(_ name: String) -> String { "\(path)/\(name)" }

    /// Writes a file and gives its path.
    @discardableResult
    func write(_ name: String, _ bytes: [UInt8]) throws -> String {
        let stream = try #require(fopen(file(name), "w"))
        defer { fclose(stream) }
        try #require(fwrite(bytes, 1, bytes.count, stream) == bytes.count)
        return file(name)
    }

    func read(_ name: String) throws -> [UInt8] { try readFile(file(name)) }

    /// Runs a program found in PATH to its end, with files for its streams, so that no pipe can fill.
    func run(_ arguments: String..., input: [UInt8] = []) throws -> Outcome {
        try write("stdin", input)
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_addopen(&actions, 0, file("stdin"), O_RDONLY, 0)
        posix_spawn_file_actions_addopen(&actions, 1, file("stdout"), O_WRONLY | O_CREAT | O_TRUNC, 0o600)
        posix_spawn_file_actions_addopen(&actions, 2, file("stderr"), O_WRONLY | O_CREAT | O_TRUNC, 0o600)
        var process = pid_t()
        let error = Scratch.withArguments(arguments) {
            posix_spawnp(&process, arguments[0], &actions, nil, $0, environ)
        }
        try #require(error == 0, "\(arguments[0]) must be installed for these tests")
        var status: Int32 = 0
        try #require(waitpid(process, &status, 0) == process)
        return Outcome(
            status: status & 0x7f == 0 ? status >> 8 & 0xff : -1, output: try read("stdout"),
            errors: String(decoding: try read("stderr"), as: UTF8.self))
    }

    private static func withArguments<R>(
        _ arguments: [String], _ body: ([UnsafeMutablePointer<CChar>?]) -> R
    ) -> R {
        let copies = arguments.map { strdup($0) }
        defer { copies.forEach { free($0) } }
        return body(copies + [nil])
    }
}

func readFile(_ path: String) throws -> [UInt8] {
    let stream = try #require(fopen(path, "r"), "\(path) must be readable")
    defer { fclose(stream) }
    var bytes: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 65536)
    while true {
        let count = fread(&buffer, 1, buffer.count, stream)
        if count == 0 { return bytes }
        bytes += buffer[..<count]
    }
}
