// Images that this machine has seen in a store and that are not where it looks now: gone from there, or at another place of the store alone.

internal import Platform
internal import Reporting

extension MachineState {
    /// What it means that images that this machine has seen are not there: the newest of each series first, then all others.
    struct MissingImages {
        /// They were here, or nobody knows where they were.
        var lost: [Finding] = []
        /// They were at other places, and here nobody has looked before.
        var unsure: [Finding] = []
        /// One note for all that other places alone have ever had.
        var elsewhere: [Finding] = []
    }

    /// The same, one after the other.
    func lostImages(
        of store: Identifier, there: Set<ObjectID>, isMeant: (ExactText) -> Bool = { _ in true }
    ) throws -> [Finding] {
        let missing = try missingImages(of: store, there: there, isMeant: isMeant)
        return missing.lost + missing.unsure + missing.elsewhere
    }

    func missingImages(
        of store: Identifier, there: Set<ObjectID>, isMeant: (ExactText) -> Bool = { _ in true }
    ) throws -> MissingImages {
        let memory = try memory(of: store)
        var result = MissingImages()
        var older = MissingImages()
        var behind: [Behind] = []
        let names = Set(memory.seen.values.keys).union(memory.series.values.keys)
        for series in names.sorted().map(\.text) where isMeant(ExactText(series)) {
            let last = memory.series[series]
            let newest = last.map(\.root.id).flatMap { memory.isAwaited($0, of: series) ? $0 : nil }
            let missing = memory.seen[series, default: []].union(newest.map { [$0] } ?? []).subtracting(there)
            if missing.isEmpty { continue }
            var (lost, unsure, elsewhere): ([ObjectID], [ObjectID], Behind) = ([], [], Behind(series: series))
            for image in missing {
                switch memory.absence(of: image) {
                case .behind(let place): elsewhere.add(image, at: place, newest: last)
                case .lost: lost.append(image)
                case .unknown: unsure.append(image)
                }
            }
            if elsewhere.count > 0 { behind.append(elsewhere) }
            Self.tell(lost, of: series, last, isSure: true, &result.lost, &older.lost)
            Self.tell(unsure, of: series, last, isSure: false, &result.unsure, &older.unsure)
        }
        // What was copied here by a machine that could not read of which series it is.
        let known = memory.seen.values.values.reduce(into: Set<ObjectID>()) { $0.formUnion($1) }
            .union(memory.series.values.values.map(\.root.id))
        let unread = (memory.visit?.images ?? []).subtracting(known).subtracting(there).sorted()
        if !unread.isEmpty {
            older.lost.append(
                Finding(
                    .damaged, subject: "the store",
                    "\(unread.count == 1 ? "an image" : "\(unread.count) images") that this machine copied here, \(unread.map(\.short).abridged), "
                        + "\(unread.count == 1 ? "is" : "are") not there: removed, or the store was put back; \(mendOfLost)"
                ))
        }
        result.lost += older.lost
        result.unsure += older.unsure
        result.elsewhere = Behind.note(behind, here: memory.here)
        return result
    }

    private static func tell(
        _ images: [ObjectID], of series: String, _ last: StoreMemory.Newest?, isSure: Bool, _ newest: inout [Finding],
        _ older: inout [Finding]
    ) {
        var images = images
        if let last, images.contains(last.root.id) {
            images.removeAll { $0 == last.root.id }
            newest.append(
                finding(
                    series,
                    "its image \(last.root.id.short), number \(last.sequence), which this machine has seen, is not there: it was removed",
                    isSure))
        }
        if images.isEmpty { return }
        older.append(
            finding(
                series,
                "\(images.count == 1 ? "an image" : "\(images.count) images") of it that this machine has seen, "
                    + "\(images.sorted().map(\.short).abridged), \(images.count == 1 ? "is" : "are") not there: removed",
                isSure))
    }

    private static func finding(_ series: String, _ what: String, _ isSure: Bool) -> Finding {
        let doubt =
            isSure
            ? "or the store was put back"
            : "or this is a copy that is behind, which `holdfast copy` brings up to date, or one of chosen images: this machine looks here for the first time"
        return Finding(
            .damaged, subject: "series \(printable(series.utf8))",
            "\(what), \(doubt); \(mendOfLost)")
    }
}

/// What somebody can do about images that are gone: first look for them, and only then let them go.
let mendOfLost =
    "look for a copy of the store that has them: `holdfast copy --from COPY --to STORE` brings them back; "
    + "what is gone for good `holdfast verify --forget --from STORE` forgets"

extension BytePath {
    /// A place as people type it: without what tells the file system.
    fileprivate var typed: String { printable(bytes.prefix { $0 != 0 }) }
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
            "`holdfast copy --from \(first.place.typed) --to \(here?.typed ?? "")` brings it up to date"
        guard all.count == 1 else {
            return [
                Finding(
                    .note, subject: "\(all.count) series",
                    "\(count) images of them that this machine has seen at \(first.place.typed) are not here and never were: "
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
                "\(what): seen at \(first.place.typed), and never here: a copy that is behind, or of chosen images; \(mend)"
            )
        ]
    }
}
