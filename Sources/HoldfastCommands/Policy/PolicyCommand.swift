// `holdfast policy check`: whether a plant keeps what its policy asks for.

internal import ArgumentParser
internal import Images
internal import Machine
internal import Platform
internal import Reporting
internal import Stewardship

struct PolicyCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "policy", abstract: "Compare the stores with what the policy asks for.",
        discussion: discussion(
            "A policy is the tables [policy.NAME] and [media.NAME] of the configuration; holdfast.toml(5) tells what can stand there.",
            examples: "holdfast policy check --identity steward.key"),
        subcommands: [Check.self])

    struct Check: HoldfastCommand {
        static let configuration = CommandConfiguration(
            commandName: "check", abstract: "Check each rule of the policy against what the stores show.",
            discussion: discussion(
                """
                It goes by images, their times by the store's clock, what `holdfast verify --share` has noted, recipients, and certificates \
                of wiped media; never by what a run said of itself. A steward's key suffices, but for mounts. Nothing is written in a store.

                Each rule that fails is told with what is required, what was found, where, and since when; --verbose tells those that hold, too. \
                0: all hold. 3: a rule fails. 1: a store, or what else a rule asks for, could not be looked at; then nobody says that something is missing there.
                """,
                examples: "holdfast policy check --identity steward.key",
                "holdfast policy check --identity steward.key --output policy.html",
                "holdfast policy check --json # each rule, for programs"))

        @Option(help: ArgumentHelp("Write the result as a page to this file as well.", valueName: "file"))
        var output: PathArgument?

        @OptionGroup(title: "Everywhere") var global: GlobalOptions

        func check() throws { try refusePage(to: output) }

        func perform(_ session: Session) throws -> Outcome {
            let policy = session.configuration.policy
            guard !policy.isEmpty else {
                throw Problem.usage(
                    "the configuration asks for nothing",
                    hint: "rules stand in tables [policy.NAME]; see holdfast.toml(5)")
            }
            let evidence = try session.working { try session.gather(policy, stores: policy.stores) }
            let result = PolicyCheck.run(policy, evidence)
            if let output { try session.write(result.page(tool: Version.tool), to: output) }
            PolicyDisplay(result, evidence).show(in: session)
            switch result.verdict {
            case .holds: return .done
            case .fails: return .findings
            case .unknown: return .failed
            }
        }
    }
}

/// A page goes into a file of its own.
func refusePage(to output: PathArgument?) throws {
    if output?.isStandard == true { throw ValidationError("--output wants a file; standard output has the result.") }
}

extension Session {
    /// Writes a page whole and durably, and follows no link.
    func write(_ page: [UInt8], to output: PathArgument) throws {
        let path = try output.absolute
        do { try replaceWithoutLinks(path, page) } catch {
            throw Problem(
                "\(path) was not written: \(error.reason)",
                hint: "give a folder that is there, and that no link leads to",
                status: 1)
        }
    }
}
