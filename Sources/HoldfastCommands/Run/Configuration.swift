// The configuration: which identity, where state and cache are, what stores are called. A key that nobody knows is an
// error, since a typing error must not silently mean the default.

internal import Images
internal import Platform
internal import RestorePoints
internal import TOMLKit

struct Configuration {
    static let standardPath: BytePath = "/etc/holdfast/config.toml"

    var identities: [BytePath] = []
    var state: BytePath?
    var cache: BytePath?
    /// Which hardware is one series.
    var series = HardwareSeries.standardPath
    /// What stands around the making of points and snapshots.
    var hooks = Hooks()
    /// Names of stores, and the path or URL that each stands for.
    var stores: [String: String] = [:]

    init() {}

    /// Reads the file that was asked for; the standard one need not exist.
    static func load(_ given: BytePath?) throws -> Configuration {
        let asked = given ?? HostFacts.environment("HOLDFAST_CONFIG")
        let path = asked ?? standardPath
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
        let table: TOMLTable
        do {
            table = try TOMLTable(string: text)
        } catch let error as TOMLParseError {
            let place = error.source.begin
            throw Problem.usage("\(path), line \(place.line), column \(place.column): \(error.description)")
        }
        let source = Source(text: text, path: path)
        for key in table.keys {
            let value = table[key]
            switch key {
            case "identity":
                if let one = value?.string {
                    identities = [try source.absolute(one, key)]
                } else if let several = value?.array {
                    for element in several {
                        guard let one = element.string else {
                            throw source.problem(key, "\(key) wants paths as strings")
                        }
                        identities.append(try source.absolute(one, key))
                    }
                } else {
                    throw source.problem(key, "\(key) wants a path, or an array of paths")
                }
            case "state": state = try source.absolute(value?.string, key)
            case "cache": cache = try source.absolute(value?.string, key)
            case "series": series = try source.absolute(value?.string, key)
            case "hooks":
                guard let places = value?.table else { throw source.problem(key, "[hooks] wants to be a table") }
                for name in places.keys {
                    let program = try source.absolute(places[name]?.string, name)
                    switch name {
                    case "before": hooks.before = program
                    case "after": hooks.after = program
                    default: throw source.problem(name, "there is no hook \(name); there are before and after")
                    }
                }
            case "stores":
                guard let names = value?.table else { throw source.problem(key, "[stores] wants to be a table") }
                for name in names.keys {
                    guard let place = names[name]?.string, !place.isEmpty else {
                        throw source.problem(name, "the store \(name) wants a path as a string")
                    }
                    guard place.hasPrefix("/") || StorePlace.scheme(of: Array(place.utf8)) != nil else {
                        throw source.problem(name, "the path of the store \(name) is not absolute")
                    }
                    stores[name] = place
                }
            default:
                throw source.problem(
                    key, "there is no setting \(key); there are identity, state, cache, series, [hooks] and [stores]")
            }
        }
        withExtendedLifetime(table) {}
    }

    /// TOMLKit says where a document is malformed, but not where a value stands.
    private struct Source {
        let text: String
        let path: BytePath

        func absolute(_ value: String?, _ key: String) throws -> BytePath {
            guard let value else { throw problem(key, "\(key) wants a path as a string") }
            guard value.hasPrefix("/") else { throw problem(key, "the path of \(key) is not absolute") }
            return BytePath(value)
        }

        func problem(_ key: String, _ message: String) -> Problem {
            for (number, line) in text.split(separator: "\n", omittingEmptySubsequences: false).enumerated() {
                let indent = line.prefix { " \t[\"'".contains($0) }
                if line.dropFirst(indent.count).hasPrefix(key) {
                    return .usage("\(path), line \(number + 1), column \(indent.count + 1): \(message)")
                }
            }
            return .usage("\(path): \(message)")
        }
    }
}
