// Where the key of an object store comes from, and when it is asked for again.

internal import Cryptography
public import Platform
internal import Reporting

/// Where a key is looked for.
public enum S3CredentialSource: Sendable, Hashable {
    /// What was not named: systemd's credential `holdfast-s3`, the environment, the profile of `AWS_PROFILE` or `default`.
    case usual
    /// A file that its owner alone can read, in the form of ~/.aws/credentials; with or without the name of a section.
    case file(BytePath)
    /// A section of ~/.aws/credentials or ~/.aws/config.
    case profile(String)
    /// A credential of the unit, by its name.
    case systemd(String)
    /// A program that prints it as JSON, as `credential_process` wants it.
    case command([String])
    /// What the cloud's machine was given (IMDSv2).
    case machineRole
}

/// The key, asked for when it is first needed and before it ends.
final class S3CredentialCache: @unchecked Sendable {
    private let source: S3CredentialSource
    private let subject: String
    private let stop: Stop?
    private let monitor = Monitor()
    private var known: S3Credentials?

    /// Seconds before its end in which a key is used no more: a request that was signed has to arrive.
    static let margin: Int64 = 5 * 60

    init(_ source: S3CredentialSource, subject: String, stop: Stop?) {
        self.source = source
        self.subject = subject
        self.stop = stop
    }

    /// - Parameter now: by the store's clock, in seconds since 1970.
    func credentials(now: Int64) throws(StoreError) -> S3Credentials {
        // One thread asks; the others wait for its answer.
        let result: Result<S3Credentials, StoreError> = monitor.withLock {
            if let known, known.expiration.map({ $0 - now > Self.margin }) ?? true { return .success(known) }
            do throws(StoreError) {
                let new = try S3CredentialReader(subject: subject, stop: stop).read(source)
                known = new
                return .success(new)
            } catch {
                // One that could not be renewed serves until its end.
                if let known, let end = known.expiration, end > now { return .success(known) }
                return .failure(error)
            }
        }
        return try result.get()
    }

    /// Forgets a key that the store did not take: it may have been renewed meanwhile.
    func forget() { monitor.withLock { known = nil } }
}

struct S3CredentialReader {
    let subject: String
    let stop: Stop?

    /// How many seconds a program that prints a key may take.
    var programLimit = 60

    private static let lengthLimit = 1 << 16

    private func problem(_ words: String, mend: String? = nil) -> StoreError {
        StoreError(
            .refused, "sign requests to", subject, words,
            mend: mend
                ?? "name a file of mode 600 in the configuration: [stores.NAME] credentials = \"FILE\"")
    }

    func read(_ source: S3CredentialSource) throws(StoreError) -> S3Credentials {
        switch source {
        case .usual: try usual()
        case .file(let path): try file(path, section: nil)
        case .profile(let name): try profile(name)
        case .systemd(let name):
            if let found = try systemd(name) { found } else { throw problem("the unit has no credential \(name)") }
        case .command(let words): try command(words)
        case .machineRole: try S3MachineRole(subject: subject, stop: stop).read()
        }
    }

    private func usual() throws(StoreError) -> S3Credentials {
        if let found = try systemd("holdfast-s3") { return found }
        if let found = try environment() { return found }
        let name = HostFacts.environment("AWS_PROFILE")?.description
        let files = [Self.credentialsFile, Self.configurationFile]
        guard name != nil || files.contains(where: exists) else { throw problem("there is no key to sign with") }
        return try profile(name ?? "default")
    }

    private func environment() throws(StoreError) -> S3Credentials? {
        let access = HostFacts.environment("AWS_ACCESS_KEY_ID")
        let secret = HostFacts.environment("AWS_SECRET_ACCESS_KEY")
        guard access != nil || secret != nil else { return nil }
        guard let access, let secret, !access.bytes.isEmpty, !secret.bytes.isEmpty else {
            throw problem("of AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY one alone is set")
        }
        return S3Credentials(
            accessKey: try accessKey(access.bytes), secretKey: Secret(secret.bytes),
            sessionToken: HostFacts.environment("AWS_SESSION_TOKEN").map { Secret($0.bytes) })
    }

    private func systemd(_ name: String) throws(StoreError) -> S3Credentials? {
        guard let folder = HostFacts.environment("CREDENTIALS_DIRECTORY"), folder.isAbsolute,
            !name.contains("/"), exists(folder.appending(name))
        else { return nil }
        return try file(folder.appending(name), section: nil)
    }

    // MARK: Files

    private static var credentialsFile: BytePath {
        HostFacts.environment("AWS_SHARED_CREDENTIALS_FILE") ?? HostFacts.homeFolder.appending(".aws/credentials")
    }
    private static var configurationFile: BytePath {
        HostFacts.environment("AWS_CONFIG_FILE") ?? HostFacts.homeFolder.appending(".aws/config")
    }

    private func profile(_ name: String) throws(StoreError) -> S3Credentials {
        if exists(Self.credentialsFile), let found = try settings(Self.credentialsFile)[name] {
            return try credentials(found, of: Self.credentialsFile)
        }
        let section = name == "default" ? name : "profile \(name)"
        if exists(Self.configurationFile), let found = try settings(Self.configurationFile)[section] {
            return try credentials(found, of: Self.configurationFile)
        }
        throw problem("there is no profile \(printable(Array(name.utf8))) in \(Self.credentialsFile)")
    }

    /// - Parameter section: nil: what stands before all sections, or in the only one.
    private func file(_ path: BytePath, section: String?) throws(StoreError) -> S3Credentials {
        let all = try settings(path)
        let found = section.map { all[$0] } ?? all[""] ?? (all.count == 1 ? all.first?.value : all["default"])
        guard let found else { throw problem("\(path) holds no key") }
        return try credentials(found, of: path)
    }

    private func credentials(_ settings: [String: Secret], of path: BytePath) throws(StoreError) -> S3Credentials {
        if let program = settings["credential_process"], settings["aws_secret_access_key"] == nil {
            let words = program.withUnsafeBytes { String(decoding: $0, as: UTF8.self) }
            return try command(words.split(separator: " ").map(String.init))
        }
        guard let access = settings["aws_access_key_id"], let secret = settings["aws_secret_access_key"] else {
            throw problem("\(path) wants aws_access_key_id = … and aws_secret_access_key = …, a line each")
        }
        return S3Credentials(
            accessKey: try accessKey(access.withUnsafeBytes { Array($0) }), secretKey: secret,
            sessionToken: settings["aws_session_token"])
    }

    /// The lines `name = value` of a file that nobody else can read, by their sections.
    private func settings(_ path: BytePath) throws(StoreError) -> [String: [String: Secret]] {
        var (isFile, isOpen) = (true, false)
        var bytes: [UInt8]
        do throws(SystemError) {
            // Looked at through what is read: a name may lead elsewhere the next time.
            let file = try Descriptor.open(path, .nonBlocking)
            let status = try file.status()
            isFile = status.kind == .file
            isOpen = status.mode & 0o077 != 0
            bytes = isFile && !isOpen ? try readWhole(file, limit: Self.lengthLimit, named: path.description) : []
        } catch { throw problem("\(path): \(error.reason)") }
        if !isFile { throw problem("\(path) is no file") }
        if isOpen {
            throw problem("others can read the key in \(path)", mend: "`chmod 600 \(path)`, and make a new key")
        }
        defer { erase(&bytes) }
        var result: [String: [String: Secret]] = [:]
        var section = ""
        for line in bytes.split(separator: UInt8(ascii: "\n")) {
            let line = trimmed(line)
            guard let first = line.first, first != UInt8(ascii: "#"), first != UInt8(ascii: ";") else { continue }
            if first == UInt8(ascii: "["), let end = line.firstIndex(of: UInt8(ascii: "]")) {
                section = String(decoding: trimmed(line[line.index(after: line.startIndex)..<end]), as: UTF8.self)
                if result[section] == nil { result[section] = [:] }
                continue
            }
            guard let equals = line.firstIndex(of: UInt8(ascii: "=")) else { continue }
            let name = String(decoding: trimmed(line[..<equals]), as: UTF8.self)
            let value = trimmed(line[line.index(after: equals)...])
            result[section, default: [:]][name] = value.withUnsafeBytes { Secret(copying: $0) }
        }
        return result
    }

    private func trimmed(_ text: ArraySlice<UInt8>) -> ArraySlice<UInt8> {
        var text = text
        while let first = text.first, first <= 32 { text.removeFirst() }
        while let last = text.last, last <= 32 { text.removeLast() }
        return text
    }

    /// It goes into a header as it is.
    func accessKey(_ bytes: [UInt8]) throws(StoreError) -> String {
        guard (1...256).contains(bytes.count), bytes.allSatisfy({ $0 > 32 && $0 < 127 && $0 != UInt8(ascii: "/") })
        else { throw problem("the name of its key is none") }
        return String(decoding: bytes, as: UTF8.self)
    }

    // MARK: Programs

    private func command(_ words: [String]) throws(StoreError) -> S3Credentials {
        guard let name = words.first, name.hasPrefix("/") else {
            throw problem("the program that prints its key is no absolute path")
        }
        if HostFacts.isRoot, let problem = ProgramOwner.problem(BytePath(name)) {
            throw self.problem(
                "\(name) is not run as root: \(problem)", mend: "`chown root`, `chmod go-w`, its folders too")
        }
        var result: ProgramResult
        do throws(SystemError) {
            result = try runProgram(
                words.map { ProgramWord($0) }, isHook: true, limit: programLimit,
                outputLimit: UInt64(Self.lengthLimit), stop: stop)
        } catch { throw problem("\(name): \(error.reason)", mend: error.isAbsent ? nil : "run it by hand") }
        defer { erase(&result.output) }
        guard result.status == 0 else {
            throw problem("\(name) ended with status \(result.status): \(result.complaint)", mend: "run it by hand")
        }
        return try S3LentKey.credentials(in: result.output, of: name, reader: self)
    }

    func problem(in source: String, _ words: String) -> StoreError { problem("\(source) \(words)") }
}
