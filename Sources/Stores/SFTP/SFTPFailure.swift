// Why a request to an SFTP server came to nothing, and what ssh's complaints mean.

internal import Platform

enum SFTPFailure: Error {
    /// The server says so.
    case status(SFTPStatus, String)
    /// The connection is gone; nobody knows whether what was asked for was done.
    case lost(SFTPLoss)
    /// It is known already what to say of it.
    case explained(StoreError)

    var status: SFTPStatus? { if case .status(let status, _) = self { status } else { nil } }
    var isLost: Bool { if case .lost = self { true } else { false } }
}

/// How a connection ended, or why there was none.
struct SFTPLoss: Sendable {
    /// `.unreachable`; `.refused` or `.unusable` where the next attempt would meet the same; `.interrupted`.
    var reason: StoreError.Reason
    var detail: String
    var mend: String?

    init(_ reason: StoreError.Reason, _ detail: String, mend: String? = nil) {
        self.reason = reason
        self.detail = detail
        self.mend = mend
    }

    /// What the program that is to bring us to the server has complained of.
    /// - Parameter hadBegun: the server had answered before: then it was no refusal.
    init(complaint: [UInt8], hadBegun: Bool, at location: SFTPLocation) {
        let lines = complaint.split { $0 == UInt8(ascii: "\n") || $0 == UInt8(ascii: "\r") }.map { printable($0) }
        let text = lines.joined(separator: "\n")
        // ssh says last what ended it; what a banner or a warning says comes before.
        let last = lines.last { !$0.isEmpty } ?? "the connection ended"
        self.init(.unreachable, last)
        if hadBegun { return }
        for known in Self.refusals where known.signs.contains(where: text.contains) {
            self.init(
                known.reason, known.detail ?? last,
                mend: known.mend.replacing("ssh HOST", with: location.command).replacing(
                    "HOST", with: location.knownName))
            return
        }
    }

    /// Something came that is no SFTP.
    init(_ garbage: SFTPGarbage, beginning: [UInt8], hadBegun: Bool) {
        // A shell's greeting, read as the length of a packet.
        let isText =
            beginning.count >= 4 && beginning.prefix(40).allSatisfy { $0 >= 0x20 && $0 < 0x7f || $0 == 10 || $0 == 13 }
        if !hadBegun, isText {
            let line = beginning.prefix { $0 != 10 && $0 != 13 }
            self.init(
                .unusable, "instead of SFTP, the account says “\(printable(line))”",
                mend: "give it a shell that says nothing when it is not used by hand, or `ForceCommand internal-sftp`")
        } else if !hadBegun {
            self.init(
                .unusable, "the server sent \(garbage.what)", mend: "is it an SFTP server? `sftp` by hand shows more")
        } else {
            self.init(.unreachable, "the server sent \(garbage.what), which is no SFTP")
        }
    }

    private struct Refusal {
        /// Parts of what OpenSSH's client writes.
        var signs: [String]
        var reason = StoreError.Reason.refused
        /// nil where ssh's last line says it well.
        var detail: String?
        var mend: String
    }

    /// From the particular to the general.
    private static let refusals = [
        Refusal(
            signs: ["REMOTE HOST IDENTIFICATION HAS CHANGED", "differs from the key for the IP address"],
            detail: "the server's host key is another one than before",
            mend:
                "if the server was set up anew, compare its key with the one that its administrator tells, and remove the old one with `ssh-keygen -R HOST`; if it was not, somebody else answers in its place"
        ),
        Refusal(
            signs: ["Host key verification failed", "host key is known for"],
            detail: "the server's host key is not known here",
            mend:
                "as the user that this runs as, `ssh HOST` once by hand, and compare the key that it shows with the one that its administrator tells"
        ),
        Refusal(
            signs: ["Permission denied (", "Too many authentication failures", "No more authentication methods"],
            detail: "the server accepts none of the keys that ssh has here",
            mend:
                "put the public key into the account's authorized_keys, or name the right key; a key with a passphrase has to be in the agent first (`ssh-add -l`)"
        ),
        Refusal(
            signs: [
                "subsystem request failed", "This account is currently not available",
                "This service allows sftp connections only",
            ],
            reason: .unusable, detail: "the account has no SFTP",
            mend:
                "the server's sshd_config needs `Subsystem sftp internal-sftp`, and the account a shell or `ForceCommand internal-sftp`"
        ),
        Refusal(
            signs: [
                "Bad configuration option", "bad configuration options", "Bad owner or permissions",
                "no argument after keyword", "keyword",
            ],
            detail: nil, mend: "mend ssh's configuration; `ssh HOST` says more"),
        Refusal(
            signs: [
                "no matching host key type", "no matching key exchange method", "no matching cipher", "no matching MAC",
            ],
            detail: nil, mend: "server and client have no method in common: one of them is too old"),
    ]
}
