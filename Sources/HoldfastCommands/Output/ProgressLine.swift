// Shows long work while it lasts: a line on a terminal, ten times a second, or a JSON line a second for programs.

internal import Glibc
internal import Platform
internal import Reporting

final class ProgressLine: Sendable {
    private let thread: WorkerThread?
    private let wakeEnd: Descriptor?

    /// Starts to show; `finish` ends it.
    init(_ progress: Progress, on console: Console) {
        var ends: [CInt] = [-1, -1]
        guard console.showsProgress, pipe(&ends) == 0 else {
            thread = nil
            wakeEnd = nil
            return
        }
        let (sleepEnd, wakeEnd) = (Descriptor(owning: ends[0]), Descriptor(owning: ends[1]))
        self.wakeEnd = wakeEnd
        let period: CInt = console.isJSON ? 1000 : 100
        thread = WorkerThread {
            var rate = Rate()
            // A byte from the other end ends this, so that nobody waits for the period to pass.
            var end = pollfd(fd: sleepEnd.raw, events: Int16(POLLIN), revents: 0)
            while true {
                let status = poll(&end, 1, period)
                if status > 0 || (status < 0 && errno != EINTR) { break }
                let state = rate.sample(progress)
                if console.isJSON {
                    console.drawJSON(state.document)
                } else {
                    let columns = terminalColumns(2)
                    console.draw(state.line(columns: columns > 0 ? columns : 80))
                }
            }
            console.draw("")
            withExtendedLifetime(sleepEnd) {}
        }
    }

    /// Takes the line away.
    func finish() {
        guard let thread, let wakeEnd else { return }
        var byte: UInt8 = 0
        _ = write(wakeEnd.raw, &byte, 1)
        thread.join()
    }
}

/// How far the work is at one moment.
struct ProgressState: Equatable {
    var bytes: UInt64
    var items: UInt64
    /// nil: nobody knows.
    var bytesExpected: UInt64?
    /// nil: too early to say.
    var bytesPerSecond: UInt64?

    var secondsLeft: UInt64? {
        guard let bytesExpected, let rate = bytesPerSecond, rate > 0 else { return nil }
        return (max(bytesExpected, bytes) - bytes) / rate
    }

    /// One line that leaves the last column free; what matters least is dropped first.
    func line(columns: Int) -> String {
        let done = Text.size(bytes)
        let whole = bytesExpected.map { "\(done) of \(Text.size($0))" } ?? done
        let percent = bytesExpected.map { "\($0 == 0 ? 100 : Int(min(1, Double(bytes) / Double($0)) * 100))%" }
        let rate = bytesPerSecond.map { Text.size($0) + "/s" }
        let left = secondsLeft.map { Text.duration($0) + " left" }
        let count = items > 0 ? Text.number(items) + " items" : nil
        let choices: [[String?]] = [
            [percent, whole, rate, left, count], [percent, whole, rate, left], [percent, whole, left],
            [percent, done, left], [percent ?? done, left], [percent ?? done],
        ]
        for choice in choices {
            let line = choice.compactMap { $0 }.joined(separator: "  ")
            if Text.width(line) < columns { return line }
        }
        return ""
    }

    var document: JSON {
        .object([
            (
                "progress",
                .object([
                    ("bytes", .number(bytes)), ("items", .number(items)),
                    ("bytesExpected", bytesExpected.map(JSON.number)), ("secondsLeft", secondsLeft.map(JSON.number)),
                ])
            )
        ])
    }
}

/// Bytes a second over the last five: longer ago says nothing about now.
struct Rate {
    private static let window = Duration.seconds(5)
    private var samples: [(time: ContinuousClock.Instant, bytes: UInt64)] = []

    mutating func sample(_ progress: Progress, at now: ContinuousClock.Instant = .now) -> ProgressState {
        let bytes = progress.bytesDone
        samples.append((now, bytes))
        // One sample from before the window stays, so that a slow terminal still leaves two.
        while samples.count > 2 && samples[1].time < now - Self.window { samples.removeFirst() }
        let first = samples[0]
        let elapsed = (now - first.time) / .seconds(1)
        let rate = elapsed >= 0.5 && bytes >= first.bytes ? Double(bytes - first.bytes) / elapsed : nil
        let expected = progress.bytesExpected
        return ProgressState(
            bytes: bytes, items: progress.itemsDone, bytesExpected: expected > 0 ? expected : nil,
            bytesPerSecond: rate.map { UInt64(exactly: $0.rounded()) ?? .max })
    }
}
