// What can be wrong with rules of keeping, and what they refuse.

internal import Images
internal import Platform
public import Reporting

public enum KeepError: Explained, Hashable {
    case badCount(String)
    case badDuration(String, reason: String)
    case badTags(String)
    case unknownRule(String)
    case noRules
    /// More goes than anybody who has not seen it can have meant.
    /// - Parameter halved: the series of which half or more goes.
    case removesTooMuch(removed: Int, states: Int, halved: [KeepSummary.Series], plan: String)
    /// A series goes by `retire` alone.
    case emptiesSeries(String)
    case noSeries(String, there: [String])
    /// It has an image that is younger than was asked for.
    case stillInUse(String, newest: Int64, after: KeepDuration)
    /// Images have none.
    case tagsOfImages

    public var description: String {
        switch self {
        case .badCount(let text): "\(quoted(text)) is no number of states to keep"
        case .badDuration(let text, let reason): "\(quoted(text)) is no span of time: \(reason)"
        case .badTags(let text): "\(quoted(text)) has an empty tag"
        case .unknownRule(let word): "there is no rule \(quoted(word))"
        case .noRules: "no rule says what is to be kept, and without one nothing is removed"
        case .removesTooMuch(let removed, let states, let halved, _):
            "\(removed) of \(states) would go, half or more \(of(halved))"
        case .emptiesSeries(let name): "nothing would be left of the series \(quoted(name))"
        case .noSeries(let name, _): "there is no image of a series \(quoted(name))"
        case .stillInUse(let name, let newest, let after):
            "the series \(quoted(name)) is not over: its newest image is "
                + (newest == .max
                    ? "of an unknown time"
                    : "of \(Timestamp(seconds: newest, nanoseconds: 0).text), less than \(after) ago")
        case .tagsOfImages: "images have no tags to keep them by"
        }
    }

    /// What is allowed, or what goes on.
    public var mend: String? {
        switch self {
        case .badCount: "give a whole number from 0 on, or `unlimited`"
        case .badDuration:
            "give years, months, weeks, days and hours, each a whole number with its letter: 30d, 2w, 1y5m7d2h"
        case .badTags: "give tags with commas between them, without blanks: `line3,commissioning` keeps what has both"
        case .unknownRule: "there are " + KeepRules.words.joined(separator: ", ")
        case .noRules: "give one or several, such as `--keep-within 30d --keep-monthly 12`"
        case .removesTooMuch(_, _, _, let plan):
            "look at it with --dry-run; `--plan \(plan)` does it, without a terminal with `--yes` beside it"
        case .emptiesSeries: "`holdfast retire` ends a series"
        case .noSeries(_, let there) where there.isEmpty: "there is none of any other, either"
        case .noSeries(_, let there): "there are " + there.map(quoted).joined(separator: ", ")
        case .stillInUse: "wait, or give a shorter time with --after if nobody writes it any more"
        case .tagsOfImages: "`holdfast pin NAME --from STORE` keeps one"
        }
    }

    public var exitStatus: Int32 {
        switch self {
        case .badCount, .badDuration, .badTags, .unknownRule, .noRules, .noSeries, .tagsOfImages: 2
        case .removesTooMuch, .emptiesSeries, .stillInUse: 4
        }
    }

    private func of(_ halved: [KeepSummary.Series]) -> String {
        let named = halved.prefix(3).map { "\(quoted($0.name.text)) (\($0.removed) of \($0.removed + $0.kept))" }
        let more = halved.count > 3 ? ", and of \(halved.count - 3) more" : ""
        return "of the series " + named.joined(separator: ", ") + more
    }

    private func quoted(_ text: String) -> String { printable(text.utf8) }
}
