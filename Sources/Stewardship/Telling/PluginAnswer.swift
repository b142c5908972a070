// The answer that monitors in the manner of Nagios expect: a line of text with numbers behind it, more lines, and an exit status of 0 to 3.
// Source: the Monitoring Plugins Development Guidelines.

internal import Platform

public struct PluginAnswer: Sendable {
    public let verdict: Verdict
    /// What is written to standard output.
    public let text: String

    /// - Parameters:
    ///   - jobs: all that there are.
    ///   - trial: nil: nothing is on trial.
    ///   - completing: has the commands that a text names typed as they stand.
    public init(
        _ jobs: [JobHealth], trial: TrialHealth? = nil, completing: (String) -> String = { $0 }
    ) {
        // Who has no jobs is told of a trial as of anything.
        verdict = trial.map { jobs.isEmpty ? $0.verdict : max($0.verdict, jobs.verdict) } ?? jobs.verdict
        let bad = jobs.filter { $0.verdict > .fine }.sorted { ($1.verdict, $0.job) < ($0.verdict, $1.job) }
        let first: String
        if jobs.isEmpty {
            first = "there is no job in the configuration"
        } else if bad.isEmpty {
            let oldest = jobs.compactMap(\.age).max().map { ", the oldest success \(JobHealth.words($0)) ago" } ?? ""
            let waiting = jobs.filter { $0.firstDue != nil }.map(\.job)
            let notYet = waiting.isEmpty ? "" : ", not done yet: " + waiting.joined(separator: ", ")
            first = "\(jobs.count) \(jobs.count == 1 ? "job" : "jobs")\(oldest)\(notYet)"
        } else {
            first = bad.map { "\($0.job): \(completing($0.reasons.first ?? ""))" }.joined(separator: "; ")
        }
        let numbers = jobs.flatMap(Self.numbers).joined(separator: " ")
        let more = jobs.map { job in
            "\(Self.word(job.verdict)) \(job.job)"
                + (job.reasons.isEmpty
                    ? Self.notYet(job) : ": " + job.reasons.map(completing).joined(separator: "; "))
        }
        let lines = [first] + (jobs.count > 1 || bad.contains { $0.reasons.count > 1 } ? more : [])
        var shown = lines.map(Self.plain)
        if let trial { shown[0] = Self.plain(completing(trial.reason)) + "; " + shown[0] }
        shown[0] = "\(Self.word(verdict)) - \(shown[0])" + (numbers.isEmpty ? "" : " | \(numbers)")
        text = shown.joined(separator: "\n") + "\n"
    }

    /// Where nothing could be judged.
    public init(unknown reason: String) {
        verdict = .unknown
        text = "\(Self.word(.unknown)) - \(Self.plain(reason))\n"
    }

    private static func word(_ verdict: Verdict) -> String { verdict.word.uppercased() }

    private static func notYet(_ job: JobHealth) -> String {
        job.firstDue.map { ": not done yet, due for the first time at \(Timestamp(seconds: $0, nanoseconds: 0).text)" }
            ?? ""
    }

    /// A bar would begin the numbers, and a line the next part.
    private static func plain(_ text: String) -> String {
        printable(Array(text.utf8)).replacing("|", with: "/")
    }

    private static func numbers(_ job: JobHealth) -> [String] {
        func limit(_ seconds: Int64?) -> String { seconds.map { "\($0)" } ?? "" }
        var result: [String] = []
        if let age = job.age {
            result.append("'\(job.job)_age'=\(age)s;\(limit(job.limits.warning));\(limit(job.limits.critical));0")
        }
        result.append("'\(job.job)_failures'=\(job.record.failuresInARow);;;0")
        if let attempt = job.record.lastAttempt {
            result.append("'\(job.job)_duration'=\(attempt.durationSeconds)s;;;0")
            if let image = attempt.image { result.append("'\(job.job)_new'=\(image.newBytes)B;;;0") }
        }
        return result
    }
}
