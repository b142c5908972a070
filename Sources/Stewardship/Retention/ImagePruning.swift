// What the rules say of the images of a store. The store itself tells what there is, guards what it knows of, and carries it out.

public import Images
internal import Machine
internal import Platform

/// Who has a store pruned and to what end, from which follows what else goes with it.
public enum PruneOccasion: Sendable {
    /// Somebody thins out all series, or one of them.
    case asked(series: ExactText?)
    /// A job thins out its own series.
    case job(series: ExactText)
    /// Somebody ends a series.
    case retirement(series: ExactText)
}

extension Store {
    /// What this store needs, and what the occasion has done besides.
    public func pruneSettings(for occasion: PruneOccasion, tool: String) throws -> PruneSettings {
        var settings = try pruneSettings(tool: tool)
        switch occasion {
        // Whoever thins out one series has looked at no other.
        case .asked(let series): settings.endsRevoked = series == nil
        case .job(let series): settings.series = series
        case .retirement(let series): settings.retired = [series]
        }
        return settings
    }
}

/// By which rules the images of a store are thinned out.
public struct ImageKeeping: Sendable {
    public let rules: KeepRules
    /// Of this one alone; nil: of each.
    public let series: ExactText?
    /// By the machine's clock: what is later reaches back nowhere.
    let now: Int64

    public init(_ rules: KeepRules, series: String? = nil, now: Int64) {
        self.rules = rules
        self.series = series.map(ExactText.init)
        self.now = now
    }

    /// Which images go; of those that count, the store decides of the rest.
    ///
    /// One series after the other, as they come, and each list of reasons once: of a hundred thousand images nothing is copied.
    public func choose(_ images: [PruneImage]) -> PruneChoice {
        var choice = PruneChoice()
        var words: [[KeepReason]: [String]] = [:]
        var first = images.startIndex
        while first < images.endIndex {
            let series = ExactText(images[first].series)
            let end = images[first...].firstIndex { ExactText($0.series) != series } ?? images.endIndex
            let states = (first..<end).filter { images[$0].counts && isMeant(images[$0]) }.map { images[$0].state($0) }
            first = end
            for decision in rules.decide(states, now: now) {
                guard let number = Int(decision.state.id) else { continue }
                if decision.isKept {
                    let known = words[decision.reasons] ?? decision.reasons.map(\.description)
                    words[decision.reasons] = known
                    choice.reasons[images[number].id] = known
                } else {
                    choice.removed.insert(images[number].id)
                }
            }
        }
        choice.basis = [rules.description, series?.text ?? ""]
        return choice
    }

    /// - Parameter isNamed: whether somebody has seen it and named it by its id.
    /// - Throws: `KeepError`, where it removes more than anybody can have meant, or there is no such series.
    public func check(_ plan: PrunePlan, isNamed: Bool) throws(KeepError) {
        let summary = KeepSummary(plan) { isMeant($0) }
        if let series, summary.series.isEmpty { throw .noSeries(series.text, there: plan.series) }
        try summary.check(plan: plan.id, isNamed: isNamed)
    }

    private func isMeant(_ image: PruneImage) -> Bool { series == nil || ExactText(image.series) == series }
}

/// The end of a series: all its images go, where the newest of them is old enough.
public struct SeriesRetirement: Sendable {
    public let series: ExactText
    public let after: KeepDuration

    public init(_ series: String, after: KeepDuration) {
        self.series = ExactText(series)
        self.after = after
    }

    public func choose(_ images: [PruneImage]) -> PruneChoice {
        var choice = PruneChoice()
        choice.removed = Set(images.filter { $0.counts && ExactText($0.series) == series }.map(\.id))
        choice.basis = ["retire", series.text, "\(after)"]
        return choice
    }

    /// - Parameter now: by the machine's clock, where the store tells no time.
    /// - Throws: `KeepError`, where there is no such series, or somebody has made an image in it lately.
    public func check(_ plan: PrunePlan, now: Int64) throws(KeepError) {
        let own = [plan.going, plan.staying].joined().lazy.filter { $0.counts && ExactText($0.series) == series }
        if own.isEmpty { throw .noSeries(series.text, there: plan.series) }
        // What has no time may be of today.
        let newest = own.map { $0.time ?? .max }.max() ?? .max
        // The earlier of the two clocks: one that is ahead ends nothing.
        let bound = after.before(CalendarMoment(min(plan.time ?? now, now)))
        if newest > bound { throw .stillInUse(series.text, newest: newest, after: after) }
    }
}

extension PrunePlan {
    /// The names of all series that have an image.
    fileprivate var series: [String] {
        Set([going, staying].joined().lazy.filter(\.counts).map { ExactText($0.series) }).sorted().map(\.text)
    }
}

extension KeepSummary {
    /// - Parameter isMeant: whether rules were asked of it.
    init(_ plan: PrunePlan, _ isMeant: (PruneImage) -> Bool) {
        func counts(_ images: ArraySlice<PruneImage>) -> [ExactText: Int] {
            var counts: [ExactText: Int] = [:]
            for image in images where image.counts && isMeant(image) {
                counts[ExactText(image.series), default: 0] += 1
            }
            return counts
        }
        let (kept, removed) = (counts(plan.staying), counts(plan.going))
        // By both clocks: the store's is the times of files, which a move, or somebody who writes there, makes all the same.
        var newest: [ExactText: (store: Int64, machine: Int64)] = [:]
        for image in [plan.going, plan.staying].joined() where image.counts && isMeant(image) {
            let known = newest[ExactText(image.series)] ?? (.min, .min)
            newest[ExactText(image.series)] = (
                max(known.store, image.time ?? .min), max(known.machine, image.machineTime.seconds)
            )
        }
        var recent: [ExactText: Int] = [:]
        for image in plan.going where image.counts && isMeant(image) {
            let series = ExactText(image.series)
            // What has no time is old.
            guard let time = image.time, let last = newest[series] else { continue }
            let age = last.store.subtracting(saturating: time)
            let machineAge = last.machine.subtracting(saturating: image.machineTime.seconds)
            if max(age, machineAge) < Self.lastDay { recent[series, default: 0] += 1 }
        }
        series = Set(kept.keys).union(removed.keys).sorted().map {
            Series(name: $0, kept: kept[$0] ?? 0, removed: removed[$0] ?? 0, recent: recent[$0] ?? 0)
        }
    }
}

extension PruneImage {
    fileprivate func state(_ number: Int) -> KeepState {
        var state = KeepState(id: "\(number)", series: series, time: time ?? machineTime.seconds, order: sequence)
        // What others may build on was read as a whole, too.
        state.isProven = proof.map { $0.result != .damaged && $0.isOfEveryChunk } ?? false
        state.isDoubtful = isTimeDoubtful
        if isPinned { state.guards.insert(.pinned) }
        return state
    }
}
