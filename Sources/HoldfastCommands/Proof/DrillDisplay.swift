// What came of a drill, for people and for programs.

internal import Platform
internal import Stewardship

enum DrillDisplay {
    /// So many names are shown; the report has more.
    private static let shown = 20

    static func lines(_ report: DrillReport) -> [String] {
        var lines = [report.sentence]
        let (scope, time) = (report.scope, report.recoveryTime)
        if let volumes = report.volumes {
            lines += volumes.map { "\($0.name): \($0.content), taken as \($0.way): \($0.result)" }
            if scope.files > 0 { lines.append("compared \(Text.counted(scope.files, "file", "files"))") }
        } else if scope.entries > 0 {
            lines.append(
                "restored \(Text.counted(scope.files, "file", "files")), \(Text.size(scope.bytes)), "
                    + "\(scope.share / 10).\(scope.share % 10) % of the image"
                    + (scope.bootFiles > 0 ? "; \(Text.counted(scope.bootFiles, "file", "files")) for the start" : ""))
        }
        func span(_ seconds: Int64) -> String { Text.duration(UInt64(clamping: seconds)) }
        let goal = time.target.map { ", goal \(span($0))" } ?? ""
        if let measured = time.measured { lines.append("the whole took \(span(measured))\(goal)") }
        if let projected = time.projected {
            lines.append("a restore of the whole would take some \(span(projected)) at this rate (projected)\(goal)")
        }
        for name in report.files.differentNames.prefix(shown) { lines.append("different: \(name)") }
        for name in report.files.unreadableNames.prefix(shown) { lines.append("unreadable: \(name)") }
        if let next = report.nextDue { lines.append("the next one is due on \(next)") }
        return lines
    }
}

extension JSON {
    static func drill(_ report: DrillReport, _ file: BytePath, _ digest: String? = nil) -> [(String, JSON?)] {
        [
            ("id", .text(report.id)), ("kind", .text(report.kind.rawValue)),
            ("verdict", .text(report.verdict.rawValue)),
            ("reason", .text(report.reason)), ("job", report.job.map(JSON.text)), ("image", .text(report.image.id)),
            ("series", .text(report.image.series)), ("started", .text(report.started)), ("ended", .text(report.ended)),
            ("files", .number(report.scope.files)), ("bytes", .number(report.scope.bytes)),
            ("compared", .number(report.files.compared)), ("different", .number(report.files.different)),
            ("unreadable", .number(report.files.unreadable)),
            ("targetSeconds", report.recoveryTime.target.map(JSON.seconds)),
            ("measuredSeconds", report.recoveryTime.measured.map(JSON.seconds)),
            ("projectedSeconds", report.recoveryTime.projected.map(JSON.seconds)),
            ("ageSeconds", report.recoveryPoint.age.map(JSON.seconds)), ("nextDue", report.nextDue.map(JSON.text)),
            (
                "volumes",
                report.volumes.map {
                    .list(
                        $0.map {
                            .object([
                                ("name", .text($0.name)), ("content", .text($0.content)), ("way", .text($0.way)),
                                ("bytes", .number($0.bytes)), ("result", .text($0.result)),
                            ])
                        })
                }
            ),
            ("findings", .list(report.findings.map(JSON.text))), ("sha256", digest.map(JSON.text)),
        ] + JSON.path(file, key: "report")
    }
}
