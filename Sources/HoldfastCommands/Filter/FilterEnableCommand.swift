// `holdfast filter enable`, `disable` and `service`: what the next start does.

internal import ArgumentParser
internal import Machine
internal import Platform
internal import RestorePoints
internal import WriteFilter

struct FilterEnableCommand: StatefulCommand {
    static let configuration = CommandConfiguration(
        commandName: "enable", abstract: "Have / protected from the next start on, or a folder at once.",
        discussion: discussion(
            """
            Writes go to memory and are forgotten at the next start. What is to stay goes into exceptions; /var/log, /var/audit \
            and /home are exceptions of / from the start. It makes the point before-filter.TIME of what is protected.
            """,
            examples: "holdfast filter enable # / from the next start on",
            "holdfast filter enable --set operator --set time # these keep their writes",
            "holdfast filter enable --path /opt/hmi # a folder, at once"))

    @Option(help: ArgumentHelp("The folder to filter (default: /).", valueName: "dir"))
    var path: PathArgument?

    @Option(
        help: ArgumentHelp(
            "Where writes are: memory (default), or for / on btrfs and ZFS disk, which has no limit but the disk's.",
            valueName: "kind"))
    var overlay: OverlayArgument?

    @Option(
        help: ArgumentHelp("The memory that the writes of a session may take (default: half of it).", valueName: "n"))
    var size: SizeArgument?

    @Option(
        name: .customLong("set"),
        help: ArgumentHelp(
            "Except a ready-made set: \(ExceptionSetArgument.names); may be repeated.", valueName: "name"))
    var sets: [ExceptionSetArgument] = []

    @Flag(help: "The light filter: what operators keep stays (the set operator).")
    var light = false

    @Option(help: ArgumentHelp("Warn from this many per cent on (80).", valueName: "percent"))
    var warning: UInt64?

    @Option(help: ArgumentHelp("Call it critical from this many per cent on (95).", valueName: "percent"))
    var critical: UInt64?

    @OptionGroup var state: StateOptions
    @OptionGroup(title: "Everywhere") var global: GlobalOptions

    func check() throws {
        for value in [warning, critical].compactMap({ $0 }) where !(1...100).contains(value) {
            throw ValidationError("Thresholds go from 1 to 100 per cent.")
        }
    }

    func isRecorded(in session: Session) -> Bool { true }

    func perform(_ session: Session) throws -> Outcome {
        let filter = filter(session)
        var request = WriteFilter.Request()
        request.path = try path?.absolute ?? "/"
        request.overlay = overlay?.kind
        request.size = size?.bytes
        request.sets = sets.map(\.set) + (light ? [.operator] : [])
        request.warning = warning
        request.critical = critical
        let asked = request
        let enabled = try session.working {
            try filter.enable(
                asked, user: HostFacts.userName, progress: session.progress, findings: session.findings,
                holding: filter.lock())
        }
        let plan = enabled.plan
        var lines = [
            enabled.isActive
                ? "\(plan.path) is filtered now, and again at each start"
                : "\(plan.path) is filtered from the next start on"
        ]
        if !enabled.users.isEmpty {
            lines.append(
                "not yet, since it is in use by \(Text.users(enabled.users)): stop that and repeat; a shell that stands in it leaves with `cd /`"
            )
        }
        lines.append(
            plan.overlay == .memory
                ? "writes may take \(Text.size(plan.size)) of memory, and are forgotten at each start"
                : "writes go to a clone on the disk, which is made afresh at each start")
        lines.append(
            plan.exceptions.isEmpty
                ? "no exceptions: everything in \(plan.path) is forgotten"
                : "what stays: " + plan.exceptions.map(\.description).joined(separator: ", "))
        if let point = enabled.point {
            lines.append("\(point.name) holds what is protected")
        } else if enabled.isNew {
            lines.append("no point holds what is protected: \(plan.path) is not in the tree that points are made of")
        }
        session.show(
            JSON.filter(plan) + [
                ("active", .flag(enabled.isActive)), ("point", enabled.point.map { .text($0.name) }),
                ("waitsFor", .list(enabled.users.map { .text($0.description) })),
            ] + session.console.findingMembers, summary: lines)
        return session.outcome(0)
    }
}

struct FilterDisableCommand: StatefulCommand {
    static let configuration = CommandConfiguration(
        commandName: "disable", abstract: "Have / writable from the next start on, or a folder at once.",
        discussion: discussion(
            "What this session wrote is forgotten all the same, unless it is committed first.",
            examples: "holdfast filter disable # / from the next start on",
            "holdfast filter disable --path /opt/hmi # a folder, at once"))

    @OptionGroup var place: FilterPathOption
    @OptionGroup var plan: PlanOptions
    @OptionGroup var state: StateOptions
    @OptionGroup(title: "Everywhere") var global: GlobalOptions

    func isRecorded(in session: Session) -> Bool { !plan.dryRun }

    func perform(_ session: Session) throws -> Outcome {
        let filter = filter(session)
        let place = try place.place(in: filter)
        let plan = try filter.planDisable(place)
        let question =
            plan.places.contains { $0.isActive && $0.path != "/" }
            ? "Forget what this session wrote in \(place), and did not commit?" : nil
        guard
            try session.agree(
                to: plan, self.plan, lines: Text.lines(of: plan), members: JSON.members(of: plan), question: question)
        else { return .done }
        let (isWritable, users) = try filter.disable(plan, findings: session.findings, holding: filter.lock())
        var lines = [isWritable ? "\(place) is writable now" : "\(place) is writable from the next start on"]
        if !users.isEmpty { lines.append("not yet, since it is in use by " + Text.users(users)) }
        session.show(
            JSON.path(place, key: "path") + [("writable", .flag(isWritable))] + session.console.findingMembers,
            summary: lines)
        return session.outcome(0)
    }
}

struct FilterServiceCommand: StatefulCommand {
    static let configuration = CommandConfiguration(
        commandName: "service",
        abstract: "Have the next start writable, once; whatever ends it, the one after is protected.",
        discussion: discussion(examples: "holdfast filter service # then reboot, work, and reboot again"))

    @OptionGroup var state: StateOptions
    @OptionGroup(title: "Everywhere") var global: GlobalOptions

    func isRecorded(in session: Session) -> Bool { true }

    func perform(_ session: Session) throws -> Outcome {
        let filter = filter(session)
        try filter.service(holding: filter.lock())
        session.show(
            [("service", .flag(true))],
            summary: ["the next start is writable; the one after it is protected again, whatever ends it"])
        return .done
    }
}
