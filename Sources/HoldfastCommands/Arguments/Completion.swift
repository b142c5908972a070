// What the shell offers where a restore point, a store or an image is named. It looks and no more: nothing is asked for or written, what
// cannot be told is not offered, and what takes too long neither.

internal import ArgumentParser
internal import Glibc
internal import Images
internal import Machine
internal import Platform
internal import RestorePoints
internal import Stewardship
internal import Stores

extension CompletionKind {
    static var points: CompletionKind { .custom { words, _, _ in Completion(words).points() } }
    /// Of a store where one is named on the line.
    static var pointsOrImages: CompletionKind {
        .custom { words, _, _ in
            let completion = Completion(words)
            return completion.value("--from") == nil ? completion.points() : completion.images()
        }
    }
    static var stores: CompletionKind { .custom { words, _, _ in Completion(words).stores() } }
    static var jobs: CompletionKind { .custom { words, _, _ in Completion(words).jobs() } }
    static var images: CompletionKind { .custom { words, _, _ in Completion(words).images() } }
    /// Of the store that is named on the line.
    static var series: CompletionKind { .custom { words, _, _ in Completion(words).series() } }
}

struct Completion {
    /// The word that stands before everything else when a shell asks.
    static let request = "---completion"
    /// A line that the scripts take for the folders that are there.
    static let folders = "/"

    /// The words of the line, as they are meant.
    private let words: [String]

    /// - Parameter words: as they were typed, with their quotes.
    init(_ words: [String]) { self.words = words.map(Self.unquoted) }

    /// Whoever presses a key waits, and sees no message of ours.
    static func keepQuietAndShort() {
        let nowhere = open("/dev/null", O_RDWR | O_CLOEXEC)
        if nowhere >= 0 { _ = (dup2(nowhere, 0), dup2(nowhere, 2)) }
        signal(SIGALRM) { _ in _exit(0) }
        var limit = itimerval()
        limit.it_value = timeval(tv_sec: 1, tv_usec: 500_000)
        setitimer(__itimer_which_t(ITIMER_REAL.rawValue), &limit, nil)
    }

    // MARK: What is offered

    func points() -> [String] {
        let state = value("--state").map { BytePath(ArgumentText.bytes(of: $0)) } ?? places.state
        let points = (try? ProtectedTree.points(state: state)) ?? []
        return formatted(points.reversed().map { ($0.name, $0.message) })
    }

    func stores() -> [String] {
        formatted(
            configuration.stores.sorted { $0.key < $1.key }.map { ($0.key, $0.value.settings.location.description) })
            + [Self.folders]
    }

    func jobs() -> [String] { formatted(configuration.jobs.map { ($0.name, "to " + $0.to.joined(separator: ", ")) }) }

    /// As far as the keys at hand show them.
    func images() -> [String] {
        guard let images = try? listed(of: value("--series")), !images.isEmpty else { return [] }
        let digits = idDigits(images)
        let ids = images.reversed().compactMap { image in
            image.label.map { label in
                (String(image.id.description.prefix(digits)), "\(Text.localMinute(label.time)) \(label.series)")
            }
        }
        // A name that several images have names none of them.
        let counts = Dictionary(images.compactMap { $0.label?.name }.map { ($0, 1) }, uniquingKeysWith: +)
        let names = counts.filter { $0.value == 1 }.keys.sorted().map { ($0, "") }
        return formatted([("latest", "the newest of a series")] + ids + names)
    }

    /// The series of these images, each with the time of its newest.
    func series() -> [String] {
        // What stands behind --series now is what is being typed.
        let labels = ((try? listed(of: nil)) ?? []).compactMap(\.label)
        let newest = Dictionary(labels.map { (ExactText($0.series), $0.time) }) { max($0, $1) }
        return formatted(newest.sorted { $0.key < $1.key }.map { ($0.key.text, Text.localMinute($0.value)) })
    }

    private func listed(of series: String?) throws -> [ImageSummary] {
        guard let from = value("--from").flatMap(StoreArgument.init) else { return [] }
        // What is far away is not asked while somebody types.
        guard let folder = try StorePlace(from, configuration).location.folder else { return [] }
        var machine = MachineState(state: places.keys, cache: places.cache)
        machine.isReadOnly = true
        let keys = try identities.map { try IdentityFile.read($0, on: Console(isJSON: false, isQuiet: true)) }
        let credentials = Credentials(
            identities: keys.flatMap(\.identities), steward: keys.compactMap(\.steward).last,
            trust: StoreTrust(noted: keys.flatMap(\.notedStores)))
        let store = try Store.open(folder, for: .list, credentials: credentials, machine: machine)
        let filter = ImageFilter(series: series, host: value("--host"))
        return try store.images().filter { $0.problem == nil && $0.label.map(filter.holds) ?? false }
    }

    // MARK: What it follows from

    private var configuration: Configuration {
        let given = value("--config").map { BytePath(ArgumentText.bytes(of: $0)) }
        return (try? Configuration.load(given)) ?? Configuration()
    }

    private var places: Places {
        var places = Places()
        let configuration = configuration
        places.apply(state: configuration.state, cache: configuration.cache)
        return places
    }

    private var identities: [BytePath] {
        let given = values("--identity").map { BytePath(ArgumentText.bytes(of: $0)) }
        let paths = given.isEmpty ? configuration.identities : given
        // A pipe can be read once, and that is for the command itself.
        return (paths.isEmpty ? [places.identity] : paths).filter {
            (try? Descriptor.open($0, .place).status().kind) == .file
        }
    }

    fileprivate func value(_ option: String) -> String? { values(option).last }

    private func values(_ option: String) -> [String] {
        words.indices.compactMap { index in
            if words[index].hasPrefix(option + "=") { return String(words[index].dropFirst(option.count + 1)) }
            return words[index] == option && index + 1 < words.count ? words[index + 1] : nil
        }
    }

    // MARK: Shells

    /// A word as the shell would hand it over: without quotes, the home folder for `~`.
    static func unquoted(_ word: String) -> String {
        var result = ""
        var quote: Character?
        var rest = word[...]
        if rest.hasPrefix("~/") {
            result = ArgumentText.encode(HostFacts.homeFolder.bytes)
            rest = rest.dropFirst()
        }
        while let character = rest.popFirst() {
            switch character {
            case "\\" where quote != "'": result += rest.popFirst().map(String.init) ?? ""
            case "'", "\"":
                if quote == nil {
                    quote = character
                } else if quote == character {
                    quote = nil
                } else {
                    result.append(character)
                }
            default: result.append(character)
            }
        }
        return result
    }

    /// Lines as the scripts want them: names of others are words, and no commands, to every shell.
    private func formatted(_ offers: [(name: String, remark: String)]) -> [String] {
        offers.filter { !$0.name.isEmpty && Text.safe($0.name) == $0.name && !$0.name.contains("\\") }.map { offer in
            let remark = Text.safe(offer.remark)
            return switch CompletionShell.requesting {
            case CompletionShell.bash: "'" + offer.name.replacing("'", with: #"'\''"#) + "'"
            case CompletionShell.zsh:
                offer.name.replacing(":", with: "\\:") + (remark.isEmpty ? "" : ":" + remark)
            default: offer.name + (remark.isEmpty ? "" : "\t" + remark)
            }
        }
    }
}
