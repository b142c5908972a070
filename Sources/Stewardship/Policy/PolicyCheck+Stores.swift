// The rules that stores and media have to keep, and the machines that have to be there.

internal import Images
internal import Platform

extension PolicyCheck {
    private mutating func add(
        _ rule: PolicyLine.Rule, _ table: PolicyRules, _ subject: String, required: String, found: String,
        evidence: [PolicyLine.Evidence] = [], _ verdict: PolicyLine.Verdict, since: Int64? = nil
    ) {
        lines.append(
            PolicyLine(
                rule, table.name, subject, required: required, found: found, evidence: evidence, verdict, since: since))
    }

    /// A table that nothing fits keeps no rule, and would seem to hold.
    mutating func missSeries(_ table: PolicyRules, _ stores: [Int]) {
        let isForSome = series.contains { view in
            table.isFor(series: view.name) && view.places.contains { stores.contains($0.store) }
        }
        if isForSome || !table.machines.isEmpty || table.series.contains(where: \.isName) { return }
        let unseen = stores.filter { !isSeen($0) }
        add(
            .missingMachine, table, table.name, required: "there is something that it is for",
            found: unseen.isEmpty
                ? "no series in its stores fits it"
                : "none in those that could be looked at; \(list(unseen)) could not",
            unseen.isEmpty ? .fails : .unknown)
    }

    /// Machines and series that are named, and of which no store has anything.
    mutating func missMachines(_ table: PolicyRules, _ stores: [Int]) {
        let own = series.filter { view in
            table.isFor(series: view.name) && view.places.contains { stores.contains($0.store) }
        }
        let machines = Set(own.map { ExactText(PolicyRules.machine(of: $0.name)) })
        let names = Set(own.map { ExactText($0.name) })
        let wanted =
            table.machines.map { ($0, machines.contains(ExactText($0))) }
            + table.series.filter(\.isName).map { ($0.text, names.contains(ExactText($0.text))) }
        let unseen = stores.filter { !isSeen($0) }
        for (name, isThere) in wanted {
            add(
                .missingMachine, table, name, required: "it has an image",
                found: isThere
                    ? "it has"
                    : unseen.isEmpty
                        ? "none, in no store" : "none in those that could be looked at; \(list(unseen)) could not",
                isThere ? .holds : unseen.isEmpty ? .fails : .unknown)
        }
    }

    mutating func countRecipients(_ table: PolicyRules, _ stores: [Int]) {
        guard table.recipients != nil || !table.lostRecipients.isEmpty else { return }
        let lost = Set(table.lostRecipients)
        for store in stores {
            guard let found = evidence.stores[store].evidence else {
                add(
                    .recipients, table, name(store), required: "who opens it is known",
                    found: "could not be looked at", .unknown)
                continue
            }
            let missing = Set(found.lostReaders.map(\.name))
            let open = found.readers.filter { !lost.contains($0.name) && !missing.contains($0.name) }
            let known = found.readers.filter { lost.contains($0.name) }
            if let wanted = table.recipients {
                var words = ["\(open.count)" + (open.isEmpty ? "" : " (\(open.map(words).joined(separator: ", ")))")]
                words += found.readers.filter { missing.contains($0.name) }.map {
                    "the key file of \(self.words($0)) is missing"
                }
                words += known.map { "the identity of \(self.words($0)) is lost" }
                add(
                    .recipients, table, name(store), required: "\(counted(wanted, "recipient", "recipients"))",
                    found: words.joined(separator: "; "), evidence: [PolicyLine.Evidence(store: name(store))],
                    open.count >= wanted ? .holds : .fails)
            }
            if !lost.isEmpty {
                add(
                    .recipients, table, name(store), required: "no identity that is lost opens it",
                    found: known.isEmpty ? "none does" : known.map(words).joined(separator: ", "),
                    evidence: [PolicyLine.Evidence(store: name(store))], known.isEmpty ? .holds : .fails)
            }
        }
    }

    private func words(_ reader: StoreReader) -> String {
        let short = reader.name.count > 16 ? "\(reader.name.prefix(12))…" : reader.name
        return reader.label.isEmpty ? short : "\(reader.label), \(short)"
    }

    /// What was condemned and ought to be gone.
    mutating func findOverdue(_ table: PolicyRules, _ stores: [Int]) {
        guard table.keep != nil || table.keepAtMost != nil else { return }
        for store in stores {
            guard let found = evidence.stores[store].evidence else { continue }
            guard let overdue = found.overdue else {
                add(
                    .retention, table, name(store), required: "what was condemned is gone a month later",
                    found: "nothing is left of it", .holds)
                continue
            }
            add(
                .retention, table, name(store), required: "what was condemned is gone a month later",
                found:
                    "\(counted(overdue.objects, "object is", "objects are")) still there; `holdfast prune` removes what may go",
                evidence: [PolicyLine.Evidence(store: name(store), time: overdue.since)], .fails,
                since: overdue.since.adding(saturating: 30 * 86_400))
        }
    }

    // MARK: Media

    mutating func judgeMedia(_ table: PolicyRules, _ stores: [Int]) {
        guard let rules = table.media else { return }
        var seen: Set<String> = []
        for store in stores {
            let medium = known(on: store)
            if let medium { seen.insert(medium.name) }
            judgeMeasured(table, rules, store, medium)
            if let medium { judgeSaid(table, rules, medium) } else { missWords(table, rules, store) }
        }
        for medium in policy.media where !seen.contains(medium.name) {
            // One that is not at hand, or that is of no store any more.
            if let ended = medium.ended, ended <= evidence.time {
                judgeEnd(table, rules, medium)
            } else if medium.store.map({ table.stores.contains($0) }) ?? true {
                judgeSaid(table, rules, medium)
            }
        }
    }

    /// Which of the known media a store is on: by its serial number where there is one, else by the store's name.
    private func known(on store: Int) -> KnownMedium? {
        let inUse = policy.media.filter { $0.ended.map { $0 > evidence.time } ?? true }
        if case .facts(let facts) = evidence.stores[store].medium, !facts.serials.isEmpty,
            let found = inUse.first(where: { $0.serial.map(facts.serials.contains) ?? false })
        {
            return found
        }
        return inUse.first { medium in
            guard medium.store == name(store) else { return false }
            // Another one with its own number is not the one that is there.
            guard let serial = medium.serial, case .facts(let facts) = evidence.stores[store].medium else {
                return true
            }
            return facts.serials.isEmpty || facts.serials.contains(serial)
        }
    }

    private mutating func judgeMeasured(_ table: PolicyRules, _ rules: MediaRules, _ store: Int, _ known: KnownMedium?)
    {
        var wanted: [String] = []
        if !rules.kinds.isEmpty { wanted.append("kind \(rules.kinds.joined(separator: " or "))") }
        if !rules.fileSystems.isEmpty { wanted.append("file system \(rules.fileSystems.joined(separator: " or "))") }
        if let least = rules.least { wanted.append("\(least) bytes or more") }
        if wanted.isEmpty { return }
        let required = wanted.joined(separator: ", ")
        guard case .facts(let facts) = evidence.stores[store].medium else {
            let reason: String
            if case .failed(let why) = evidence.stores[store].medium {
                reason = why
            } else {
                reason = "could not be looked at"
            }
            return add(.media, table, name(store), required: required, found: reason, .unknown)
        }
        var wrong: [String] = []
        if !rules.kinds.isEmpty, !rules.kinds.contains(facts.kind) { wrong.append("kind \(facts.kind)") }
        if let type = facts.fileSystem, !rules.fileSystems.isEmpty, !rules.fileSystems.contains(type) {
            wrong.append("file system \(type)")
        }
        if let least = rules.least, let capacity = facts.capacity, capacity < least {
            wrong.append("\(capacity) bytes")
        }
        // A server's are its own; of a medium that is carried about, what was asked for and could not be measured is not so.
        let isServer = ["s3", "sftp", "network"].contains(facts.kind)
        let unmeasured = [
            rules.fileSystems.isEmpty || facts.fileSystem != nil ? nil : "file system",
            rules.least == nil || facts.capacity != nil ? nil : "capacity",
        ].compactMap { $0 }
        if !isServer, wrong.isEmpty, !unmeasured.isEmpty {
            return add(
                .media, table, name(store), required: required,
                found: "\(unmeasured.joined(separator: " and ")) could not be measured", .unknown)
        }
        let all = [
            "kind \(facts.kind)", facts.fileSystem.map { "file system \($0)" }, facts.capacity.map { "\($0) bytes" },
            facts.serials.isEmpty ? nil : "serial number \(facts.serials.joined(separator: ", "))", known?.name,
        ]
        add(
            .media, table, name(store), required: required,
            found: wrong.isEmpty ? all.compactMap { $0 }.joined(separator: ", ") : wrong.joined(separator: ", "),
            evidence: [PolicyLine.Evidence(store: name(store), time: evidence.time)], wrong.isEmpty ? .holds : .fails)
    }

    /// What is said of a medium and cannot be measured.
    private mutating func judgeSaid(_ table: PolicyRules, _ rules: MediaRules, _ medium: KnownMedium) {
        if let limit = rules.age {
            let required = "in use for \(spanWords(limit)) at most"
            if let since = medium.since {
                let age = evidence.time.subtracting(saturating: since)
                add(
                    .media, table, medium.name, required: required, found: "in use for \(spanWords(max(0, age)))",
                    evidence: [
                        PolicyLine.Evidence(store: medium.store, time: since, text: "as the configuration says")
                    ],
                    age <= limit ? .holds : .fails, since: since.adding(saturating: limit))
            } else {
                add(
                    .media, table, medium.name, required: required, found: "nobody says since when it is in use", .fails
                )
            }
        }
        if rules.wantsCustody {
            add(
                .media, table, medium.name, required: "somebody says where it is kept",
                found: medium.custody ?? "nobody says where",
                evidence: [PolicyLine.Evidence(text: "as the configuration says")],
                medium.custody == nil ? .fails : .holds)
        }
    }

    /// A store whose medium no table [media.NAME] knows. A server has none that anybody carries about.
    private mutating func missWords(_ table: PolicyRules, _ rules: MediaRules, _ store: Int) {
        guard rules.age != nil || rules.wantsCustody else { return }
        if case .facts(let facts) = evidence.stores[store].medium, ["s3", "sftp", "network"].contains(facts.kind) {
            return
        }
        let isKnown: Bool
        if case .facts = evidence.stores[store].medium { isKnown = true } else { isKnown = false }
        add(
            .media, table, name(store), required: "the medium is one that the configuration knows",
            found: isKnown ? "none of [media] is it" : "could not be looked at", isKnown ? .fails : .unknown)
    }

    /// A medium out of use: what it held is gone, or somebody has it.
    private mutating func judgeEnd(_ table: PolicyRules, _ rules: MediaRules, _ medium: KnownMedium) {
        guard rules.wantsCertificate else { return }
        let required = "a certificate that it was wiped or destroyed"
        let since = medium.ended
        switch evidence.certificates {
        case nil:
            add(
                .media, table, medium.name, required: required, found: "no folder of certificates is named", .unknown,
                since: since)
        case .failed(let reason):
            add(.media, table, medium.name, required: required, found: reason, .unknown, since: since)
        case .items(let items, let refused):
            guard let serial = medium.serial else {
                return add(
                    .media, table, medium.name, required: required, found: "no serial number of it is known", .fails,
                    since: since)
            }
            let own = items.filter { $0.serial == serial }
            let good = own.filter { ["clear", "purge", "destroy"].contains($0.achieved) }.last
            var found = good.map { "\($0.achieved), \($0.ended)" }
            if found == nil, let bad = own.last { found = "\(bad.file) says: \(bad.achieved)" }
            let doubt =
                refused.isEmpty ? "" : "; \(counted(refused.count, "file is", "files are")) not believed: \(refused[0])"
            add(
                .media, table, medium.name, required: required,
                found: found ?? "none with the serial number \(serial)\(doubt)",
                evidence: good.map { [PolicyLine.Evidence(text: $0.file)] } ?? [], good == nil ? .fails : .holds,
                since: since)
        }
    }
}
