// `holdfast drill verify`: who holds a report can tell whether it holds.

internal import ArgumentParser
internal import AuditLog
internal import Cryptography
internal import Machine
internal import Platform
internal import Stewardship

struct DrillVerifyCommand: StatefulCommand {
    static let configuration = CommandConfiguration(
        commandName: "verify", abstract: "Check the report of a drill, its signature and its page.",
        discussion: discussion(
            """
            OpenSSH agrees: ssh-keygen -Y verify -f SIGNERS -I NAME -n \(DrillReport.namespace) -s FILE.sig < FILE
            """,
            examples: "holdfast drill verify drill.json",
            "holdfast drill verify drill.json --signer press-01.pub # whose it is"))

    @Argument(help: "The report.") var file: PathArgument

    @Option(
        help: ArgumentHelp(
            "The public key that ought to have signed it, or a file of allowed signers (default: this machine's own, where it has one).",
            valueName: "file"))
    var signer: PathArgument?

    @OptionGroup var state: StateOptions
    @OptionGroup(title: "Everywhere") var global: GlobalOptions

    func perform(_ session: Session) throws -> Outcome {
        let (report, key) = try DrillReport.check(file.absolute)
        let isTrusted = try session.isTrusted(
            key, signer, own: SignedDocument.publicKey(state: state.places(session).drillState), file.path)
        session.show(
            [
                ("sound", .flag(true)), ("signer", .text(SSHSignature.line(of: key))), ("known", .flag(isTrusted)),
            ] + JSON.drill(report, try file.absolute),
            summary: ["sound: \(report.sentence)", "signed with \(SSHSignature.line(of: key))"])
        return isTrusted ? .done : .findings
    }
}

extension Session {
    /// Whether a document was signed by whom it ought to be: a key that was given, or else the machine's own.
    /// - Returns: false where nobody knows whose key it is, which is said.
    /// - Throws: `SignedDocumentError.bad` where it was somebody else.
    func isTrusted(_ key: VerifyingKey, _ signer: PathArgument?, own: BytePath, _ file: BytePath) throws -> Bool {
        guard let trusted = try signer?.absolute ?? (exists(own) ? own : nil) else {
            console.warning("nobody knows whose key signed it; give the one that it ought to be with --signer")
            return false
        }
        let text = String(decoding: try readGiven(trusted, limit: 1 << 20), as: UTF8.self)
        if !SSHSignature.keys(ofSigners: text).contains(key) {
            throw SignedDocumentError.bad(file: file, reason: "it was signed with another key than \(trusted) has")
        }
        return true
    }
}
