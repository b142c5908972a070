// The server of a store: how it is reached, and what its answers mean for a store.

internal import Platform
internal import Reporting

final class SFTPServer: Sendable {
    let location: SFTPLocation
    let channels: SFTPChannels
    let files = SFTPOpenFiles(limit: 64)

    init(
        _ location: SFTPLocation, words: [ProgramWord], connections: Int, deadline: Int, stop: Stop
    ) {
        self.location = location
        channels = SFTPChannels(most: connections) { () throws(SFTPFailure) in
            // What ssh and the commands of its configuration need to find the user's keys.
            try SFTPChannel(
                words, variables: ["HOME", "USER", "LOGNAME", "SSH_AUTH_SOCK", "KRB5CCNAME", "XDG_RUNTIME_DIR"],
                location: location, deadline: deadline, stop: stop)
        }
    }

    /// With what ssh is called. Its configuration, known hosts, agent and keys are the user's own; it asks nobody anything.
    /// - Parameter ssh: the program, and its first words.
    static func words(_ location: SFTPLocation, key: BytePath?, ssh: [ProgramWord]) -> [ProgramWord] {
        var words = ssh
        words += [
            "-oBatchMode=yes", "-oServerAliveInterval=15", "-oServerAliveCountMax=3", "-oConnectTimeout=20", "-T", "-a",
            "-x",
        ]
        if let port = location.port { words += ["-p", "\(port)"] }
        if let key { words += ["-i", ProgramWord(key)] }
        if let user = location.user { words += ["-l", ProgramWord(user)] }
        return words + ["-s", "--", ProgramWord(location.host), "sftp"]
    }

    func path(_ name: [UInt8]) -> [UInt8] {
        name.isEmpty ? location.path : location.path + [UInt8(ascii: "/")] + name
    }

    func describe(_ name: String) -> String { name.isEmpty ? "\(location)" : "\(location)/\(name)" }

    /// Makes a call, and says of a failure what it means.
    func calling<R>(
        _ verb: String, _ name: String, on channel: SFTPChannel? = nil, isSmall: Bool = false,
        _ body: (SFTPChannel) throws(SFTPFailure) -> R
    ) throws(StoreError) -> R {
        do throws(SFTPFailure) {
            return try channels.with(channel, isSmall: isSmall, body)
        } catch { throw explain(error, verb, name) }
    }

    func explain(_ failure: SFTPFailure, _ verb: String, _ name: String) -> StoreError {
        let subject = describe(name)
        switch failure {
        case .explained(let error): return error
        case .lost(let loss):
            let mend =
                "is the server up, and to be reached from here? `\(location.command)` shows more. The same command goes on"
            return StoreError(loss.reason, "reach", "\(location)", loss.detail, mend: loss.mend ?? mend)
        case .status(let status, let text):
            let detail = text.isEmpty ? "" : "the server says “\(printable(text.utf8))”"
            switch status {
            case .absent: return StoreError(.absent, verb, subject, detail)
            case .present: return StoreError(.exists, verb, subject, detail)
            case .denied:
                return StoreError(
                    .refused, verb, subject, detail,
                    mend: "on the server, give the account the right to do this there, or use another account")
            case .unsupported, .badMessage: return StoreError(.refused, verb, subject, detail)
            default: return StoreError(.failed, verb, subject, detail)
            }
        }
    }

    /// OpenSSH has one answer for all that has no code: asks what may be behind it.
    /// - Parameters:
    ///   - folder: on the medium that it is about.
    ///   - wanted: how many bytes were to be written.
    func diagnose(
        _ failure: SFTPFailure, _ channel: SFTPChannel, _ verb: String, _ name: String, folder: [UInt8], wanted: Int = 0
    ) throws(SFTPFailure) -> SFTPFailure {
        guard case .status(.failure, _) = failure else { return failure }
        var found = try channel.space(at: folder)
        if found == nil { found = try channel.space(at: location.path) }
        guard let space = found else { return failure }
        if space.isReadOnly {
            return .explained(
                StoreError(
                    .refused, verb, describe(name), "the server's medium is read-only",
                    mend: "mount it there so that it can be written, or use another one"))
        }
        if !space.hasNames || space.free < UInt64(max(wanted, 64 << 10)) {
            return .explained(
                StoreError(
                    .full, verb, describe(name),
                    "there is no room left on the server for \(describe(name)): \(space.free >> 20) MiB are free"))
        }
        return failure
    }
}
