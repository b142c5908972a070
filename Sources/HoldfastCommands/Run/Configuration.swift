// The configuration: which identity, where state and cache are, what stores are called (`Settings`). A key that nobody knows is an
// error, since a typing error must not silently mean the default.

internal import Images
internal import Machine
internal import Platform
internal import RestorePoints
internal import Stewardship
internal import Stores

struct Configuration {
    var identities: [BytePath] = []
    var state: BytePath?
    var cache: BytePath?
    /// Which hardware is one series.
    var series = HardwareSeries.standardPath
    /// What stands around the making of points and snapshots.
    var hooks = Hooks()
    /// What looks at what was restored.
    var scan: BytePath?
    /// Whether a point is made before apt changes packages.
    var makesPointBeforePackages = false
    /// The backup that is made before that.
    var packageBackup: PackageBackup?
    /// The same, while its table is read.
    var packages = ConfiguredPackages()
    /// Stores by the names that stand for them.
    var stores: [String: ConfiguredStore] = [:]
    /// The one whose own table is being read.
    var store = ConfiguredStore(.folder(""))
    /// What is done regularly, in the order of the text.
    var jobs: [Job] = []
    /// The one whose table is being read.
    var job = ConfiguredJob()
    /// How jobs run.
    var schedule = ConfiguredSchedule()
    /// Whom and what is told of them.
    var notifier = Notifier()
    var statusFiles = StatusFiles()
    /// What no single person does.
    var approval = ApprovalRules()
    /// What a plant has to keep.
    var policy = Policy()
    /// The table of it, and the medium, that is being read.
    var rules = PolicyRules(name: "")
    var medium = KnownMedium(name: "")
    /// When its file was written, in seconds since 1970; nil: it is none, or nobody knows.
    var written: Int64?

    init() {}

    private static func asked(_ given: BytePath?) -> BytePath? { given ?? HostFacts.environment("HOLDFAST_CONFIG") }

    /// The file that was asked for, or the standard one.
    static func file(_ given: BytePath?) -> BytePath { asked(given) ?? Places.standardConfigurationFile }

    /// Reads the file that was asked for; the standard one need not exist.
    static func load(_ given: BytePath?) throws -> Configuration {
        let asked = Self.asked(given)
        let path = file(given)
        let bytes: [UInt8]
        do throws(SystemError) {
            // Only one that was asked for may come from a pipe: nobody waits for one that was put in the place of the standard one.
            bytes = try asked == nil ? readRegular(path, limit: 1 << 20) : readGiven(path, limit: 1 << 20)
        } catch {
            if asked == nil && !exists(path) { return Configuration() }
            throw Problem.usage("cannot read the configuration \(path): \(error.reason)")
        }
        guard let text = String(validating: bytes, as: UTF8.self) else {
            throw Problem.usage("the configuration \(path) is not UTF-8 text")
        }
        var configuration = try Configuration(text, path: path)
        // Without it what was never done is late.
        if let status = try? Descriptor.open(path, .place).status(), status.kind == .file {
            configuration.written = status.modified.seconds
        }
        return configuration
    }

    init(_ text: String, path: BytePath) throws {
        let source = SettingSource(path: path)
        let top: TOMLValue
        do throws(TOMLError) {
            top = try TOMLValue(parsing: text)
        } catch {
            throw source.problem(error.place, error.message)
        }
        // A job names stores, which may stand further down.
        var named: [TOMLText] = []
        for value in top.table ?? [] {
            if value.key == "jobs" {
                named += try readJobs(value, source)
                continue
            }
            if value.key == "policy" || value.key == "media" {
                named += try readPolicy(value, source)
                continue
            }
            guard let table = Settings.tables.first(where: { $0.name == value.key }) else {
                try read(value, of: Settings.tables[0], source)
                continue
            }
            guard let values = value.table else {
                throw source.problem(value.place, "[\(value.key)] wants to be a table")
            }
            try table.check(source)
            for value in values { try read(value, of: table, source) }
        }
        for store in named { try check(store, source) }
        for index in policy.tables.indices where policy.tables[index].stores.isEmpty {
            policy.tables[index].stores = stores.keys.sorted()
        }
        packageBackup = try packages.backup(jobs, source)
    }

    /// Reads the tables of all jobs.
    /// - Returns: the stores that they name.
    private mutating func readJobs(_ value: TOMLValue, _ source: SettingSource) throws -> [TOMLText] {
        guard let tables = value.table else { throw source.problem(value.place, "[jobs] wants to be a table") }
        var named: [TOMLText] = []
        for table in tables {
            guard let values = table.table else {
                throw source.problem(
                    table.keyPlace,
                    "\(table.key) stands below [jobs], where each job has a table of its own, such as [jobs.NAME]")
            }
            job = ConfiguredJob()
            for value in values { try read(value, of: JobSettingTable.table, source) }
            jobs.append(try job.job(table, source))
            named += job.to + job.copies + (job.drillStore.map { [$0] } ?? [])
        }
        return named
    }

    /// Refuses the name of a store that there is not. A path or URL is one without a name.
    private func check(_ store: TOMLText, _ source: SettingSource) throws {
        if stores[store.text] != nil { return }
        guard store.text.hasPrefix("/") || StoreLocation.scheme(of: Array(store.text.utf8)) != nil else {
            let known = stores.keys.sorted().joined(separator: ", ")
            throw source.problem(
                store.place,
                "there is no store \(store.text); "
                    + (known.isEmpty ? "[stores] names none" : "[stores] names \(known)"))
        }
        do { _ = try StoreLocation(Array(store.text.utf8)) } catch {
            throw source.problem(store.place, error.description + (error.mend.map { "; \($0)" } ?? ""))
        }
    }

    /// Reads the table of one store.
    mutating func readStore(_ value: TOMLValue, _ source: SettingSource) throws {
        let values = value.table ?? []
        guard values.contains(where: { $0.key == "url" }) else {
            throw source.problem(value.place, "the store \(value.key) has no url")
        }
        store = ConfiguredStore(.folder(""))
        for value in values { try read(value, of: StoreSettingTable.table, source) }
        stores[value.key] = store
    }

    mutating func read(_ value: TOMLValue, of table: SettingTable, _ source: SettingSource) throws {
        guard let setting = table.setting(value.key) else {
            let place = table.name.map { " in [\($0)]" } ?? ""
            throw source.problem(
                value.keyPlace, "there is no setting \(value.key)\(place); " + Settings.names(in: table))
        }
        try setting.read(value, source, &self)
    }
}
