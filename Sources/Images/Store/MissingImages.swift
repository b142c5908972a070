// What a list of images does not show: volumes that no image at all is listed for, and images that others of their series come after.

internal import Platform
public import Reporting

extension Store {
    /// Volumes of a store in which no image is listed: no state that a store is left in on purpose.
    public func missingRoots(_ images: [ImageSummary]) throws -> Finding? {
        do {
            guard images.isEmpty else { return nil }
            let count = try listed(.volume).count
            if count == 0 { return nil }
            return Finding(
                .damaged, subject: subject,
                "no image is listed, and \(count) \(count == 1 ? "volume is" : "volumes are") there: a first backup or copy has not ended, or "
                    + "its folder i is missing; repeat the backup, or finish the copy with `holdfast copy`")
        } catch { throw ImageError.wrapping(error, subject: subject) }
    }

    /// Numbers that are not there in between those of a series: removed on purpose, or lost.
    public func gaps(_ images: [ImageSummary]) -> [Finding] {
        let labels = images.compactMap(\.label)
        return Dictionary(grouping: labels) { ExactText($0.series) }.sorted { $0.key < $1.key }.compactMap {
            series, labels in
            let there = Set(labels.map(\.sequence)).sorted()
            let missing = zip(there, there.dropFirst()).filter { $1 - $0 > 1 }.map { before, after in
                after - before == 2 ? "\(before + 1)" : "\(before + 1) to \(after - 1)"  // safe: between the two
            }
            if missing.isEmpty { return nil }
            let shown = missing.prefix(Self.gapsNamed).joined(separator: ", ")
            let numbers = missing.count == 1 && UInt64(shown) != nil ? "number" : "numbers"
            return Finding(
                .note, subject: "series \(printable(series.text.utf8))",
                "\(numbers) \(shown)\(missing.count > Self.gapsNamed ? " …" : "") of its images "
                    + "\(numbers == "number" ? "is" : "are") not there: removed, or not chosen when this copy was made")
        }
    }

    private static var gapsNamed: Int { 8 }
}
