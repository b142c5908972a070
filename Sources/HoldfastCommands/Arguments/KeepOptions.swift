// The rules of keeping on a command line: restic's words.

internal import ArgumentParser
internal import Reporting
internal import Stewardship

struct KeepOptions: ParsableArguments {
    @Option(help: ArgumentHelp("Keep the newest N (or unlimited).", valueName: "n"), transform: count)
    var keepLast: String?
    @Option(help: ArgumentHelp("Keep the last of each of N hours that have one.", valueName: "n"), transform: count)
    var keepHourly: String?
    @Option(help: ArgumentHelp("The same of N days,", valueName: "n"), transform: count)
    var keepDaily: String?
    @Option(help: ArgumentHelp("of N ISO weeks,", valueName: "n"), transform: count)
    var keepWeekly: String?
    @Option(help: ArgumentHelp("of N months,", valueName: "n"), transform: count)
    var keepMonthly: String?
    @Option(help: ArgumentHelp("of N years.", valueName: "n"), transform: count)
    var keepYearly: String?

    @Option(
        help: ArgumentHelp(
            "Keep all that is less than so much older than the newest (30d, 2w, 1y5m7d2h).", valueName: "span"),
        transform: span)
    var keepWithin: String?
    @Option(help: ArgumentHelp("Of what lies within, keep the last of each hour,", valueName: "span"), transform: span)
    var keepWithinHourly: String?
    @Option(help: ArgumentHelp("of each day,", valueName: "span"), transform: span)
    var keepWithinDaily: String?
    @Option(help: ArgumentHelp("of each week,", valueName: "span"), transform: span)
    var keepWithinWeekly: String?
    @Option(help: ArgumentHelp("of each month,", valueName: "span"), transform: span)
    var keepWithinMonthly: String?
    @Option(help: ArgumentHelp("of each year.", valueName: "span"), transform: span)
    var keepWithinYearly: String?

    @Option(
        name: .customLong("keep-tag"),
        help: ArgumentHelp(
            "Keep points with this tag (line3, or line=3; a,b: with both); may be repeated.", valueName: "tags"),
        transform: tags)
    var keepTags: [String] = []

    /// Words and values, as `KeepRules` takes them.
    private var given: [(String, String?)] {
        [
            ("last", keepLast), ("hourly", keepHourly), ("daily", keepDaily), ("weekly", keepWeekly),
            ("monthly", keepMonthly), ("yearly", keepYearly), ("within", keepWithin),
            ("within-hourly", keepWithinHourly), ("within-daily", keepWithinDaily),
            ("within-weekly", keepWithinWeekly), ("within-monthly", keepWithinMonthly),
            ("within-yearly", keepWithinYearly),
        ] + keepTags.map { ("tag", $0) }
    }

    func rules() throws -> KeepRules {
        var rules = KeepRules()
        for (word, value) in given { if let value { try rules.set(word, to: value) } }
        return rules
    }

    // MARK: Mistakes, said of the option that has one

    private static func count(_ text: String) throws -> String { try checked("last", text) }
    private static func span(_ text: String) throws -> String { try checked("within", text) }
    private static func tags(_ text: String) throws -> String { try checked("tag", text) }

    private static func checked(_ word: String, _ text: String) throws -> String {
        var rules = KeepRules()
        do { try rules.set(word, to: text) } catch { throw mistake(error) }
        return text
    }

    static func duration(_ text: String) throws -> KeepDuration {
        do { return try KeepDuration(text) } catch { throw mistake(error) }
    }

    private static func mistake(_ error: KeepError) -> ValidationError {
        ValidationError(error.sentence + (error.mend.map { "; \($0)" } ?? ""))
    }
}
