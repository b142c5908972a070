// The rules that media have to keep: what was measured of them, what somebody says of them, and what a certificate says of those out of use.

internal import Images
internal import Platform

extension PolicyCheck {
    /// What nobody can measure rests on that.
    private static var said: String { "as the configuration says" }

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
        // What was asked for, has to be there and could not be measured is not so.
        let unmeasured = [
            rules.fileSystems.isEmpty || facts.fileSystem != nil || facts.hasNoFileSystem ? nil : "file system",
            rules.least == nil || facts.capacity != nil || facts.hasNoCapacity ? nil : "capacity",
        ].compactMap { $0 }
        if wrong.isEmpty, !unmeasured.isEmpty {
            return add(
                .media, table, name(store), required: required,
                found: "kind \(facts.kind); its \(unmeasured.joined(separator: " and ")) could not be measured",
                .unknown)
        }
        let inapplicable = [
            rules.fileSystems.isEmpty || !facts.hasNoFileSystem ? nil : "file system",
            rules.least == nil || !facts.hasNoCapacity ? nil : "capacity",
        ].compactMap { $0 }
        let all = [
            "kind \(facts.kind)", facts.fileSystem.map { "file system \($0)" }, facts.capacity.map { "\($0) bytes" },
            facts.serials.isEmpty ? nil : "serial number \(facts.serials.joined(separator: ", "))", known?.name,
            inapplicable.isEmpty ? nil : "\(inapplicable.joined(separator: " and ")) not applicable to such a server",
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
                        PolicyLine.Evidence(store: medium.store, time: since, text: Self.said)
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
                evidence: [PolicyLine.Evidence(text: Self.said)],
                medium.custody == nil ? .fails : .holds)
        }
    }

    /// A store whose medium no table [media.NAME] knows.
    private mutating func missWords(_ table: PolicyRules, _ rules: MediaRules, _ store: Int) {
        guard rules.age != nil || rules.wantsCustody else { return }
        let required = "the medium is one that the configuration knows"
        guard case .facts(let facts) = evidence.stores[store].medium else {
            return add(.media, table, name(store), required: required, found: "could not be looked at", .unknown)
        }
        if facts.isServer {
            return add(
                .media, table, name(store), required: required,
                found: "not applicable: kind \(facts.kind) is a server, and no medium that anybody carries about",
                .holds)
        }
        add(.media, table, name(store), required: required, found: "none of [media] is it", .fails)
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
                    .media, table, medium.name, required: required, found: "no serial number of it is known",
                    evidence: [PolicyLine.Evidence(time: since, text: Self.said)], .fails, since: since)
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
                evidence: [
                    good.map { PolicyLine.Evidence(text: $0.file) } ?? PolicyLine.Evidence(time: since, text: Self.said)
                ],
                good == nil ? .fails : .holds, since: since)
        }
    }
}
