// What no single person does: a plan wants the signature of somebody else.

internal import Cryptography
public import Platform

/// What may want a second person, or a ticket.
public enum ApprovedVerb: String, Sendable, CaseIterable {
    case wipe, prune, retire, destroy
    /// A factory reset for the transfer to another owner.
    case transfer
}

/// Who agreed.
public struct Approval: Sendable, Hashable {
    /// As the file of signers calls them.
    public var signer: String
    /// When the plan was made.
    public var made: Timestamp
}

public struct ApprovalRules: Sendable, Hashable {
    /// What a second person signs for.
    public var verbs: Set<ApprovedVerb> = []
    /// What wants a ticket.
    public var tickets: Set<ApprovedVerb> = []
    /// Whose signatures count: allowed signers as `ssh-keygen` has them.
    public var signers: BytePath?

    /// What the signatures are for.
    public static let namespace = "holdfast-plan"
    /// Plan and signature are small; a device or a pipe in their place is none.
    private static let limit = 1 << 20

    public init() {}

    /// Looks at a signature over the plan in the file beside it.
    /// - Parameters:
    ///   - signature: `FILE.sig`, as `ssh-keygen -Y sign` puts it beside FILE.
    ///   - plan: the plan that is about to be carried out.
    ///   - lines: what it does, as its file has to say it.
    /// - Throws: `ApprovalError`, or `SystemError` where something cannot be read.
    public func check(
        _ signature: BytePath, of plan: String, verb: ApprovedVerb, ticket: String?, lines: [String],
        now: Timestamp = .now()
    ) throws -> Approval {
        guard let signers else { throw ApprovalError.noSigners }
        // Who can write it says who may sign.
        if let problem = ProgramOwner.problem(signers) {
            throw ApprovalError.untrustedSigners(file: signers, reason: problem)
        }
        guard signature.bytes.suffix(4).elementsEqual(".sig".utf8) else {
            throw ApprovalError.notBesidePlan(signature)
        }
        let file = BytePath(signature.bytes.dropLast(4))
        let text = try readGiven(file, limit: Self.limit)
        let paper = try PlanPaper(text, file: file)
        try check(paper, is: plan, verb: verb, ticket: ticket, now: now, file: file)
        // Whoever asks could have written anything there: what was read has to be what is done, to the byte.
        var wanted = try PlanPaper(plan: plan, verb: verb, ticket: paper.ticket, lines: lines)
        (wanted.made, wanted.author) = (paper.made, paper.author)
        guard text == wanted.bytes else { throw ApprovalError.otherWords(file: file) }
        let signer = try signer(
            of: text, by: readGiven(signature, limit: Self.limit), among: signers,
            apartFrom: Self.people + [paper.author],
            named: signature)
        return Approval(signer: signer, made: paper.made)
    }

    private func check(
        _ paper: PlanPaper, is plan: String, verb: ApprovedVerb, ticket: String?, now: Timestamp, file: BytePath
    ) throws {
        guard paper.machine == (try PlanPaper.thisMachine()) else {
            throw ApprovalError.another(file: file, what: "the machine \(printable(paper.host.utf8))")
        }
        guard paper.verb == verb, paper.plan == plan else {
            throw ApprovalError.another(
                file: file,
                what:
                    "the plan \(printable(paper.plan.utf8)) (\(paper.verb.rawValue)), and what would be done is \(plan) (\(verb.rawValue))"
            )
        }
        // A day as people have it; and a clock that was set back makes no old paper new.
        let day = "%Y-%m-%d"
        guard paper.made.local(day) == now.local(day), paper.made.seconds <= now.seconds + 60 else {
            throw ApprovalError.another(file: file, what: "another day, \(paper.made.local(day))")
        }
        guard paper.ticket == ticket else {
            throw ApprovalError.another(
                file: file, what: paper.ticket.map { "the ticket \(printable($0.utf8))" } ?? "no ticket")
        }
    }

    /// Who runs this, by all names that the machine knows.
    private static var people: [String] { [HostFacts.userName] + (HostFacts.loginName.map { [$0] } ?? []) }

    /// Who signed, as `ssh-keygen` finds it; of the names of the key one counts that is nobody's who asks for it.
    private func signer(
        of text: [UInt8], by signature: [UInt8], among file: BytePath, apartFrom people: [String], named: BytePath
    ) throws -> String {
        let key: String
        do throws(CryptographyError) {
            key = try SSHSignature.encodedKey(ofArmored: String(decoding: signature, as: UTF8.self))
        } catch { throw ApprovalError.badSignature(named, reason: error.sentence) }
        let allowed = String(decoding: try readGiven(file, limit: Self.limit), as: UTF8.self)
        let names = allowed.split(separator: "\n").flatMap { line -> [String] in
            let words = line.split { $0 == " " || $0 == "\t" }
            guard let people = words.first, !people.hasPrefix("#"), words.contains(key[...]) else { return [] }
            return people.split(separator: ",").map(String.init)
        }
        guard !names.isEmpty else {
            throw ApprovalError.badSignature(named, reason: "its key is none of \(file)")
        }
        // The key of who asks is theirs, whatever else it is called.
        if let own = names.first(where: { name in people.contains { Self.isSame(name, $0) } }) {
            throw ApprovalError.ownSignature(named, name: own)
        }
        // ssh-keygen reads it by its path: by one where nobody else writes.
        let scratch = try ScratchFolder()
        let copy = scratch.path.appending("signature")
        try writeNew(copy, signature)
        var reason = "its key has no name in \(file) that stands for one person"
        for name in names where !name.contains(where: { "*?!\"".contains($0) }) && !name.hasPrefix("-") {
            let result = try runProgram(
                [
                    "ssh-keygen", "-Y", "verify", "-f", ProgramWord(file), "-I", ProgramWord(name), "-n",
                    ProgramWord(Self.namespace), "-s", ProgramWord(copy),
                ], input: text, limit: 60)
            if result.status == 0 { return name }
            reason = result.complaint.isEmpty ? "ssh-keygen says that it is not sound" : result.complaint
        }
        throw ApprovalError.badSignature(named, reason: reason)
    }

    /// Whether a signer, as `anna` or `anna@plant`, is the user of a name.
    private static func isSame(_ signer: String, _ user: String) -> Bool {
        signer.prefix { $0 != "@" }.lowercased() == user.lowercased()
    }
}
