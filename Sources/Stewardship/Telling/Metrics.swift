// What Prometheus' node exporter collects from a file: the text format, version 0.0.4. Ages are for the alert's rule, so times are given.

internal import Platform

public enum Metrics {
    private struct Family {
        var name: String
        var help: String
        var samples: [(labels: [(String, String)], value: String)] = []
    }

    /// - Parameters:
    ///   - failedNotices: messages that did not reach whom they were for, ever.
    public static func text(_ jobs: [JobHealth], version: String, host: String, failedNotices: UInt64) -> String {
        var families: [Family] = []
        func add(_ name: String, _ help: String, _ samples: [(labels: [(String, String)], value: Int64?)]) {
            let known = samples.compactMap { sample in sample.value.map { (sample.labels, "\($0)") } }
            if !known.isEmpty { families.append(Family(name: "holdfast_\(name)", help: help, samples: known)) }
        }
        func each(_ value: (JobHealth) -> Int64?) -> [(labels: [(String, String)], value: Int64?)] {
            jobs.map { ([("job", $0.job), ("series", series($0))], value($0)) }
        }
        func ofStores(
            isCopy: Bool?, _ value: (JobRecord.StoreRecord) -> Int64?
        ) -> [(labels: [(String, String)], value: Int64?)] {
            jobs.flatMap { job in
                job.record.stores.sorted { $0.key < $1.key }.filter { isCopy == nil || $0.value.isCopy == isCopy }.map {
                    ([("job", job.job), ("series", series(job)), ("store", $0.key)], value($0.value))
                }
            }
        }
        func restoreTimes() -> [(labels: [(String, String)], value: Int64?)] {
            jobs.flatMap { job in
                [
                    ("measured", job.record.drill?.last?.measuredSeconds),
                    ("projected", job.record.drill?.last?.projectedSeconds),
                ].map { ([("job", job.job), ("series", series(job)), ("way", $0.0)], $0.1) }
            }
        }
        add("info", "The program and the machine that it runs on.", [([("version", version), ("host", host)], 1)])
        add("job_health", "How a job stands: 0 right, 1 a warning, 2 critical.", each { Int64($0.verdict.rawValue) })
        add(
            "backup_last_success_timestamp_seconds",
            "When the last run began after which a store had what it is to have.",
            ofStores(isCopy: false, \.lastSuccess))
        add(
            "replica_last_success_timestamp_seconds",
            "When the last run began after which a copy had what it is to have.",
            ofStores(isCopy: true, \.lastSuccess))
        add(
            "verify_last_timestamp_seconds", "When a part of a store's content was checked last.",
            ofStores(isCopy: nil, \.lastVerified))
        add(
            "backup_store_last_exit_status", "What the last run came to for a store.",
            ofStores(isCopy: nil) { Int64($0.exitStatus) })
        add("backup_last_attempt_timestamp_seconds", "When the last run began.", each { $0.record.lastAttempt?.began })
        add(
            "backup_last_exit_status", "What the last run ended with.",
            each { $0.record.lastAttempt.map { Int64($0.exitStatus) } })
        add("backup_failures_in_a_row", "Runs in a row that did not do all.", each { Int64($0.record.failuresInARow) })
        add("backup_duration_seconds", "How long the last run took.", each { $0.record.lastAttempt?.durationSeconds })
        add(
            "backup_findings", "What the last run could not do as it should.",
            each { $0.record.lastAttempt.map { Int64(clamping: $0.findings) } })
        add(
            "integrity_last_timestamp_seconds", "When the machine was compared with its past last.",
            each { $0.record.integrity.flatMap { $0.obstacle == nil ? $0.time : nil } })
        add(
            "integrity_deviations", "What was then not as it was, and is not expected.",
            each { $0.record.integrity.flatMap { $0.tells ? Int64(clamping: $0.deviations) : nil } })
        add(
            "drill_last_success_timestamp_seconds", "When the last drill began that passed.",
            each { $0.record.drill?.lastSuccess })
        add(
            "drill_duration_seconds", "How long the last drill took that came to its end.",
            each { $0.record.drill?.last?.durationSeconds })
        add(
            "drill_rto_seconds",
            "What a restore of the whole took in that drill (measured), or would take (projected).",
            restoreTimes())
        add("backup_due_timestamp_seconds", "When the job is due next.", each { $0.record.nextDue })
        let counts: [(String, String, (JobRecord.ImageCounts) -> UInt64)] = [
            ("backup_files", "Files of the newest image.", \.files),
            ("backup_files_read", "Files that were opened for it.", \.filesRead),
            ("backup_processed_bytes", "Content of the newest image.", \.processedBytes),
            ("backup_added_bytes", "What was new of it.", \.newBytes),
            ("backup_stored_bytes", "What that took, compressed and encrypted.", \.storedBytes),
        ]
        for (name, help, value) in counts {
            add(name, help, each { $0.record.lastAttempt?.image.map { Int64(clamping: value($0)) } })
        }
        add(
            "notify_failures_total", "Messages that did not reach whom they were for.",
            [([], Int64(clamping: failedNotices))])
        return families.map(written).joined()
    }

    private static func series(_ job: JobHealth) -> String {
        job.record.lastAttempt?.image?.series ?? job.record.stores.values.compactMap(\.series).min() ?? ""
    }

    private static func written(_ family: Family) -> String {
        let kind = family.name.hasSuffix("_total") ? "counter" : "gauge"
        let head = "# HELP \(family.name) \(family.help)\n# TYPE \(family.name) \(kind)\n"
        return head
            + family.samples.map { sample in
                let labels = sample.labels.map { "\($0.0)=\"\(escaped($0.1))\"" }.joined(separator: ",")
                return "\(family.name)\(labels.isEmpty ? "" : "{\(labels)}") \(sample.value)\n"
            }.joined()
    }

    private static func escaped(_ text: String) -> String {
        text.replacing("\\", with: "\\\\").replacing("\"", with: "\\\"").replacing("\n", with: "\\n")
    }
}
