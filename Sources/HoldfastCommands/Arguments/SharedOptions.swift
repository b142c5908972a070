// Options that several commands share: for whom something is encrypted, where it is read from and written to.

internal import ArgumentParser
internal import Images

/// For whom a new store or a single file is encrypted.
struct RecipientOptions: ParsableArguments {
    @Option(
        name: .customLong("recipient"),
        help: ArgumentHelp(
            "Who can restore (age1…); may be repeated. Default: your own identity.", valueName: "recipient"),
        transform: RecipientArgument.init)
    var recipients: [RecipientArgument] = []

    @Flag(help: "Let a passphrase open it, too; it is asked for.")
    var passphrase = false

    var isGiven: Bool { !recipients.isEmpty || passphrase }
}

/// Where an image is read from.
struct SourceOptions: ParsableArguments {
    @Option(help: ArgumentHelp("The store.", valueName: "store"))
    var from: StoreArgument?

    @Option(help: ArgumentHelp("An image in a single file; - is standard input.", valueName: "file"))
    var input: PathArgument?

    @Option(
        help: ArgumentHelp(
            "The store as it was at this time (2026-11-27T06:00:00Z), where an object store keeps versions.",
            valueName: "time"))
    var at: TimeArgument?

    @Option(help: ArgumentHelp("Only images of this series.", valueName: "series"), completion: .series)
    var series: NameArgument?

    @Option(help: ArgumentHelp("Only images of this host.", valueName: "host"))
    var host: NameArgument?

    var filter: ImageFilter { ImageFilter(series: series?.text, host: host?.text) }

    func check() throws {
        if (from == nil) == (input == nil) { throw ValidationError("Give either --from STORE or --input FILE.") }
        if input != nil && at != nil { throw ValidationError("--at is for a store.") }
        if input != nil && !filter.isEmpty {
            throw ValidationError("--series and --host choose among the images of a store; a single file holds one.")
        }
    }
}

/// How fast stores are read and written.
struct RateOptions: ParsableArguments {
    @Option(help: ArgumentHelp("Read and write a store at so many bytes a second at most (2MB).", valueName: "size"))
    var rate: SizeArgument?

    func pacing(_ store: StoreArgument) -> StoreArgument {
        var store = store
        store.rate = rate?.bytes
        return store
    }
}

extension SourceOptions {
    /// The store, as it is to be read.
    func store(_ pace: RateOptions? = nil) -> StoreArgument? {
        var store = from.map { pace?.pacing($0) ?? $0 }
        store?.moment = at?.seconds
        return store
    }
}

/// Where an image is written to.
struct TargetOptions: ParsableArguments {
    @Option(help: ArgumentHelp("The store.", valueName: "store"))
    var to: StoreArgument?

    @Option(
        help: ArgumentHelp(
            "A single file; - is standard output (into a pipe without a line of progress, which the program behind it shows; with --verbose with one).",
            valueName: "file"))
    var output: PathArgument?

    @Option(
        help: ArgumentHelp(
            "Cut the single file into parts of this length (700M, 4GiB), 256K or more.", valueName: "size"))
    var partSize: SizeArgument?

    private static let smallestPart: UInt64 = 256_000

    func check() throws {
        if (to == nil) == (output == nil) { throw ValidationError("Give either --to STORE or --output FILE.") }
        if partSize != nil && output?.isStandard != false {
            throw ValidationError("--part-size goes with --output FILE.")
        }
        if let partSize, partSize.bytes < Self.smallestPart {
            throw ValidationError(
                "--part-size is 256K or more: all parts are open until the last is written, and a system allows only so many."
            )
        }
    }
}
