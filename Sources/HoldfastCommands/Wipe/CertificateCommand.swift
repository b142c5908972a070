// `holdfast certificate verify` and `record`: who holds one can tell whether it holds; what was done by hand is on record, too.

internal import ArgumentParser
internal import AuditLog
internal import Cryptography
internal import Machine
internal import Platform
internal import Sanitization

struct CertificateCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "certificate", abstract: "Check a certificate of sanitization, or record what was done by hand.",
        discussion: discussion(examples: "holdfast certificate verify sdb.json"),
        subcommands: [Verify.self, Record.self])

    struct Verify: StatefulCommand {
        static let configuration = CommandConfiguration(
            abstract: "Check a certificate, its signature and its page.",
            discussion: discussion(
                """
                OpenSSH agrees: ssh-keygen -Y verify -f SIGNERS -I NAME -n \(Certificate.namespace) -s FILE.sig < FILE
                """,
                examples: "holdfast certificate verify sdb.json",
                "holdfast certificate verify sdb.json --signer press-01.pub # whose it is"))

        @Argument(help: "The certificate.") var file: PathArgument

        @Option(
            help: ArgumentHelp(
                "The public key that ought to have signed it (default: this machine's own, where it has one).",
                valueName: "file"))
        var signer: PathArgument?

        @OptionGroup var state: StateOptions
        @OptionGroup(title: "Everywhere") var global: GlobalOptions

        func perform(_ session: Session) throws -> Outcome {
            let (certificate, key) = try Certificate.check(file.absolute)
            let own = state.places(session).state.appending("certificate").appending("key.pub")
            let isTrusted: Bool
            do {
                isTrusted = try session.isTrusted(key, signer, own: own, file.path)
            } catch SignedDocumentError.bad(let file, let reason) {
                throw WipeError.badCertificate(file: file, reason: reason)
            }
            session.show(
                [
                    ("sound", .flag(true)), ("signer", .text(SSHSignature.line(of: key))), ("known", .flag(isTrusted)),
                    ("verdict", .text(certificate.verdict)),
                    ("achieved", .text(certificate.sanitization.methodAchieved)),
                ], summary: ["sound: \(certificate.verdict)", "signed with \(SSHSignature.line(of: key))"])
            return isTrusted ? .done : .findings
        }
    }

    struct Record: StatefulCommand {
        static let configuration = CommandConfiguration(
            abstract: "Certify that a medium was destroyed.",
            discussion: discussion(
                "Fields: \(Certificate.fields.joined(separator: ", ")).",
                examples: """
                    holdfast certificate record --level destroy --certificate s1234.json \\
                        --field serial=S1234 --field technique=shredded \\
                        --field witness="B. Ott" --field operator.name="A. Berg"
                    """))

        @Option(help: ArgumentHelp("destroy.", valueName: "level"), completion: .list(["destroy"])) var level: String

        @Option(
            name: .customLong("field"),
            help: ArgumentHelp("What the certificate is to say, as serial=…; may be repeated.", valueName: "k=v"))
        var fields: [TagArgument] = []

        @Option(help: ArgumentHelp("Where the certificate goes.", valueName: "file")) var certificate: PathArgument

        @OptionGroup var state: StateOptions
        @OptionGroup(title: "Everywhere") var global: GlobalOptions

        func check() throws {
            guard level == "destroy" else {
                throw ValidationError("What is done by hand is recorded with --level destroy.")
            }
            var empty = Certificate()
            for field in fields where !empty.set(field.key, to: field.value) {
                throw ValidationError(
                    "A certificate has no field \(field.key); `holdfast certificate record --help` lists them.")
            }
            for wanted in ["serial", "technique", "witness", "operator.name"]
            where !fields.contains(where: { $0.key == wanted && !$0.value.isEmpty }) {
                throw ValidationError("It wants --field \(wanted)=….")
            }
        }

        func isRecorded(in session: Session) -> Bool { true }

        func perform(_ session: Session) throws -> Outcome {
            var document = Certificate()
            document.sanitization.methodRequested = "destroy"
            document.sanitization.methodAchieved = "destroy"
            document.sanitization.tool = Version.tool
            document.sanitization.ended = Timestamp.now().text
            document.verification.method = "witness"
            for field in fields { _ = document.set(field.key, to: field.value) }
            if let head = (try? AuditLog(folder: state.places(session).log).head())?.description {
                document.logHead = head
            }
            try document.write(certificate.absolute, key: Certificate.key(state: state.places(session).state))
            session.show(
                JSON.path(try certificate.absolute, key: "certificate") + [("verdict", .text(document.verdict))],
                summary: [document.verdict, "certificate \(certificate.path), with .sig and .html beside it"])
            return .done
        }
    }
}
