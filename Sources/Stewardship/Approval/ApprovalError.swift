// Why a plan is not carried out for want of somebody else's word.

public import Platform
public import Reporting

public enum ApprovalError: Explained, Hashable {
    /// Nobody has signed.
    case missing(verb: ApprovedVerb)
    case noTicket(verb: ApprovedVerb)
    case noSigners
    case untrustedSigners(file: BytePath, reason: String)
    /// A signature is looked for beside what it signs.
    case notBesidePlan(BytePath)
    case badPlan(file: BytePath, reason: String)
    /// It was signed for something else.
    case another(file: BytePath, what: String)
    /// What stands in it is not what would be done.
    case otherWords(file: BytePath)
    case badSignature(BytePath, reason: String)
    case ownSignature(BytePath, name: String)
    /// Its plans could be those of any other.
    case noMachine

    public var description: String {
        switch self {
        case .missing(let verb): "\(verb.rawValue) wants the signature of a second person, and none was given"
        case .noTicket(let verb): "\(verb.rawValue) wants a ticket, and none was given"
        case .noSigners: "nobody is known whose signature would count"
        case .untrustedSigners(let file, let reason): "the signers in \(file) do not count: \(reason)"
        case .notBesidePlan(let path): "\(path) is not called as the signature of a plan is, FILE.sig beside FILE"
        case .badPlan(let file, let reason): "\(file) is no plan: \(reason)"
        case .another(let file, let what): "\(file) was signed for something else: \(what)"
        case .otherWords(let file):
            "\(file) does not say what would be done now, word for word: it was changed, or something else has"
        case .badSignature(let path, let reason): "the signature \(path) does not count: \(reason)"
        case .ownSignature(let path, let name):
            "the signature \(path) is by \(printable(name.utf8)), who asks for it: it wants somebody else's"
        case .noMachine:
            "this machine has neither a machine id nor a number of its board, and its plans could be another's"
        }
    }

    public var mend: String? {
        switch self {
        case .noTicket: "name it with `--ticket TEXT`"
        case .noSigners: "name a file of allowed signers as `signers` in [approval] of the configuration"
        case .untrustedSigners(let file, _): "`chown root \(file); chmod go-w \(file)`, its folders too"
        case .noMachine: "`systemd-machine-id-setup` gives it an id"
        default:
            "repeat the command with `--dry-run --plan-file FILE`; the other person reads FILE and signs it on this day: `ssh-keygen -Y sign -f KEY -n \(ApprovalRules.namespace) FILE`; then the command with `--plan ID --approved-by FILE.sig`"
        }
    }

    public var exitStatus: Int32 { 4 }
}
