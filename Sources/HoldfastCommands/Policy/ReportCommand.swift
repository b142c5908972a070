// `holdfast report`: a plant on one page.

internal import ArgumentParser
internal import Images
internal import Platform
internal import Stewardship
internal import Stores

struct ReportCommand: HoldfastCommand {
    static let configuration = CommandConfiguration(
        commandName: "report", abstract: "Show a plant on one page, what needs a hand first.",
        discussion: discussion(
            """
            Each machine's newest image and its age, where it is, when it was read whole, its size over time, and what of the policy does not \
            hold, by site and line. The page is one file with nothing from elsewhere, to be looked at on a desk, a phone and paper. A \
            steward's key suffices. A store that cannot be looked at is named on the page, and ends with status 1; rules that \
            fail are the page's to show, and `holdfast policy check`'s.
            """,
            examples: "holdfast report --identity steward.key --output plant.html # all stores",
            "holdfast report --from nas --from offsite --output plant.html # of two stores"))

    @Option(
        help: ArgumentHelp("A store; may be repeated (default: all that the configuration names).", valueName: "store"))
    var from: [StoreArgument] = []

    @Option(help: ArgumentHelp("Where the page goes.", valueName: "file"))
    var output: PathArgument

    @OptionGroup(title: "Everywhere") var global: GlobalOptions

    func check() throws { try refusePage(to: output) }

    func perform(_ session: Session) throws -> Outcome {
        let policy = session.configuration.policy
        let names = try names(session)
        var evidence = try session.working { try session.gather(policy, stores: names) }
        // What a rule asks of a store that nobody gave is not known.
        for name in policy.stores where !names.contains(name) {
            let configured = session.configuration.stores[name]
            evidence.stores.append(
                StoreView(
                    name: name, site: configured?.site, isOffsite: configured?.isOffsite ?? false,
                    look: .failed("it was not given with --from")))
        }
        let report = PlantReport(policy, evidence)
        let page = report.page(tool: Version.tool)
        try session.write(page, to: output)
        // Two names of one place are one store.
        let given = evidence.stores.filter { names.contains($0.name) }
        let seen = given.filter { $0.evidence != nil }
        for store in given {
            if case .failed(let reason) = store.look {
                session.console.warning("\(store.name) could not be looked at: \(reason)")
            }
        }
        let result = report.lines
        session.show(
            JSON.path(try output.absolute, key: "page") + [
                ("bytes", .number(UInt64(page.count))), ("verdict", .text(result.verdict.rawValue)),
                ("fails", .number(UInt64(result.count(.fails)))), ("unknown", .number(UInt64(result.count(.unknown)))),
                ("stores", .number(UInt64(given.count))), ("lookedAt", .number(UInt64(seen.count))),
            ],
            summary: [
                "\(output.path): \(Text.counted(UInt64(seen.count), "store", "stores")), \(result.sentence)"
            ])
        return seen.count == given.count ? .done : .failed
    }
}

extension ReportCommand {
    /// The stores that are looked at, each once.
    private func names(_ session: Session) throws -> [String] {
        var names: [String] = []
        for store in from {
            let name = try session.configuredName(store)
            if !names.contains(name) { names.append(name) }
        }
        if from.isEmpty { names = session.configuration.stores.keys.sorted() }
        guard !names.isEmpty else {
            throw Problem.usage(
                "no store is given, and the configuration names none",
                hint: "give one with `--from STORE`, or name them in [stores]; see holdfast.toml(5)")
        }
        return names
    }
}

extension Session {
    /// The name that the configuration has for a place, or else the words that were typed.
    fileprivate func configuredName(_ store: StoreArgument) throws -> String {
        let typed = String(decoding: store.bytes, as: UTF8.self)
        if configuration.stores[typed] != nil { return typed }
        // The same place has the same words, from whatever folder they were typed.
        let folder = try HostFacts.workingFolder
        let place = try place(store).location.name(from: folder)
        return configuration.stores.filter { $0.value.settings.location.name(from: folder) == place }.keys.min()
            ?? typed
    }
}
