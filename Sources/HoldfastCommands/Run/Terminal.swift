// Questions to the person at the terminal. They go to the terminal itself, since standard input and output may be
// pipes, and an answer that does not come within a minute (of the menu's commands, within ten) is none: nothing unattended waits for ever.

internal import Cryptography
internal import Glibc
internal import Platform
internal import Reporting

struct Terminal {
    /// What the menu gives its commands: who sits before a rescue stick looks for a serial number on the disk's label.
    static let patienceVariable = "HOLDFAST_PATIENCE"
    static let patience = Duration.seconds(
        min(3600, max(60, HostFacts.environment(patienceVariable).flatMap { Int($0.text) } ?? 60)))
    private let device: Descriptor
    private let stop: Stop

    /// nil: there is no terminal.
    init?(_ stop: Stop) {
        guard let device = try? Descriptor.open("/dev/tty", .readWrite) else { return nil }
        self.device = device
        self.stop = stop
    }

    /// One line without its end; nil where none came in time, or the end of the input.
    private func line(_ question: String, patience: Duration = Self.patience) throws -> [UInt8]? {
        try device.write(Array(Text.safe(question).utf8))
        let deadline = ContinuousClock.now + patience
        var ready = pollfd(fd: device.raw, events: Int16(POLLIN), revents: 0)
        while ContinuousClock.now < deadline {
            let status = poll(&ready, 1, 200)
            try stop.checkStop()
            if status <= 0 { continue }
            // A terminal hands out whole lines, of at most 4095 bytes.
            var buffer = [UInt8](repeating: 0, count: 4096)
            defer { erase(&buffer) }
            let count = buffer.withUnsafeMutableBytes { read(device.raw, $0.baseAddress, $0.count) }
            if count < 0 && errno == EINTR { continue }
            guard count > 0 else {
                // An interrupt ends the input, too, and another thread hears of it a moment later.
                usleep(200_000)
                try stop.checkStop()
                return nil
            }
            return Array(buffer[..<count].prefix { $0 != UInt8(ascii: "\n") })
        }
        return nil
    }

    /// Whether the answer begins with y.
    func confirm(_ question: String) throws -> Bool {
        guard let answer = try line(question + " [y/N] ") else {
            try device.write(Array("\n".utf8))
            return false
        }
        return ["y", "yes"].contains(String(decoding: answer, as: UTF8.self).lowercased())
    }

    /// What was typed; nil where nothing was.
    func typed(_ question: String) throws -> String? {
        try line(question + ": ").map { String(decoding: $0, as: UTF8.self) }
    }

    /// The number of a line, from 0, chosen by its number or its name; nil where nothing was typed. What is neither is asked for again.
    func choose(_ question: String, from lines: [String], names: [String]) throws -> Int? {
        for text in lines { try device.write(Array((Text.safe(text) + "\n").utf8)) }
        while let answer = try line(question + " [1-\(names.count)] ") {
            let word = String(decoding: answer, as: UTF8.self).split(separator: " ").joined(separator: " ")
            if word.isEmpty { return nil }
            if let number = Int(word), (1...names.count).contains(number) { return number - 1 }
            if let index = names.firstIndex(of: word) { return index }
            try device.write(Array("\(Text.safe(word)) is none of them; Enter alone ends without a choice\n".utf8))
        }
        return nil
    }

    /// Who copies a key from paper types 74 letters that are not shown.
    static let patienceForKeys = Duration.seconds(600)

    /// A passphrase, typed without echo; nil where none came.
    func passphrase(_ question: String, patience: Duration = Self.patience) throws -> Secret? {
        var settings = termios()
        guard tcgetattr(device.raw, &settings) == 0 else { return nil }
        var silent = settings
        silent.c_lflag &= ~tcflag_t(ECHO)
        guard tcsetattr(device.raw, TCSAFLUSH, &silent) == 0 else { return nil }
        defer {
            tcsetattr(device.raw, TCSAFLUSH, &settings)
            try? device.write(Array("\n".utf8))
        }
        guard var answer = try line(question + ": ", patience: patience), !answer.isEmpty else { return nil }
        defer { erase(&answer) }
        return Secret(answer)
    }
}
