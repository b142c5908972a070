// `holdfast filter except add | remove | list`: what stays.

internal import ArgumentParser
internal import Platform
internal import WriteFilter

struct FilterExceptCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "except", abstract: "Say which folders keep their writes.",
        discussion: discussion(
            examples: "holdfast filter except add /var/opt/recipes # it keeps its writes", "holdfast filter except list"
        ),
        subcommands: [Add.self, Remove.self, List.self])

    struct Add: StatefulCommand {
        static let configuration = CommandConfiguration(
            abstract: "Let folders keep their writes, from the next start of the filter on.",
            discussion: discussion(
                """
                A folder that is not there yet is made at that start. A rename across the border of an exception is a copy, \
                as between two disks.
                """,
                examples: "holdfast filter except add /var/opt/recipes",
                "holdfast filter except add --set codesys # a ready-made set"))

        @Argument(help: "The folders.") var paths: [PathArgument] = []

        @Option(help: ArgumentHelp("A ready-made set: \(ExceptionSetArgument.names).", valueName: "name"))
        var set: ExceptionSetArgument?

        @OptionGroup var place: FilterPathOption
        @OptionGroup var state: StateOptions
        @OptionGroup(title: "Everywhere") var global: GlobalOptions

        func check() throws {
            if paths.isEmpty && set == nil { throw ValidationError("Give folders, or --set NAME.") }
        }

        func isRecorded(in session: Session) -> Bool { true }

        func perform(_ session: Session) throws -> Outcome {
            let filter = filter(session)
            let plan = try filter.addExceptions(
                paths.map { try $0.absolute }, set?.set, to: place.place(of: paths, in: filter),
                holding: filter.lock())
            show(plan, session)
            return .done
        }
    }

    struct Remove: StatefulCommand {
        static let configuration = CommandConfiguration(
            abstract: "Protect folders again; what is in them stays as it is.",
            discussion: discussion(examples: "holdfast filter except remove /var/opt/recipes"))

        @Argument(help: "The folders.") var paths: [PathArgument]
        @OptionGroup var place: FilterPathOption
        @OptionGroup var state: StateOptions
        @OptionGroup(title: "Everywhere") var global: GlobalOptions

        func isRecorded(in session: Session) -> Bool { true }

        func perform(_ session: Session) throws -> Outcome {
            let filter = filter(session)
            show(
                try filter.removeExceptions(
                    paths.map { try $0.absolute }, from: place.place(of: paths, in: filter), holding: filter.lock()),
                session)
            return .done
        }
    }

    struct List: StatefulCommand {
        static let configuration = CommandConfiguration(
            abstract: "List the exceptions.",
            discussion: discussion(
                examples: "holdfast filter except list # of /",
                "holdfast filter except list --path /opt/hmi # of a folder"))

        @OptionGroup var place: FilterPathOption
        @OptionGroup var state: StateOptions
        @OptionGroup(title: "Everywhere") var global: GlobalOptions

        func perform(_ session: Session) throws -> Outcome {
            let place = try place.place(in: filter(session))
            guard let plan = try filter(session).plans().first(where: { $0.path == place }) else {
                throw Problem.usage("there is no write filter for \(place)")
            }
            session.show(JSON.filter(plan), summary: plan.exceptions.map(\.description))
            return .done
        }
    }
}

private func show(_ plan: FilterPlan, _ session: Session) {
    session.show(
        JSON.filter(plan),
        summary: [
            plan.exceptions.isEmpty
                ? "no exceptions" : "what stays: " + plan.exceptions.map(\.description).joined(separator: ", "),
            "from the next start of the filter on",
        ])
}
