// The options that every command takes.

internal import ArgumentParser
internal import Machine

struct GlobalOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "The configuration (default: $HOLDFAST_CONFIG, then \(Places.standardConfigurationFile)).",
            valueName: "file"))
    var config: PathArgument?

    @Option(
        name: .customLong("identity"),
        help: ArgumentHelp("A file of private keys; may be repeated.", valueName: "file"))
    var identities: [PathArgument] = []

    @Option(help: ArgumentHelp("A file whose first line is the passphrase.", valueName: "file"))
    var passphraseFile: PathArgument?

    @Option(
        help: ArgumentHelp(
            "The fingerprint that the store must have; another one is refused.", valueName: "fingerprint"))
    var storeFingerprint: FingerprintArgument?

    @Flag(help: "Give the result as one JSON document, progress as JSON lines on standard error.")
    var json = false

    @Flag(help: "Answer the confirmation with yes.")
    var yes = false

    @Flag(help: "No progress, notes or summary.")
    var quiet = false

    @Flag(help: "Tell more; list every finding.")
    var verbose = false

    func validate() throws {
        if quiet && verbose { throw ValidationError("--quiet and --verbose exclude each other.") }
    }
}

/// A command that does something, as opposed to one that groups others.
protocol HoldfastCommand: ParsableCommand {
    var global: GlobalOptions { get }

    /// Whether it changes something, so that its intent and its result belong on the machine's log.
    func isRecorded(in session: Session) -> Bool

    /// Whether it does its work whatever is wrong with the configuration, and where it cannot be put on record, as what the start of the machine
    /// runs.
    var goesOnRegardless: Bool { get }

    /// Refuses arguments that do not go together. It is asked where every word of the line is known, unlike `validate`: who misspells an
    /// option hears that, and not that it is missing.
    func check() throws

    /// What has to be before anything can be put on record.
    func makeReady(_ session: Session) throws

    /// Does the work and shows its result.
    func perform(_ session: Session) throws -> Outcome
}

extension HoldfastCommand {
    func isRecorded(in session: Session) -> Bool { false }
    var goesOnRegardless: Bool { false }
    func check() throws {}
    func makeReady(_ session: Session) throws {}
}

enum Outcome: Int32 {
    case done = 0
    /// Several things were to be done, and one of them was not; which and why has been said.
    case failed = 1
    /// Of `check` alone, for which 1 and 3 have another meaning, too: the statuses are a monitor's.
    case critical = 2
    /// Done, and something has to be known.
    case findings = 3
    /// The same, and each that was not done was refused.
    case refused = 4
    /// Done, and the start of the machine is to begin anew (`Initramfs.restartStatus`).
    case restart = 10
}
