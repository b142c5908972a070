// What a policy is compared with: each store opened and looked at by itself, so that one that is away leaves the others to be judged.

internal import Images
internal import Machine
internal import Platform
internal import Reporting
internal import Stewardship
internal import Stores

extension Session {
    /// Looks at these stores, and at what else the policy asks for.
    func gather(_ policy: Policy, stores: [String]) throws -> PolicyEvidence {
        var evidence = PolicyEvidence(time: Timestamp.now().seconds)
        var opened: [String: Store] = [:]
        var known: [BytePath: String] = [:]
        var folders: [FileIdentity: String] = [:]
        for name in stores {
            // Two names of one place are one copy.
            if let place = try normalized(name) {
                if let other = known[place] {
                    console.warning("\(name) and \(other) are one place, which counts once")
                    continue
                }
                known[place] = name
            }
            if let folder = try identity(name) {
                if let other = folders[folder] {
                    console.warning("\(name) and \(other) are one folder, which counts once")
                    continue
                }
                folders[folder] = name
            }
            let (view, store) = try look(
                at: name, wantsMedium: policy.tables.contains { $0.media != nil && $0.stores.contains(name) })
            evidence.stores.append(view)
            opened[name] = store
        }
        evidence.mounts = try mounts(policy, evidence.stores, opened)
        evidence.certificates = policy.certificates.map { .certificates(in: $0, signers: policy.signers) }
        evidence.drills = policy.drills.map { .drills(in: $0, signers: policy.signers) }
        evidence.integrity = configuration.jobs.filter { $0.integrity != nil }.map {
            IntegrityLook($0, JobRecord.read($0.name, places).record.integrity)
        }
        return evidence
    }

    /// nil where it cannot be told.
    private func normalized(_ name: String) throws -> BytePath? {
        guard let argument = StoreArgument(argument: name) else { return nil }
        return try place(argument).location.name(from: HostFacts.workingFolder)
    }

    /// Of the folder of a store; nil where it is none, or not there, which the look at it tells.
    private func identity(_ name: String) throws -> FileIdentity? {
        try StoreArgument(argument: name).flatMap { try place($0).folderIdentity }
    }

    private func look(at name: String, wantsMedium: Bool) throws -> (StoreView, Store?) {
        let configured = configuration.stores[name]
        var view = StoreView(
            name: name, site: configured?.site, isOffsite: configured?.isOffsite ?? false,
            look: .failed("it was not looked at"))
        guard let argument = StoreArgument(argument: name) else { return (view, nil) }
        do {
            let place = try place(argument)
            let store = try open(argument, for: .verify)
            view.look = .found(try store.evidence(progress))
            if wantsMedium { view.medium = try medium(at: place) }
            return (view, store)
        } catch {
            if error is Interrupted { throw error }
            view.look = .failed(explained(error).sentence)
            return (view, nil)
        }
    }

    private func medium(at place: StorePlace) throws -> StoreView.MediumLook {
        do { return .facts(try MediumFacts(of: place.location, objects(place))) } catch let error as SystemError {
            return .failed(error.reason)
        } catch {
            try progress.checkStop()
            return .failed(explained(error).sentence)
        }
    }

    /// What the newest image of each series says of mounts, where a table asks for it.
    private func mounts(
        _ policy: Policy, _ views: [StoreView], _ opened: [String: Store]
    ) throws -> [ExactText: MountsLook] {
        let tables = policy.tables.filter(\.wantsMounts)
        if tables.isEmpty { return [:] }
        var newest: [ExactText: (store: String, image: PruneImage)] = [:]
        for view in views {
            for series in view.evidence?.series ?? [] where tables.contains(where: { $0.isFor(series: series.name) }) {
                guard let whole = series.whole else { continue }
                let key = ExactText(series.name)
                if let other = newest[key], other.image.sequence >= whole.sequence { continue }
                newest[key] = (view.name, whole)
            }
        }
        var result: [ExactText: MountsLook] = [:]
        for (series, found) in newest {
            try progress.checkStop()
            do { result[series] = try opened[found.store]?.mounts(of: found.image) } catch {
                if error is Interrupted { throw error }
                result[series] = .failed(explained(error).sentence)
            }
        }
        return result
    }
}
