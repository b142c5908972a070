// Files that others read to know how the jobs stand: JSON for programs, one digit for a PLC, metrics for Prometheus' node exporter. They are
// written after each run and whenever the timer asks what is due, so that an age that grows is seen without a run.

internal import FoundationEssentials
public import Machine
public import Platform

public struct StatusFiles: Sendable {
    public var json: BytePath?
    public var value: BytePath?
    public var metrics: BytePath?

    public init() {}

    public var isEmpty: Bool { json == nil && value == nil && metrics == nil }

    private struct Document: Codable {
        struct OfJob: Codable {
            var name: String
            var verdict: Int32
            var reasons: [String]
            var ageSeconds: Int64?
            var warningSeconds: Int64?
            var criticalSeconds: Int64?
            var record: JobRecord
        }
        var version = 1
        var program: String
        var host: String
        /// Seconds since 1970.
        var time: Int64
        var verdict: Int32
        var jobs: [OfJob]
    }

    /// Whether a file that begins so is one of these, or empty.
    private static func isOne(_ start: [UInt8]) -> Bool {
        switch start.first {
        case nil: true
        case UInt8(ascii: "{"): start.starts(with: "{\n  \"host\" : ".utf8)
        case UInt8(ascii: "#"): start.starts(with: "# HELP holdfast_".utf8)
        default:
            start.count <= 2 && (0x30...0x33).contains(start[0]) && start.last == (start.count == 2 ? 0x0a : start[0])
        }
    }

    /// Writes them all. One that cannot be written keeps no other from it.
    /// - Parameter program: the program's version.
    /// - Returns: what could not be written, in sentences.
    public func write(_ jobs: [JobHealth], program: String, _ places: Places) -> [String] {
        let own = places.ownFiles() + [places.state, places.configuration]
        let document = Document(
            program: program, host: HostFacts.hostName, time: Timestamp.now().seconds, verdict: jobs.verdict.rawValue,
            jobs: jobs.map {
                Document.OfJob(
                    name: $0.job, verdict: $0.verdict.rawValue, reasons: $0.reasons, ageSeconds: $0.age,
                    warningSeconds: $0.limits.warning, criticalSeconds: $0.limits.critical, record: $0.record)
            })
        var problems: [String] = []
        func write(_ path: BytePath?, _ content: () throws -> [UInt8]) {
            guard let path else { return }
            if own.contains(where: { path == $0 || path.isBelow($0) }) {
                problems.append("\(path) was not written: Holdfast keeps files of its own there")
                return
            }
            do { try replaceWithoutLinks(path, content(), isDurable: false, isOurs: Self.isOne) } catch {
                problems.append("\(path) was not written: \(error)")
            }
        }
        write(json) {
            let encoder = JSONEncoder()
            encoder.outputFormatting = [.sortedKeys, .prettyPrinted]
            return Array(try encoder.encode(document)) + [0x0a]
        }
        write(value) { Array("\(jobs.verdict.rawValue)\n".utf8) }
        write(metrics) {
            Array(
                Metrics.text(
                    jobs, version: program, host: HostFacts.hostName, failedNotices: Notifier.failures(places)
                ).utf8)
        }
        return problems
    }
}
