// The terminal of the menu: lines in, lines out, nothing else. It is the same on a screen and on a serial line.

internal import Cryptography
internal import Glibc
internal import Platform
internal import Reporting

final class MenuTerminal {
    /// The line was hung up, or its end was typed.
    struct Ended: Error {}

    /// What is chosen: go back, with nothing done.
    struct Back: Error {}

    /// As many choices as one sees at once with what stands around them.
    private static let page = 14

    private let stop: Stop
    var language = MenuLanguage.english

    init(_ stop: Stop) { self.stop = stop }

    // MARK: Out

    var columns: Int {
        let width = terminalColumns(1)
        return width > 0 ? width : 80
    }

    /// A paragraph, broken into lines.
    func say(_ text: String) { put(MenuLines.wrapped(Text.safe(text), to: columns).joined(separator: "\n") + "\n") }

    func say(_ word: MenuWord, _ arguments: String...) { say(word.text(language, arguments)) }

    /// A line that is to be copied or compared: never broken.
    func sayWhole(_ text: String) { put(Text.safe(text) + "\n") }

    func space() { put("\n") }

    private func put(_ text: String) {
        var rest = Array(text.utf8)[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { Glibc.write(1, $0.baseAddress, $0.count) }
            if count < 0 && errno == EINTR { continue }
            // A line that is gone shows when it is read from.
            if count <= 0 { return }
            rest = rest.dropFirst(count)
        }
    }

    // MARK: In

    /// One line without its end. It waits as long as it takes.
    private func read(_ question: String) throws -> [UInt8] {
        put(Text.safe(question) + " ")
        var ready = pollfd(fd: 0, events: Int16(POLLIN), revents: 0)
        while true {
            let status = poll(&ready, 1, 200)
            try stop.checkStop()
            if status <= 0 { continue }
            // A terminal hands out whole lines, of at most 4095 bytes.
            var buffer = [UInt8](repeating: 0, count: 4096)
            defer { erase(&buffer) }
            let count = buffer.withUnsafeMutableBytes { Glibc.read(0, $0.baseAddress, $0.count) }
            if count < 0 && (errno == EINTR || errno == EAGAIN) { continue }
            guard count > 0 else {
                put("\n")
                throw Ended()
            }
            return Array(buffer[..<count].prefix { $0 != UInt8(ascii: "\n") })
        }
    }

    /// Forgets what was typed while a command ran: nobody meant it for the next question.
    func forgetTyped() { tcflush(0, TCIFLUSH) }

    /// The number of a choice, from 0.
    /// - Parameter allowsBack: whether 0 leads back.
    /// - Throws: `Back`.
    func choose(_ title: String, _ choices: [String], allowsBack: Bool = true, back: MenuWord = .back) throws -> Int {
        var first = 0
        while true {
            space()
            say(title)
            let shown = choices.count <= Self.page + 2 ? choices.count : min(choices.count, first + Self.page)
            for index in first..<shown {
                let lines = MenuLines.wrapped(Text.safe(choices[index]), to: max(20, columns - 5))
                for (number, line) in lines.enumerated() {
                    put((number == 0 ? MenuLines.padded(index + 1) : "    ") + " " + line + "\n")
                }
            }
            if allowsBack { put(MenuLines.padded(0) + " " + back.text(language) + "\n") }
            let isMore = shown < choices.count || first > 0
            if isMore { say(.more, "\(choices.count)") }
            answer: while true {
                let typed = try read(">")
                switch MenuLines.number(typed) {
                case .none where isMore:
                    first = shown < choices.count ? shown : 0
                    break answer
                case .some(0) where allowsBack: throw Back()
                case .some(let number) where (1...max(1, choices.count)).contains(number) && !choices.isEmpty:
                    return number - 1
                default: say(.typeNumber, allowsBack ? "0" : "1", "\(choices.count)")
                }
            }
        }
    }

    func choose(_ title: MenuWord, _ choices: [String]) throws -> Int {
        try choose(title.text(language), choices)
    }

    func choose(_ title: MenuWord, _ choices: [MenuWord]) throws -> Int {
        try choose(title, choices.map { $0.text(language) })
    }

    /// What somebody types; 0, or nothing where nothing is offered, leads back.
    /// - Parameters:
    ///   - offered: what Enter alone means.
    ///   - problem: what is wrong with it, in a sentence; nil: nothing.
    func ask(
        _ question: MenuWord, offered: String? = nil, allowsNothing: Bool = false,
        problem: ([UInt8]) -> String? = { _ in nil }
    ) throws -> [UInt8] {
        space()
        say(question)
        if let offered { say(.enterTakes, offered) }
        if allowsNothing { say(.enterNone) }
        say(.zeroBack)
        while true {
            let typed = MenuLines.trimmed(try read(">"))
            if typed == [UInt8(ascii: "0")] { throw Back() }
            if typed.isEmpty {
                if let offered { return Array(offered.utf8) }
                if allowsNothing { return [] }
                continue
            }
            if typed.contains(where: { $0 < 0x20 || $0 == 0x7f }) {
                say(.strangeCharacters)
            } else if let problem = problem(typed) {
                say(problem)
            } else {
                return typed
            }
        }
    }

    /// A path, absolute.
    func askPath(_ question: MenuWord, mustExist: Bool) throws -> BytePath {
        let typed = try ask(question) { bytes in
            let path = Self.absolute(bytes)
            return mustExist && !exists(path) ? MenuWord.noSuchPath.text(self.language, ["\(path)"]) : nil
        }
        return Self.absolute(typed)
    }

    private static func absolute(_ bytes: [UInt8]) -> BytePath {
        let path = BytePath(bytes)
        // A menu that was started in a folder that is gone takes whole paths.
        return path.normalized(relativeTo: (try? HostFacts.workingFolder) ?? "/")
    }

    /// A line that is not shown while it is typed; nil where nothing was.
    func secret(_ question: MenuWord) throws -> Secret? {
        var settings = termios()
        guard tcgetattr(0, &settings) == 0 else { throw Ended() }
        var silent = settings
        silent.c_lflag &= ~tcflag_t(ECHO)
        guard tcsetattr(0, TCSAFLUSH, &silent) == 0 else { throw Ended() }
        defer {
            tcsetattr(0, TCSAFLUSH, &settings)
            put("\n")
        }
        var typed = try read(question.text(language))
        defer { erase(&typed) }
        return typed.isEmpty ? nil : typed.withUnsafeBytes { Secret(copying: $0) }
    }

    /// Counts seconds down, on one line.
    /// - Parameter isOver: whether there is nothing to wait for any more.
    /// - Returns: whether a key was pressed, whichever it is.
    func countDown(_ seconds: Int, _ word: MenuWord, isOver: () -> Bool) throws -> Bool {
        let end = ContinuousClock.now + .seconds(seconds)
        var shown = Int.max
        defer { put("\n") }
        return try isKeyPressed {
            let left = end - ContinuousClock.now
            if left <= .zero || isOver() { return true }
            let rest = Int(left.components.seconds) + 1
            if rest != shown {
                shown = rest
                put("\r" + Text.safe(word.text(language, ["\(rest)"])) + " ")
            }
            return false
        }
    }

    /// Waits for any key.
    /// - Parameter isOver: asked some times a second: whether there is nothing to wait for any more.
    /// - Returns: whether there was one.
    func isKeyPressed(until isOver: () -> Bool) throws -> Bool {
        var settings = termios()
        guard tcgetattr(0, &settings) == 0 else { throw Ended() }
        var bare = settings
        bare.c_lflag &= ~tcflag_t(ECHO | ICANON | ISIG)
        guard tcsetattr(0, TCSAFLUSH, &bare) == 0 else { throw Ended() }
        defer { tcsetattr(0, TCSAFLUSH, &settings) }
        while !isOver() {
            try stop.checkStop()
            var ready = pollfd(fd: 0, events: Int16(POLLIN), revents: 0)
            guard poll(&ready, 1, 200) > 0 else { continue }
            var byte: UInt8 = 0
            let count = Glibc.read(0, &byte, 1)
            if count < 0 && (errno == EINTR || errno == EAGAIN) { continue }
            guard count > 0 else { throw Ended() }
            return true
        }
        return false
    }

    func waitForEnter() throws {
        forgetTyped()
        _ = try read(MenuWord.enterGoesOn.text(language))
    }
}

/// Lines as they are shown and typed.
enum MenuLines {
    /// The lines of a text: broken between words, and where there are no blanks, as in Japanese, between characters.
    static func wrapped(_ text: String, to columns: Int) -> [String] {
        var lines: [String] = []
        for paragraph in text.split(separator: "\n", omittingEmptySubsequences: false) {
            var line = ""
            for word in paragraph.split(separator: " ", omittingEmptySubsequences: false) {
                let joined = line.isEmpty ? String(word) : line + " " + word
                if Text.width(joined) <= columns {
                    line = joined
                    continue
                }
                // A word that alone is too long goes on where the line is, if there is room.
                let isLong = Text.width(String(word)) > columns
                if !line.isEmpty, !isLong || Text.width(line) + 3 > columns {
                    lines.append(line)
                    line = ""
                }
                if !isLong {
                    line = String(word)
                    continue
                }
                if !line.isEmpty { line += " " }
                for character in word {
                    if Text.width(line) + Text.width(String(character)) > columns {
                        lines.append(line)
                        line = ""
                    }
                    line.append(character)
                }
            }
            lines.append(line)
        }
        return lines
    }

    static func padded(_ number: Int) -> String {
        let text = "\(number)"
        return String(repeating: " ", count: max(0, 4 - text.count)) + text
    }

    static func trimmed(_ bytes: [UInt8]) -> [UInt8] {
        let blanks: [UInt8] = [0x20, 0x09, 0x0d]
        var rest = bytes[...]
        while let first = rest.first, blanks.contains(first) { rest.removeFirst() }
        while let last = rest.last, blanks.contains(last) { rest.removeLast() }
        return Array(rest)
    }

    /// nil: nothing was typed; -1: no number, or one that nobody offers. Wide digits, as Japanese keyboards type them, are digits.
    static func number(_ bytes: [UInt8]) -> Int? {
        let typed = trimmed(bytes)
        if typed.isEmpty { return nil }
        var number = 0
        for scalar in String(decoding: typed, as: UTF8.self).unicodeScalars {
            switch scalar.value {
            case 0x30...0x39: number = number * 10 + Int(clamping: scalar.value - 0x30)
            case 0xff10...0xff19: number = number * 10 + Int(clamping: scalar.value - 0xff10)
            default: return -1
            }
            if number > 9999 { return -1 }
        }
        return number
    }
}
