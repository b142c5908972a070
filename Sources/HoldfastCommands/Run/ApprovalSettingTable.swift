// What no single person does: [approval].

internal import Machine
internal import Stewardship

enum ApprovalSettingTable {
    static let table = SettingTable(
        name: "approval",
        explanation: [
            "What a second person has to agree to, by a signature over the plan that a dry run shows. What jobs remove by their own rules is not",
            "asked for: these stand in this file.",
        ],
        settings: [
            Setting(
                name: "verbs", wants: "an array of \(words)",
                explanation: [
                    "What is refused without the signature of somebody else than who runs it: `--dry-run --plan-file FILE`, then",
                    "`ssh-keygen -Y sign -f KEY -n \(ApprovalRules.namespace) FILE` by the other person, then `--plan ID --approved-by FILE.sig` on the same day.",
                    "transfer is `factory-reset --for-transfer`.",
                ],
                standard: "nothing", example: #"verbs = ["wipe", "transfer"]"#
            ) { value, source, result in result.approval.verbs = try verbs(value, source) },
            Setting(
                name: "signers", wants: "a path",
                explanation: [
                    "Whose signatures count: allowed signers, as ssh-keygen(1) has them. Each is called as they log in here, or so and @ something.",
                    "Only root may be able to write it.",
                ],
                standard: "nobody", example: "signers = \"\(Places.standardConfiguration)/signers\""
            ) { value, source, result in result.approval.signers = try source.absolute(value, "signers") },
            Setting(
                name: "tickets", wants: "an array of \(words)",
                explanation: [
                    "What is refused without --ticket TEXT, which goes into the log, the plan and the certificate of a wipe."
                ],
                standard: "nothing", example: #"tickets = ["wipe"]"#
            ) { value, source, result in result.approval.tickets = try verbs(value, source) },
        ])

    private static let words = ApprovedVerb.allCases.map(\.rawValue).joined(separator: ", ")

    private static func verbs(_ value: TOMLValue, _ source: SettingSource) throws -> Set<ApprovedVerb> {
        Set(
            try source.texts(value, value.key, words).map { text in
                guard let verb = ApprovedVerb(rawValue: text.text) else {
                    throw source.problem(text.place, "\(value.key) has no \(text.text); there are \(words)")
                }
                return verb
            })
    }
}
