// `bwf`, a second name of this program: the words of TwinCAT/BSD's write filter, so that instructions written for it hold.

internal import ArgumentParser
internal import Platform
internal import WriteFilter

struct BwfCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "bwf", abstract: "The write filter, by the words of TwinCAT/BSD; `holdfast filter` can more.",
        discussion: discussion(examples: "bwf enable # then reboot", "bwf status"),
        version: Version.tool, subcommands: [Enable.self, Disable.self, Status.self])

    struct Enable: StatefulCommand {
        static let configuration = CommandConfiguration(abstract: "Enable the write filter from the next start on.")
        @OptionGroup var state: StateOptions
        @OptionGroup(title: "Everywhere") var global: GlobalOptions

        func isRecorded(in session: Session) -> Bool { true }

        func perform(_ session: Session) throws -> Outcome {
            let filter = filter(session)
            let was = try filter.isEnabled
            _ = try session.working {
                try filter.enable(
                    WriteFilter.Request(), user: HostFacts.userName, progress: session.progress,
                    findings: session.findings, holding: filter.lock())
            }
            session.console.result("bwf_enable: \(was) -> YES\n")
            session.console.result("writefilter enabled, please reboot to make your changes take effect.\n")
            return .done
        }
    }

    struct Disable: StatefulCommand {
        static let configuration = CommandConfiguration(abstract: "Disable the write filter from the next start on.")
        @OptionGroup var state: StateOptions
        @OptionGroup(title: "Everywhere") var global: GlobalOptions

        func isRecorded(in session: Session) -> Bool { true }

        func perform(_ session: Session) throws -> Outcome {
            let filter = filter(session)
            let was = try filter.isEnabled
            if was == "YES" {
                _ = try filter.disable(
                    filter.planDisable("/"), findings: session.findings, holding: filter.lock())
            }
            session.console.result("bwf_enable: \(was) -> NO\n")
            session.console.result("writefilter disabled, please reboot to make your changes take effect.\n")
            return .done
        }
    }

    struct Status: StatefulCommand {
        static let configuration = CommandConfiguration(abstract: "Tell whether it is enabled.")
        @OptionGroup var state: StateOptions
        @OptionGroup(title: "Everywhere") var global: GlobalOptions

        func perform(_ session: Session) throws -> Outcome {
            let filter = filter(session)
            session.console.result("bwf_enable: \(try filter.isEnabled)\n")
            let isActive = try filter.status(consumers: 0).contains {
                $0.plan.path == "/" && $0.session.mode == .overlay
            }
            session.console.result("writefilter is \(isActive ? "active" : "not active")\n")
            return .done
        }
    }
}

extension WriteFilter {
    /// In the words of rc.conf.
    fileprivate var isEnabled: String {
        get throws { try plans().contains { $0.path == "/" && $0.isEnabled } ? "YES" : "NO" }
    }
}
