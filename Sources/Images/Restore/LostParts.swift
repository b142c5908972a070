// What of a file is lost, where the rest of it is worth having.

internal import Platform
internal import Reporting

struct LostParts {
    /// Ranges that are named one by one.
    private static let namedRanges = 20

    private var parts: [(range: Range<UInt64>, reason: String)] = []

    /// - Parameter range: not empty.
    mutating func add(_ range: Range<UInt64>, _ reason: String) { parts.append((range, reason)) }

    /// In order, and those that touch taken together: they come from several threads, and one may come twice.
    private var joined: [(range: Range<UInt64>, reason: String)] {
        var result: [(range: Range<UInt64>, reason: String)] = []
        for part in parts.sorted(by: { $0.range.lowerBound < $1.range.lowerBound }) {
            guard let last = result.last, part.range.lowerBound <= last.range.upperBound else {
                result.append(part)
                continue
            }
            // safe: there is one
            result[result.count - 1].range =
                last.range.lowerBound..<max(last.range.upperBound, part.range.upperBound)
        }
        return result
    }

    /// Names them, each with its place.
    /// - Parameter isKept: whether what was there before stays, as nothing else of it is different.
    func tell(_ path: BytePath, isKept: Bool, isDryRun: Bool, _ findings: Findings) {
        let all = joined
        let kind: Finding.Kind = isDryRun ? .damaged : .notRestored
        let became = isDryRun ? "are lost" : isKept ? "are lost, and are what was there" : "are lost, and a hole in it"
        for (range, reason) in all.prefix(Self.namedRanges) {
            findings.add(
                Finding(
                    kind, path,
                    "it is not complete: bytes \(range.lowerBound) to \(range.upperBound - 1) \(became): \(reason)"))
        }
        guard all.count > Self.namedRanges else { return }
        let more = all.dropFirst(Self.namedRanges)
        let bytes = more.reduce(UInt64(0)) { $0.adding(saturating: $1.range.upperBound - $1.range.lowerBound) }
        findings.add(Finding(kind, path, "\(more.count) more ranges of it \(became), \(bytes) bytes together"))
    }
}
