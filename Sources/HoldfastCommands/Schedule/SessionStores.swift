// The stores of a job, opened as a command opens them.

internal import Images
internal import Platform
internal import Reporting
internal import Stewardship

struct SessionStores: JobStores {
    let session: Session

    private func argument(_ store: String, _ rate: UInt64?) throws -> StoreArgument {
        guard var argument = StoreArgument(argument: store) else { throw Problem.usage("a store has no name") }
        argument.rate = rate
        return argument
    }

    /// Nobody is there who could say that a new store is meant: none is made.
    func openToWrite(_ store: String, rate: UInt64?) throws -> Store {
        let to = try argument(store, rate)
        let place = try session.place(to)
        try session.refuseFile(place)
        let objects = try session.objects(place, writing: true)
        try session.knownStores.check(place.location, objects)
        guard try Store.exists(objects) else { throw session.knownStores.absence(of: place.location) }
        return try session.openToWrite(to)
    }

    func copy(_ series: String, from: String, to: String, rate: UInt64?, _ reporter: Reporter) throws {
        _ = try session.copy(
            [], ImageFilter(series: series), from: argument(from, rate), to: argument(to, rate), readData: false,
            progress: reporter.progress, findings: reporter.findings)
    }

    func newest(of series: String, in store: String, rate: UInt64?) throws -> (id: ObjectID, listing: ImageListing) {
        let opened = try session.open(argument(store, rate), for: .read)
        let image = try opened.find("latest", ImageFilter(series: series))
        return (image.id, try opened.listing(of: image))
    }

    func image(_ id: String, in store: String, rate: UInt64?) throws -> (id: ObjectID, listing: ImageListing)? {
        let opened = try session.open(argument(store, rate), for: .read)
        do {
            let image = try opened.find(id)
            return (image.id, try opened.listing(of: image))
        } catch ImageError.noSuchImage { return nil }
    }

    func prune(
        _ series: String, in store: String, _ rules: KeepRules, rate: UInt64?, _ reporter: Reporter
    ) throws -> String? {
        let keeping = ImageKeeping(rules, series: series, now: Timestamp.now().seconds)
        let (opened, plan): (Store, PrunePlan)
        do {
            opened = try session.open(argument(store, rate), for: .prune, writing: true)
            let settings = try opened.pruneSettings(
                for: .job(series: ExactText(series)), tool: Version.tool)
            plan = try opened.planPrune(settings, progress: reporter.progress) { keeping.choose($0) }
        } catch let error as ImageError {
            switch error {
            // With an identity that only reads, as well.
            case .noIdentity, .notGoverning: return nil
            default: throw error
            }
        }
        plan.remarks.forEach(reporter.findings.add)
        try keeping.check(plan, isNamed: false)
        if plan.isEmpty { return "nothing is to be removed" }
        let report = try opened.prune(plan, progress: reporter.progress)
        report.findings.forEach(reporter.findings.add)
        return PruneDisplay.lines(report).joined(separator: ", ")
    }

    func drillKeys(_ key: DrillSettings.Key, of job: String) throws -> any DrillKeys {
        SessionDrillKeys(session: session, keys: try session.keys(of: key, for: job))
    }

    func verify(
        _ series: String, in store: String, readsData: Bool, rate: UInt64?, _ reporter: Reporter
    ) throws -> Bool {
        let opened = try session.open(argument(store, rate), for: .verify)
        _ = try opened.verify(
            image: "latest", ImageFilter(series: series), readData: readsData && opened.canRead,
            identities: session.identities(), progress: reporter.progress, findings: reporter.findings)
        return readsData && opened.canRead
    }
}
