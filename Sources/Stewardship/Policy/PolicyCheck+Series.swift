// The rules that each series has to keep: copies and where they are, age, proof, and what is kept of the past.

internal import Images
internal import Platform

extension PolicyCheck {
    mutating func judge(_ series: SeriesView, _ table: PolicyRules, _ stores: [Int]) {
        let places = series.places.filter { stores.contains($0.store) }
        let look = SeriesLook(series: series.name, table: table, stores: stores, places: places)
        judgeCopies(look)
        judgeAge(look)
        judgeProof(look)
        judgeDrill(look)
        judgeKeyPlace(look)
        judgeKept(look)
        judgeKeptAtMost(look)
        judgeMounts(look)
    }

    /// A series as one table sees it.
    struct SeriesLook {
        var series: String
        var table: PolicyRules
        var stores: [Int]
        var places: [(store: Int, found: SeriesEvidence)]

        func whole(in store: Int) -> PruneImage? { places.first { $0.store == store }?.found.whole }
        var newest: (store: Int, image: PruneImage)? {
            places.compactMap { place in place.found.whole.map { (place.store, $0) } }
                .max { ($0.1.time ?? .min, $0.1.sequence) < ($1.1.time ?? .min, $1.1.sequence) }
        }
        var all: [PruneImage] { places.flatMap(\.found.images) }
        /// Of all that are whole, wherever.
        var lastSequence: UInt64 { places.compactMap { $0.found.whole?.sequence }.max() ?? 0 }
    }

    private mutating func add(
        _ rule: PolicyLine.Rule, _ look: SeriesLook, required: String, found: String,
        _ evidence: [PolicyLine.Evidence], _ verdict: PolicyLine.Verdict, since: Int64? = nil
    ) {
        lines.append(
            PolicyLine(
                rule, look.table.name, look.series, required: required, found: found, evidence: evidence, verdict,
                since: since))
    }

    // MARK: Copies

    private mutating func judgeCopies(_ look: SeriesLook) {
        guard look.table.copies != nil || look.table.sites != nil || look.table.wantsOffsite else { return }
        let limit = look.table.copyAge ?? look.table.age
        let good = look.stores.filter { isCopy($0, look, limit) }
        let unseen = look.stores.filter { !isSeen($0) }
        let evidence = look.stores.filter { look.whole(in: $0) != nil }.map { self.evidence($0, look.whole(in: $0)) }
        let fresh = limit.map { ", of the newest or not older than \(spanWords($0))" } ?? ""
        func verdict(_ have: Int, _ want: Int, _ more: Int) -> PolicyLine.Verdict {
            have >= want ? .holds : have + more >= want ? .unknown : .fails
        }
        let others = look.stores.filter { !good.contains($0) }.map { whyNone($0, look) }
        if let wanted = look.table.copies(of: look.series) {
            let found = ([good.isEmpty ? "none" : "\(good.count) (\(list(good)))"] + others).joined(separator: "; ")
            add(
                .copies, look, required: "\(counted(wanted, "copy", "copies"))\(fresh)", found: found, evidence,
                verdict(good.count, wanted, unseen.count), since: behindSince(look, limit, wanted))
        }
        if let wanted = look.table.sites {
            let sites = Set(good.compactMap { self.evidence.stores[$0].site }).sorted()
            // One that is away may be at any site, as far as that is not known.
            let more = Set(unseen.map { self.evidence.stores[$0].site ?? "" }).subtracting(sites).count
            let homeless = good.filter { self.evidence.stores[$0].site == nil }
            let nowhere = homeless.isEmpty ? "" : "; of \(list(homeless)) no site is known"
            add(
                .apart, look, required: "copies at \(counted(wanted, "site", "sites"))\(fresh)",
                found: (sites.isEmpty ? "none" : "\(sites.count) (\(sites.joined(separator: ", ")))") + nowhere,
                sites.count >= wanted ? good.map { self.evidence($0, look.whole(in: $0)) } : evidence,
                verdict(sites.count, wanted, more))
        }
        if look.table.wantsOffsite {
            let away = good.filter { self.evidence.stores[$0].isOffsite }
            let more = unseen.filter { self.evidence.stores[$0].isOffsite }
            // Those that are away and not as they should be are what a failure rests on.
            let late = look.stores.filter { self.evidence.stores[$0].isOffsite && !away.contains($0) }
            let reasons = late.map { whyNone($0, look) }
            let shown = away.isEmpty ? late.filter { look.whole(in: $0) != nil } : away
            let none = reasons.isEmpty ? "no store of the table is offsite" : reasons.joined(separator: "; ")
            add(
                .offsite, look, required: "a copy offsite\(fresh)", found: away.isEmpty ? none : list(away),
                shown.map { self.evidence($0, look.whole(in: $0)) }, verdict(away.count, 1, more.count))
        }
    }

    /// Whether a store has a copy that is up to date: of the newest image that there is, or one that is not too old.
    private func isCopy(_ store: Int, _ look: SeriesLook, _ limit: Int64?) -> Bool {
        guard let whole = look.whole(in: store) else { return false }
        return whole.sequence >= look.lastSequence || limit.map { isFresh(whole.time, $0) } ?? false
    }

    /// `offsite: the newest is 5 d old`
    private func whyNone(_ store: Int, _ look: SeriesLook) -> String {
        guard isSeen(store) else { return "\(name(store)): could not be looked at" }
        guard let place = look.places.first(where: { $0.store == store }) else { return "\(name(store)): no image" }
        guard let whole = place.found.whole else {
            return "\(name(store)): none is whole of the newest \(place.found.broken.count)"
        }
        return "\(name(store)): the newest is \(age(whole.time))"
    }

    /// From when on there were not so many copies that are fresh: each is one until its newest image is too old.
    private func behindSince(_ look: SeriesLook, _ limit: Int64?, _ wanted: Int) -> Int64? {
        guard let limit, wanted > 0 else { return nil }
        let ends = look.stores.filter { look.whole(in: $0) != nil }.map { store in
            isCopy(store, look, limit) ? .max : (look.whole(in: store)?.time ?? .min).adding(saturating: limit)
        }.sorted(by: >)
        // Those that never had one: since there is anything of the series.
        let end = ends.count >= wanted ? ends[wanted - 1] : look.all.compactMap(\.time).min()
        return end.flatMap { $0 <= evidence.time ? $0 : nil }
    }

    // MARK: Age and proof

    private mutating func judgeAge(_ look: SeriesLook) {
        guard let limit = look.table.age else { return }
        let newest = look.newest
        let isHere = newest.map { isFresh($0.image.time, limit) } ?? false
        let unseen = look.stores.filter { !isSeen($0) }
        let found = newest.map { "the newest is \(age($0.image.time)), in \(name($0.store))" } ?? "none that is whole"
        add(
            .age, look, required: "an image not older than \(spanWords(limit))",
            found: isHere || unseen.isEmpty ? found : "\(found); \(list(unseen)) could not be looked at",
            newest.map { [evidence($0.store, $0.image)] } ?? [], isHere ? .holds : unseen.isEmpty ? .fails : .unknown,
            since: newest?.image.time.map { $0.adding(saturating: limit) })
    }

    private mutating func judgeProof(_ look: SeriesLook) {
        guard let limit = look.table.proven else { return }
        var newest: (store: Int, image: PruneImage, proof: PruneImage.Proof)?
        for place in look.places {
            for image in place.found.images {
                guard let proof = image.proof, counts(proof), newest.map({ $0.proof.time <= proof.time }) ?? true else {
                    continue
                }
                newest = (place.store, image, proof)
            }
        }
        let required = "an image read whole within \(spanWords(limit))"
        let unseen = look.stores.filter { !isSeen($0) }
        guard let newest else {
            let found = "none was noted"
            return add(
                .proven, look, required: required, found: found, [], unseen.isEmpty ? .fails : .unknown,
                since: look.all.compactMap(\.time).min().map { $0.adding(saturating: limit) }.flatMap {
                    $0 <= evidence.time ? $0 : nil
                })
        }
        let line = [
            PolicyLine.Evidence(store: name(newest.store), image: newest.image.id.image, time: newest.proof.time)
        ]
        let when = spanWords(max(0, evidence.time.subtracting(saturating: newest.proof.time)))
        if newest.proof.result == .damaged {
            return add(
                .proven, look, required: required, found: "found damaged \(when) ago, in \(name(newest.store))", line,
                .fails, since: newest.proof.time)
        }
        let isFresh = isFresh(newest.proof.time, limit)
        add(
            .proven, look, required: required, found: "read whole \(when) ago, in \(name(newest.store))", line,
            isFresh ? .holds : unseen.isEmpty ? .fails : .unknown, since: newest.proof.time.adding(saturating: limit))
    }

    /// Whether a verdict proves anything: who has read the lists alone has not read the content, and a time that lies ahead is nobody's.
    func counts(_ proof: PruneImage.Proof) -> Bool {
        (proof.isOfEveryChunk || proof.result == .damaged) && proof.time <= evidence.time.adding(saturating: Self.slack)
    }

    // MARK: What is kept

    /// All stores together: what one has removed another may keep. A rule that is not full keeps the first image of the series, too; so where that
    /// is there, nothing was removed that ought to be there.
    private mutating func judgeKept(_ look: SeriesLook) {
        guard let keep = look.table.keep else { return }
        let images = look.all
        let hasFirst = images.contains { $0.sequence <= 1 }
        var reasons: [String] = []
        for period in KeepPeriod.allCases {
            guard let count = keep.counts[period] else { continue }
            let found =
                period == .last
                ? Set(images.map(\.sequence)).count
                : Set(images.compactMap { $0.time.flatMap { CalendarMoment($0).number(of: period) } }).count
            if case .newest(let wanted) = count, UInt64(found) < wanted, !hasFirst {
                reasons.append("\(found) of \(wanted) \(period.rawValue)")
            } else if case .unlimited = count, !hasFirst {
                reasons.append("the first of the series is gone")
            }
        }
        if let span = keep.within[.last], !hasFirst, let newest = images.compactMap(\.time).max() {
            let bound = span.before(CalendarMoment(newest))
            let oldest = images.compactMap(\.time).min() ?? newest
            if oldest > bound { reasons.append("the oldest is \(age(oldest)), and \(span) are to be kept") }
        }
        let unseen = look.stores.filter { !isSeen($0) }
        let oldest = look.places.flatMap { place in place.found.images.map { (place.store, $0) } }
            .min { ($0.1.time ?? .max) < ($1.1.time ?? .max) }
        let count = Set(images.map(\.sequence)).count
        add(
            .retention, look, required: "kept: \(keep.description.replacing("--keep-", with: ""))",
            found: reasons.isEmpty
                ? "\(counted(count, "image", "images")), as many as there can be" : reasons.joined(separator: "; "),
            oldest.map { [evidence($0.0, $0.1)] } ?? [], reasons.isEmpty ? .holds : unseen.isEmpty ? .fails : .unknown)
    }

    private mutating func judgeKeptAtMost(_ look: SeriesLook) {
        guard let limit = look.table.keepAtMost else { return }
        let bound = evidence.time.subtracting(saturating: limit)
        var evidence: [PolicyLine.Evidence] = []
        var words: [String] = []
        var first: Int64?
        for place in look.places {
            let old = place.found.images.filter { ($0.time ?? .max) < bound }
            guard let oldest = old.min(by: { ($0.time ?? .max) < ($1.time ?? .max) }) else { continue }
            let pinned = old.lazy.filter(\.isPinned).count
            words.append(
                "\(name(place.store)): \(counted(old.count, "image is", "images are")) older, the oldest \(age(oldest.time))"
                    + (pinned > 0 ? "; \(pinned) pinned" : ""))
            evidence.append(self.evidence(place.store, oldest))
            first = min(first ?? .max, oldest.time ?? .max)
        }
        let unseen = look.stores.filter { !isSeen($0) }
        if words.isEmpty, !unseen.isEmpty { words = unseen.map { "\(name($0)): could not be looked at" } }
        add(
            .retention, look, required: "no image older than \(spanWords(limit))",
            found: words.isEmpty ? "none" : words.joined(separator: "; "), evidence,
            !evidence.isEmpty ? .fails : unseen.isEmpty ? .holds : .unknown,
            since: first.map { $0.adding(saturating: limit) })
    }

    // MARK: Mounts

    private mutating func judgeMounts(_ look: SeriesLook) {
        guard look.table.wantsMounts, let newest = look.newest else { return }
        let required = "what is mounted is in an image"
        let line = [evidence(newest.store, newest.image)]
        switch evidence.mounts[ExactText(look.series)] {
        case .failed(let reason): add(.uncoveredMounts, look, required: required, found: reason, line, .unknown)
        // One of a folder says nothing of mounts; another series of its machine may.
        case .silent, nil:
            if isToldOfMounts(PolicyRules.machine(of: look.series)) { return }
            add(
                .uncoveredMounts, look, required: required, found: "no image of this machine says what was mounted",
                line, .unknown)
        case .missing(let mounts, _):
            let covered = sources(of: PolicyRules.machine(of: look.series))
            let open = mounts.filter { mount in
                !covered.contains(mount) && !look.table.uncovered.contains { $0.matches(mount) }
            }
            let words =
                open.prefix(10).joined(separator: ", ") + (open.count > 10 ? " and \(open.count - 10) more" : "")
            add(
                .uncoveredMounts, look, required: required, found: open.isEmpty ? "nothing is left out" : words, line,
                open.isEmpty ? .holds : .fails)
        }
    }

    /// Whether an image of a machine says what was mounted there, or could not be asked.
    private func isToldOfMounts(_ machine: String) -> Bool {
        series.contains { view in
            guard PolicyRules.machine(of: view.name).utf8.elementsEqual(machine.utf8) else { return false }
            switch evidence.mounts[ExactText(view.name)] {
            case .missing, .failed: return true
            case .silent, nil: return false
            }
        }
    }

    /// What the other series of a machine hold.
    private func sources(of machine: String) -> Set<String> {
        var result: Set<String> = []
        for view in series where PolicyRules.machine(of: view.name).utf8.elementsEqual(machine.utf8) {
            for place in view.places { result.formUnion(place.found.sources.map(\.description)) }
        }
        return result
    }
}
