// How a store is reached, as the configuration says it, and opening it so.

internal import Platform
public import Reporting

/// A store's place, and what has to be known to use it.
public struct StoreSettings: Sendable {
    public var location: StoreLocation
    public var credentials = S3CredentialSource.usual
    public var transport = TransportSettings()
    /// What is run as ssh, and its first words; nil: ssh.
    public var ssh: [String]?
    /// Bytes a second, of reads and writes together; nil: as fast as it goes.
    public var rate: UInt64?
    /// What the store was at this time is read, in seconds since 1970; nil: what it is.
    public var moment: Int64?

    public init(_ location: StoreLocation) { self.location = location }

    /// The store, which ends its calls once somebody asks the work to stop.
    /// - Parameters:
    ///   - writing: whether anything may be written there; a medium that is only read is mounted for reading.
    ///   - tell: what should be known of a medium, in a sentence.
    /// - Throws: where this kind of store cannot do what is wanted of it, or there is no such medium.
    public func open(_ stop: Stop, writing: Bool, tell: (String) -> Void = { _ in }) throws -> any ObjectStore {
        var store: any ObjectStore
        switch location {
        case .folder(let path): store = FolderStore(path)
        case .s3(let location):
            store = S3Store(location, credentials: credentials, settings: transport, at: moment, stop: stop)
        case .sftp(let location):
            var key: BytePath?
            if case .file(let path) = credentials { key = path }
            let words = ssh.map { $0.map { ProgramWord($0) } } ?? ["ssh"]
            if HostFacts.isRoot, ssh != nil, let first = ssh?.first, let problem = ProgramOwner.problem(BytePath(first))
            {
                throw LocationError(
                    "\(first) is not run as root: \(problem)", mend: "`chown root`, `chmod go-w`, its folders too")
            }
            store = SFTPStore(location, key: key, ssh: words, stop: stop)
        case .medium(let location): store = try MediumStore.open(location, writing: writing, tell: tell)
        }
        if moment != nil, !(store is S3Store) {
            throw LocationError(
                "\(location) keeps no versions", mend: "an earlier state is read of an object store that keeps them")
        }
        if let rate { store = PacingStore(store, bytesPerSecond: rate) }
        if store.isFar { store = ReadAheadStore(RetryingStore(store, stop: stop)) }
        return StoppingStore(store, stop)
    }
}
