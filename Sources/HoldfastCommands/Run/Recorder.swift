// Puts a changing command on the machine's log: what it is about to do, before it does anything, and what came of it.

internal import AuditLog
internal import Images
internal import Machine
internal import Platform
internal import RestorePoints

struct Recorder {
    private let log: AuditLog
    /// The machine's own, where another state was given: what was done to the machine is in it, too.
    private let machineLog: AuditLog?
    private let session: Session
    private let verb: String
    private let arguments: [String]
    private let folder: BytePath

    /// nil where nothing is to be recorded.
    init?(_ command: any HoldfastCommand, _ verb: [String], _ arguments: [String], _ session: Session) {
        guard command.isRecorded(in: session) else { return nil }
        let places = (command as? any StatefulCommand)?.state.places(session) ?? session.places
        folder = places.state
        log = AuditLog(folder: places.log)
        let machine = AuditLog(folder: Places().log)
        machineLog = machine.folder != places.log && machine.isBegun ? machine : nil
        self.session = session
        self.verb = verb.joined(separator: " ")
        self.arguments = arguments.map { Text.withoutKeys(Text.safe($0)) }
    }

    /// Before anything else is done. What cannot be put on record is not done.
    func intend() throws {
        do {
            try append(.intent)
        } catch let error as SystemError where (error.isPermission || error.isReadOnly) && !HostFacts.isRoot {
            // The log is root's. What others do is done with their own rights only; the system's log hears of it.
            logToSystem("\(HostFacts.userName): \(verb) \(arguments.joined(separator: " "))")
        } catch {
            // Nothing is promised of a machine that is not set up, and a backup of it is worth more than its record.
            guard Places.isSetUp(folder) else {
                return session.console.warning(
                    "this is not on record: the audit log \(log.folder) cannot be written: \(Problem(error).message)")
            }
            throw Problem(
                "the audit log \(log.folder) cannot be written, so nothing was done: \(Problem(error).message)",
                hint: "mend that first, or move \(log.folder) away to begin a new log", status: 1)
        }
    }

    func finish(_ outcome: Outcome) {
        close(.result, status: outcome.rawValue, text: (session.remembered + session.summary).joined(separator: "; "))
    }

    func finish(_ problem: Problem) {
        // 2: what was asked for makes no sense; 4: it is not allowed.
        close(
            problem.status == 4 || problem.status == 2 ? .refusal : .result, status: problem.status,
            text: (session.remembered + [problem.message]).joined(separator: "; "))
    }

    private func close(_ phase: AuditEvent.Phase, status: Int32, text: String) {
        do {
            try append(phase, status: status, text: text.isEmpty ? nil : Text.withoutKeys(Text.safe(text)))
        } catch let error as SystemError where (error.isPermission || error.isReadOnly) && !HostFacts.isRoot {
        } catch {
            guard Places.isSetUp(folder) else { return }
            session.console.warning("the audit log has only the intent of this: \(Problem(error).message)")
        }
    }

    private func append(_ phase: AuditEvent.Phase, status: Int32? = nil, text: String? = nil) throws {
        // Root's first command that changes something begins it; what others may do is not the machine's.
        if HostFacts.isRoot { try log.begin(verb: verb) } else if !log.isBegun { return }
        // Where nothing is set up, there is no object.
        let object = try? ProtectedTree.facts(state: folder).root.description
        let event = AuditEvent(phase, verb: verb, arguments: arguments, object: object, status: status, text: text)
        try log.append(event)
        try machineLog?.append(event)
        logToSystem(
            "\(HostFacts.userName): \(phase.rawValue) \(verb) \(arguments.joined(separator: " ")) \(text ?? "")")
    }
}
