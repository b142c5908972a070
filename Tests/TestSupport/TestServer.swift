// Real servers on this machine, started by the scripts in Tests/Servers. They end with the process that started them.

import Glibc

/// A server that was started.
public final class TestServer: @unchecked Sendable {
    /// What it says of itself: `ENDPOINT`, `BUCKET`, `ACCESS_KEY`.
    public let values: [String: String]
    private let input: UnsafeMutablePointer<FILE>
    private let output: String

    public struct Failure: Error, CustomStringConvertible {
        public let description: String
    }

    /// - Parameters:
    ///   - name: of the script in Tests/Servers.
    ///   - options: of that, as a shell's words.
    ///   - seconds: how long it may take.
    public init(_ name: String, _ options: String = "", seconds: Int = 120) throws {
        var template = Array("/tmp/holdfast-server-XXXXXX".utf8CString)
        let file = mkstemp(&template)
        guard file >= 0 else { throw Failure(description: "no file for what \(name) says") }
        close(file)
        output = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
        let script = #filePath.split(separator: "/").dropLast(2).reduce("") { "\($0)/\($1)" } + "/Servers/\(name)"
        guard let input = popen("exec '\(script)' \(options) >'\(output)' 2>&1", "we") else {
            throw Failure(description: "\(name) could not be started")
        }
        self.input = input
        for _ in 0..<seconds * 20 {
            let lines = Self.read(output).split(separator: "\n").map(String.init)
            if lines.contains("READY") {
                values = lines.reduce(into: [:]) { result, line in
                    let words = line.split(separator: "=", maxSplits: 1).map(String.init)
                    if words.count == 2 { result[words[0]] = words[1] }
                }
                return
            }
            usleep(50_000)
        }
        pclose(input)
        throw Failure(description: "\(name) was not ready after \(seconds) s: \(Self.read(output))")
    }

    deinit {
        pclose(input)
        unlink(output)
    }

    public subscript(_ key: String) -> String { values[key] ?? "" }

    private static func read(_ path: String) -> String {
        guard let file = fopen(path, "re") else { return "" }
        defer { fclose(file) }
        var bytes = [UInt8](repeating: 0, count: 1 << 16)
        let count = fread(&bytes, 1, bytes.count, file)
        return String(decoding: bytes[..<count], as: UTF8.self)
    }
}
