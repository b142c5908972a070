// `holdfast filter`: groups what is done to the write filter, and what its commands share.

internal import ArgumentParser
internal import Machine
internal import Platform
internal import RestorePoints
internal import WriteFilter

struct FilterCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "filter", abstract: "Let the system run and forget its writes at the next start.",
        discussion: discussion(
            examples: "holdfast filter enable # / from the next start on",
            "holdfast filter status # how full it is, and what fills it"),
        subcommands: [
            FilterStatusCommand.self, FilterEnableCommand.self, FilterDisableCommand.self, FilterCommitCommand.self,
            FilterDiscardCommand.self, FilterServiceCommand.self, FilterExceptCommand.self, FilterStartCommand.self,
            FilterWatchCommand.self,
        ])
}

struct FilterPathOption: ParsableArguments {
    @Option(help: ArgumentHelp("The filtered folder (default: what the paths are in, or /).", valueName: "dir"))
    var path: PathArgument?

    /// The filter that is meant.
    func place(of paths: [PathArgument] = [], in filter: WriteFilter) throws -> BytePath {
        try path?.absolute ?? filter.place(of: paths.map { try $0.absolute })
    }
}

struct OverlayArgument: WordArgument {
    var kind: FilterPlan.Overlay

    static var allValueStrings: [String] { [FilterPlan.Overlay.memory, .disk].map(\.rawValue) }

    init?(argument: String) {
        guard let kind = FilterPlan.Overlay(rawValue: argument) else { return nil }
        self.kind = kind
    }
}

struct ExceptionSetArgument: WordArgument {
    var set: ExceptionSet

    static var allValueStrings: [String] { ExceptionSet.allCases.map(\.rawValue) }

    init?(argument: String) {
        guard let set = ExceptionSet(rawValue: argument) else { return nil }
        self.set = set
    }

    static let names = ExceptionSet.allCases.map(\.rawValue).joined(separator: ", ")
}

extension StatefulCommand {
    func filter(_ session: Session) -> WriteFilter { WriteFilter(state: state.places(session).state) }
}

extension JSON {
    static func filter(_ plan: FilterPlan) -> [(String, JSON?)] {
        JSON.path(plan.path, key: "path") + [
            ("enabled", .flag(plan.isEnabled)), ("overlay", .text(plan.overlay.rawValue)), ("size", .number(plan.size)),
            ("warning", .number(plan.warning)),
            ("critical", .number(plan.critical)),
        ] + JSON.paths(plan.exceptions, key: "exceptions")
    }
}

extension Text {
    static func users(_ users: [some CustomStringConvertible]) -> String {
        users.prefix(5).map(\.description).joined(separator: ", ") + (users.count > 5 ? ", …" : "")
    }
}
