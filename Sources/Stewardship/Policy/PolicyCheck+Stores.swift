// The rules that stores have to keep, and the machines that have to be there.

internal import Images
internal import Platform

extension PolicyCheck {
    mutating func add(
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
}
