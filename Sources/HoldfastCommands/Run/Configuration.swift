// The configuration: which identity, where state and cache are, what stores are called. A key that nobody knows is an
// error, since a typing error must not silently mean the default.

internal import Images
internal import Machine
internal import Platform
internal import RestorePoints

struct Configuration {
    var identities: [BytePath] = []
    var state: BytePath?
    var cache: BytePath?
    /// Which hardware is one series.
    var series = HardwareSeries.standardPath
    /// What stands around the making of points and snapshots.
    var hooks = Hooks()
    /// Whether a point is made before packages are changed.
    var makesPointBeforePackages = false
    /// Names of stores, and the path or URL that each stands for.
    var stores: [String: String] = [:]

    init() {}

    /// Reads the file that was asked for; the standard one need not exist.
    static func load(_ given: BytePath?) throws -> Configuration {
        let asked = given ?? HostFacts.environment("HOLDFAST_CONFIG")
        let path = asked ?? Places.standardConfigurationFile
        let bytes: [UInt8]
        do throws(SystemError) {
            bytes = try readWhole(path, limit: 1 << 20)
        } catch {
            if asked == nil && !exists(path) { return Configuration() }
            throw Problem.usage("cannot read the configuration \(path): \(error.reason)")
        }
        guard let text = String(validating: bytes, as: UTF8.self) else {
            throw Problem.usage("the configuration \(path) is not UTF-8 text")
        }
        return try Configuration(text, path: path)
    }

    init(_ text: String, path: BytePath) throws {
        let source = Source(path: path)
        let settings: TOMLValue
        do throws(TOMLError) {
            settings = try TOMLValue(parsing: text)
        } catch {
            throw source.problem(error.place, error.message)
        }
        for setting in settings.table ?? [] {
            let key = setting.key
            switch key {
            case "identity":
                if let several = setting.array {
                    identities = try several.map { element in
                        guard element.string != nil else {
                            throw source.problem(element.place, "\(key) wants paths as strings")
                        }
                        return try source.absolute(element, key)
                    }
                } else if setting.string != nil {
                    identities = [try source.absolute(setting, key)]
                } else {
                    throw source.problem(setting.place, "\(key) wants a path, or an array of paths")
                }
            case "state": state = try source.absolute(setting, key)
            case "cache": cache = try source.absolute(setting, key)
            case "series": series = try source.absolute(setting, key)
            case "hooks":
                guard let places = setting.table else {
                    throw source.problem(setting.place, "[hooks] wants to be a table")
                }
                if HostFacts.isRoot,
                    let problem = ProgramOwner.problem(try path.normalized(relativeTo: HostFacts.workingFolder))
                {
                    throw Problem.refused(
                        "the hooks in \(path) are not run as root: \(problem)",
                        hint: "`chown root \(path); chmod go-w \(path)`, its folders too")
                }
                for hook in places {
                    switch hook.key {
                    case "before": hooks.before = try source.absolute(hook, hook.key)
                    case "after": hooks.after = try source.absolute(hook, hook.key)
                    default:
                        throw source.problem(
                            hook.keyPlace, "there is no hook \(hook.key); there are before and after")
                    }
                }
            case "stores":
                guard let names = setting.table else {
                    throw source.problem(setting.place, "[stores] wants to be a table")
                }
                for store in names {
                    guard let place = store.string, !place.isEmpty else {
                        throw source.problem(store.place, "the store \(store.key) wants a path as a string")
                    }
                    guard place.hasPrefix("/") || StorePlace.scheme(of: Array(place.utf8)) != nil else {
                        throw source.problem(store.place, "the path of the store \(store.key) is not absolute")
                    }
                    stores[store.key] = place
                }
            default:
                throw source.problem(
                    setting.keyPlace,
                    "there is no setting \(key); there are identity, state, cache, series, [hooks] and [stores]")
            }
        }
    }

    private struct Source {
        let path: BytePath

        func absolute(_ value: TOMLValue, _ key: String) throws -> BytePath {
            guard let text = value.string else { throw problem(value.place, "\(key) wants a path as a string") }
            guard text.hasPrefix("/") else { throw problem(value.place, "the path of \(key) is not absolute") }
            guard !text.utf8.contains(0) else { throw problem(value.place, "the path of \(key) holds a zero byte") }
            return BytePath(text)
        }

        func problem(_ place: TOMLPlace?, _ message: String) -> Problem {
            guard let place else { return .usage("\(path): \(message)") }
            return .usage("\(path), line \(place.line), column \(place.column): \(message)")
        }
    }
}
