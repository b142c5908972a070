// Files that others read to know how the jobs stand: JSON for programs, one digit for a PLC, metrics for Prometheus' node exporter. They are
// written after each run and whenever the timer asks what is due, so that an age that grows is seen without a run.

internal import FoundationEssentials
internal import Glibc
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
            do { try Self.replace(path, content()) } catch { problems.append("\(path) was not written: \(error)") }
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

    /// A reader sees the file of before or this one. Its folder may belong to another user: nothing on the way is a link, so that it is
    /// written there and nowhere else.
    private static func replace(_ path: BytePath, _ bytes: [UInt8]) throws(SystemError) {
        let folder: Descriptor
        do throws(SystemError) { folder = try Descriptor.openWithoutLinks(path.parent, .directory) } catch {
            if error.code == ELOOP {
                throw SystemError(
                    error.code, "open", path.parent.description,
                    detail: "a symbolic link leads there: give the folder itself")
            }
            throw error
        }
        let name = Array(path.lastComponent)
        do throws(SystemError) {
            guard try folder.status(of: name).kind == .file else {
                throw SystemError(EEXIST, "write", path.description, detail: "something that is no file is there")
            }
        } catch { if !error.isAbsent { throw error } }
        let temporary = Array(".holdfast-\(String(UInt64.random(in: .min ... .max), radix: 16))".utf8)
        let file = try folder.open(temporary, [.write, .create, .exclusive], mode: 0o644)
        do throws(SystemError) {
            try file.write(bytes)
            try file.setMode(0o644)
            try folder.rename(temporary, to: name)
        } catch {
            // It is this call's own; where it stays, nobody reads it.
            try? folder.remove(temporary)
            throw error
        }
    }
}
