// Drives the real program, as a person or a timer would.

import Glibc
import Platform
import TestSupport
import Testing

/// A scratch folder with a user of its own in it: home, configuration, state and cache.
final class Workplace: Sendable {
    let path: String

    /// - Parameter folder: where it is made; in memory, where no test is about what reaches a disk, syncs cost nothing.
    init(in folder: String = "/var/tmp") {
        var template = Array("\(folder)/holdfast-test-XXXXXX".utf8CString)
        path = template.withUnsafeMutableBufferPointer { buffer in
            guard let start = buffer.baseAddress, let made = mkdtemp(start) else { return "/nowhere" }
            return String(cString: made)
        }
    }

    deinit {
        shell("chattr -R -f -i -a \(path); rm -rf \(path)")
    }

    func file(_ name: String) -> String { "\(path)/\(name)" }

    private var environment: String {
        "HOME=\(path)/home XDG_CONFIG_HOME=\(path)/home/config XDG_STATE_HOME=\(path)/home/state "
            + "XDG_CACHE_HOME=\(path)/home/cache LC_ALL=C"
    }

    var identity: String { "\(path)/home/config/holdfast/identity.txt" }

    /// Runs `holdfast` with these words, which the shell splits and expands; `holdfast` may also stand later in a pipe.
    @discardableResult
    func holdfast(_ arguments: String) -> Outcome { shell(madeBefore(arguments) + "\(builtProgram) \(arguments)") }

    /// A backup that nobody watches makes neither a store nor an identity: what it is to be restored with has to be there.
    private func madeBefore(_ arguments: String) -> String {
        let words = arguments.split(separator: " ")
        guard words.first == "backup" else { return "" }
        if words.contains("--output") {
            return "[ -e \(identity) ] || \(builtProgram) key generate --quiet >/dev/null 2>&1; "
        }
        guard let option = words.firstIndex(of: "--to"), option + 1 < words.count, !words[option + 1].contains(":")
        else { return "" }
        let store = words[option + 1]
        return "[ -e \(store)/HOLDFAST ] || \(builtProgram) store init \(store) --quiet >/dev/null 2>&1; "
    }

    @discardableResult
    func shell(_ command: String) -> Outcome {
        let folder = BytePath(builtProgram).parent
        let text = "mkdir -p \(path)/home; export \(environment) PATH=\(folder):$PATH; cd \(path); \(command)"
        return runShell(text)
    }
}

struct Outcome: Sendable, CustomStringConvertible {
    var status: Int32
    var output: String
    var description: String { "status \(status): \(output)" }
}

/// Runs a shell command; standard output and error together.
@discardableResult
func runShell(_ command: String) -> Outcome {
    guard let pipe = popen("( \(command)\n) 2>&1 </dev/null", "r") else {
        return Outcome(status: -1, output: "no shell")
    }
    var output: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 1 << 16)
    while true {
        let count = fread(&buffer, 1, buffer.count, pipe)
        if count == 0 { break }
        output += buffer[..<count]
    }
    let status = pclose(pipe)
    return Outcome(
        status: status & 0x7f == 0 ? status >> 8 & 0xff : 128 + (status & 0x7f),
        output: String(decoding: output, as: UTF8.self))
}
