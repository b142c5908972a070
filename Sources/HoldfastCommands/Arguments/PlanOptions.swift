// What every command that destroys or switches takes: a look at its plan, and the plan's id.

internal import ArgumentParser
internal import Machine
internal import Platform
internal import Stewardship

struct PlanOptions: ParsableArguments {
    @Flag(help: "Show the plan and do nothing.")
    var dryRun = false

    @Option(
        help: ArgumentHelp(
            "Do what a dry run has shown, or refuse where it would be something else by now.", valueName: "id"))
    var plan: String?

    @Option(
        help: ArgumentHelp(
            "With --dry-run: write the plan into a new file, which a second person signs.", valueName: "file"))
    var planFile: PathArgument?

    @Option(
        help: ArgumentHelp(
            "With --plan: the signature of a second person over the plan's file, FILE.sig beside FILE.",
            valueName: "file.sig"))
    var approvedBy: PathArgument?

    @Option(help: ArgumentHelp("The order that this is done for; it goes on record.", valueName: "text"))
    var ticket: TicketArgument?

    func validate() throws {
        if planFile != nil, !dryRun { throw ValidationError("--plan-file goes with --dry-run.") }
        if approvedBy != nil, plan == nil { throw ValidationError("--approved-by goes with --plan ID.") }
        if approvedBy != nil, dryRun { throw ValidationError("--approved-by has no place in a dry run.") }
    }
}

/// One line of text, which is put on record.
struct TicketArgument: ExpressibleByArgument {
    let text: String

    init?(argument: String) {
        guard !argument.isEmpty, argument.utf8.count <= 200, ArgumentText.isText(argument),
            printable(argument.utf8) == argument, argument.contains(where: { !$0.isWhitespace })
        else { return nil }
        text = argument
    }
}

extension Session {
    /// Shows what is planned and has it confirmed.
    /// - Parameters:
    ///   - options: nil: the command has none.
    ///   - lines: what it does, for people.
    ///   - members: the same for programs.
    ///   - question: nil: nobody has to be asked.
    ///   - guarded: what a second person agrees to; by default what the plan's verb names.
    ///   - signed: what that person reads, the same each time; by default the lines.
    /// - Returns: whether it is to be done; not after a dry run.
    func agree(
        to plan: some Plan, _ options: PlanOptions?, lines: [String], members: [(String, JSON?)] = [],
        question: String?, guarded: ApprovedVerb? = nil, signed: [String]? = nil
    ) throws -> Bool {
        try plan.require(options?.plan)
        let guarded = guarded ?? ApprovedVerb(rawValue: plan.verb)
        for finding in plan.findings where !finding.isRefusal { console.warning(finding.sentence) }
        if let options, options.dryRun {
            if let file = options.planFile { try write(plan.id, guarded, options.ticket, signed ?? lines, to: file) }
            show(
                members + [
                    ("plan", .text(plan.id)), ("verb", .text(plan.verb)),
                    ("findings", .list(plan.findings.map(JSON.preflight))),
                ], summary: lines + ["plan \(plan.id)"])
            for finding in plan.findings where finding.isRefusal {
                console.warning("it would be refused: \(finding.sentence)")
            }
            return false
        }
        try requireApproval(of: plan.id, guarded, options, signed ?? lines)
        if !console.isJSON { lines.forEach(console.note) }
        if let question {
            let hint = options?.plan.map { _ in
                "`--plan` says what is meant, and answers no question: give `--yes` as well"
            }
            try confirm(question, hint: hint ?? "answer it with `--yes`")
        }
        return true
    }
}

extension Session {
    /// Writes what a second person is to read and sign.
    private func write(
        _ plan: String, _ guarded: ApprovedVerb?, _ ticket: TicketArgument?, _ lines: [String], to file: PathArgument
    ) throws {
        guard let guarded else {
            throw Problem.usage(
                "nobody has to sign for this command",
                hint: "leave out --plan-file; [approval] of the configuration knows "
                    + ApprovedVerb.allCases.map(\.rawValue).joined(separator: ", "))
        }
        if try approvalRules().tickets.contains(guarded), ticket == nil {
            throw ApprovalError.noTicket(verb: guarded)
        }
        let paper = try PlanPaper(plan: plan, verb: guarded, ticket: ticket?.text, lines: lines)
        let place = try file.absolute
        do throws(SystemError) { try writeNew(place, paper.bytes, mode: 0o644) } catch {
            throw Problem(
                "the plan cannot be written to \(file.path): \(error.reason)",
                hint: error.isPresent ? "nothing is replaced; take another name" : nil, status: 1)
        }
    }

    /// What the configuration at hand wants and, of root, what the machine's own does: another one that was given loosens nothing.
    private func approvalRules() throws -> ApprovalRules {
        var rules = configuration.approval
        guard HostFacts.isRoot, exists(Places.standardConfigurationFile) else { return rules }
        let own = try Configuration.load(Places.standardConfigurationFile).approval
        rules.verbs.formUnion(own.verbs)
        rules.tickets.formUnion(own.tickets)
        rules.signers = own.signers ?? rules.signers
        return rules
    }

    /// Refuses what wants somebody else's word, and puts on record whose it has.
    private func requireApproval(
        of plan: String, _ guarded: ApprovedVerb?, _ options: PlanOptions?, _ lines: [String]
    ) throws {
        if let ticket = options?.ticket { remember("ticket \(ticket.text)") }
        guard let guarded else {
            if options?.approvedBy == nil { return }
            throw Problem.usage("nobody has to sign for this command", hint: "leave out --approved-by")
        }
        // Not before: a machine whose configuration has a mistake can still be rolled back.
        let rules = try approvalRules()
        if rules.tickets.contains(guarded), options?.ticket == nil { throw ApprovalError.noTicket(verb: guarded) }
        guard let signature = options?.approvedBy else {
            if rules.verbs.contains(guarded) { throw ApprovalError.missing(verb: guarded) }
            return
        }
        let approval = try rules.check(
            signature.absolute, of: plan, verb: guarded, ticket: options?.ticket?.text, lines: lines)
        remember("the plan \(plan) was approved by \(Text.safe(approval.signer))")
        approve(by: approval.signer)
    }
}
