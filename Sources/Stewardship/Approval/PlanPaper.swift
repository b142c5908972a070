// A plan as a file that a second person reads and signs: which plan, of which machine and day, and what it does.

internal import Cryptography
public import Platform

public struct PlanPaper: Sendable, Hashable {
    /// As a dry run shows it.
    public var plan: String
    public var verb: ApprovedVerb
    /// Whose plan it is, as a digest that tells machines apart.
    public var machine: String
    public var host: String
    public var made: Timestamp
    /// Who made it.
    public var author: String
    public var ticket: String?
    /// What it does, for who signs it.
    public var lines: [String]

    private static let magic = "holdfast-plan 1"

    /// A plan of this machine and moment; throws where the machine has no identity that could be told from others.
    public init(plan: String, verb: ApprovedVerb, ticket: String?, lines: [String]) throws {
        self.plan = plan
        self.verb = verb
        self.ticket = ticket
        self.lines = lines.flatMap { $0.split(separator: "\n", omittingEmptySubsequences: false).map(String.init) }
        machine = try Self.thisMachine()
        host = HostFacts.hostName
        made = Timestamp(seconds: Timestamp.now().seconds, nanoseconds: 0)
        author = HostFacts.userName
    }

    /// 16 hexadecimal digits over what this machine is known by; throws `noMachine`.
    static func thisMachine() throws -> String {
        guard let known = HostFacts.machineIdentifier ?? HostFacts.boardIdentifier else {
            throw ApprovalError.noMachine
        }
        let digest = try Array("holdfast-plan \(known)".utf8).withUnsafeBytes { try SHA256.digest(of: $0) }
        return hexadecimal(digest.bytes.prefix(8))
    }

    public var bytes: [UInt8] {
        let head = [
            Self.magic, "plan \(plan)", "verb \(verb.rawValue)", "machine \(machine) \(host)",
            "made \(made.seconds) \(made.text)",
            "by \(author)",
        ]
        let words = head.map(Self.line) + (ticket.map { [Self.line("ticket \($0)")] } ?? [])
        return Array((words + [""] + lines.map(Self.line) + [""]).joined(separator: "\n").utf8)
    }

    /// What is one line stays one: nobody signs what a name has put below it.
    private static func line(_ text: String) -> String { printable(text.utf8) }

    /// Reads what `bytes` wrote; throws `badPlan`.
    public init(_ bytes: [UInt8], file: BytePath) throws(ApprovalError) {
        guard let text = String(validating: bytes, as: UTF8.self) else {
            throw .badPlan(file: file, reason: "it is not text")
        }
        var rest = text.split(separator: "\n", omittingEmptySubsequences: false)[...]
        func next(_ word: String) throws(ApprovalError) -> String {
            guard let line = rest.first, line.hasPrefix(word + " "), line.utf8.count <= 1024 else {
                throw .badPlan(file: file, reason: "the line with \(word) is not where it should be")
            }
            rest.removeFirst()
            return String(line.dropFirst(word.count + 1))
        }
        guard rest.popFirst() == Self.magic[...] else {
            throw .badPlan(file: file, reason: "it does not begin with \(Self.magic)")
        }
        plan = try next("plan")
        guard let verb = ApprovedVerb(rawValue: try next("verb")) else {
            throw .badPlan(file: file, reason: "nobody signs for its verb")
        }
        self.verb = verb
        let words = try next("machine").split(separator: " ", maxSplits: 1)
        guard words.count == 2 else { throw .badPlan(file: file, reason: "its machine has no name") }
        (machine, host) = (String(words[0]), String(words[1]))
        let times = try next("made").split(separator: " ")
        guard let seconds = times.first.flatMap({ Int64($0) }), calendarRange.contains(seconds) else {
            throw .badPlan(file: file, reason: "the time when it was made is none")
        }
        made = Timestamp(seconds: seconds, nanoseconds: 0)
        // Who signs has read the second word.
        guard times.dropFirst().elementsEqual([made.text[...]]) else {
            throw .badPlan(file: file, reason: "the two times when it was made are not the same")
        }
        author = try next("by")
        ticket = rest.first?.isEmpty == false ? try next("ticket") : nil
        guard rest.popFirst()?.isEmpty == true else { throw .badPlan(file: file, reason: "its head has no end") }
        lines = rest.dropLast().map(String.init)
    }
}
