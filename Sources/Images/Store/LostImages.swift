// Images that this machine has seen in a store and that are not where it looks now: gone from there, or at another place of the store alone.

internal import Platform
internal import Reporting

extension MachineState {
    /// Images that this machine has seen and that are not there: for each series one finding for its newest and one for all others that were
    /// here; one note for all that were at other places alone.
    func lostImages(
        of store: Identifier, there: Set<ObjectID>, isMeant: (ExactText) -> Bool = { _ in true }
    ) throws -> [Finding] {
        let memory = try memory(of: store)
        var (newest, older): ([Finding], [Finding]) = ([], [])
        var behind: [Behind] = []
        let known = Set(memory.seen.values.keys).union(memory.series.values.keys)
        for series in known.sorted().map(\.text) where isMeant(ExactText(series)) {
            let last = memory.series[series]
            let missing = memory.seen[series, default: []].union(last.map { [$0.root.id] } ?? []).subtracting(there)
            if missing.isEmpty { continue }
            var (lost, elsewhere, isSure): ([ObjectID], Behind, Bool) = ([], Behind(series: series), true)
            for image in missing {
                switch memory.absence(of: image) {
                case .behind(let place): elsewhere.add(image, at: place, newest: last)
                case .lost: lost.append(image)
                case .unknown:
                    lost.append(image)
                    isSure = false
                }
            }
            if elsewhere.count > 0 { behind.append(elsewhere) }
            if let last, lost.contains(last.root.id) {
                lost.removeAll { $0 == last.root.id }
                newest.append(
                    Self.finding(
                        series,
                        "its image \(last.root.id.short), number \(last.sequence), which this machine has seen, is not there: it was removed",
                        isSure))
            }
            if !lost.isEmpty {
                older.append(
                    Self.finding(
                        series,
                        "\(lost.count == 1 ? "an image" : "\(lost.count) images") of it that this machine has seen, "
                            + "\(lost.sorted().map(\.short).abridged), \(lost.count == 1 ? "is" : "are") not there: removed",
                        isSure))
            }
        }
        return newest + older + Behind.note(behind, here: memory.here)
    }

    private static func finding(_ series: String, _ what: String, _ isSure: Bool) -> Finding {
        let doubt =
            isSure
            ? "or the store was put back"
            : "or this is a copy that is behind, which `holdfast copy` brings up to date, or one of chosen images: this machine looks here for the first time"
        return Finding(
            .damaged, subject: "series \(printable(series.utf8))",
            "\(what), \(doubt); `holdfast verify --forget --from STORE` forgets them")
    }
}

/// What of a series other places of the store have, and this one never had.
private struct Behind {
    var series: String
    var count = 0
    var place: BytePath = ""
    /// The newest of the series, where it is one of them.
    var newest: StoreMemory.Newest?

    mutating func add(_ image: ObjectID, at place: BytePath, newest last: StoreMemory.Newest?) {
        count += 1
        // The place that has the newest is the one to copy from.
        if image == last?.root.id { (newest, self.place) = (last, place) }
        if newest == nil { self.place = place }
    }

    /// One note for all series: a copy of chosen images has to be listed without a line for each of the others.
    static func note(_ all: [Behind], here: BytePath?) -> [Finding] {
        guard let first = all.first(where: { $0.newest != nil }) ?? all.first else { return [] }
        let count = all.saturatingSum(of: \.count)
        let mend =
            "`holdfast copy --from \(printable(first.place.bytes)) --to \(printable(here?.bytes ?? []))` brings it up to date"
        guard all.count == 1 else {
            return [
                Finding(
                    .note, subject: "\(all.count) series",
                    "\(count) images of them that this machine has seen at \(printable(first.place.bytes)) are not here and never were: "
                        + "a copy that is behind, or of chosen images; \(mend)")
            ]
        }
        let what: String
        if let newest = first.newest {
            let others = count == 1 ? "" : count == 2 ? ", and one more" : ", and \(count - 1) more"
            what = "its newest image \(newest.root.id.short), number \(newest.sequence)\(others)"
        } else {
            what = count == 1 ? "an older image of it" : "\(count) older images of it"
        }
        return [
            Finding(
                .note, subject: "series \(printable(first.series.utf8))",
                "\(what): seen at \(printable(first.place.bytes)), and never here: a copy that is behind, or of chosen images; \(mend)"
            )
        ]
    }
}
