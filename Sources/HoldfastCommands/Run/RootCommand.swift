// The command itself, which only groups the others.

internal import ArgumentParser

struct RootCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "holdfast",
        abstract: "Keeps a machine restorable: restore points, encrypted backup images, and the way back.",
        discussion: discussion(
            """
            A STORE is a folder, a file: URL, or a name from the configuration. An IMAGE is named by its name, by the \
            beginning of its id, or `latest`.

            Exit status: 0 done; 1 failed, nothing lost; 2 usage or configuration; 3 done, with findings; 4 refused; \
            130 interrupted.
            """,
            examples: "holdfast setup # protect this machine, after a question",
            "holdfast create Commissioning # a restore point of now",
            "holdfast backup /opt/plc --to nas # an image of a folder, in a store"),
        version: Version.tool,
        subcommands: [ExplainSettingsCommand.self],
        groupedSubcommands: [
            CommandGroup(
                name: "Restore point",
                subcommands: [
                    SetupCommand.self, StatusCommand.self, CreateCommand.self, DiffCommand.self, RollbackCommand.self,
                    UndoCommand.self, ConfirmCommand.self, TrialCommand.self, FactoryResetCommand.self,
                    DestroyCommand.self, PinCommand.self,
                    UnpinCommand.self, RecoverCommand.self, BootCommand.self, PackageCommand.self,
                ]),
            CommandGroup(name: "Write filter and log", subcommands: [FilterCommand.self, LogCommand.self]),
            CommandGroup(
                name: "Image",
                subcommands: [
                    BackupCommand.self, ImagesCommand.self, RestoreCommand.self, VerifyCommand.self, CopyCommand.self,
                    ExportCommand.self, ImportCommand.self,
                ]),
            CommandGroup(name: "By numbers", subcommands: [MenuCommand.self]),
            CommandGroup(name: "Store and key", subcommands: [StoreCommand.self, KeyCommand.self]),
            CommandGroup(
                name: "Keeping",
                subcommands: [
                    ScheduleCommand.self, CheckCommand.self, DrillCommand.self, PruneCommand.self, RetireCommand.self,
                    PolicyCommand.self,
                    ReportCommand.self,
                ]),
            CommandGroup(name: "Rescue stick", subcommands: [StickCommand.self]),
            CommandGroup(
                name: "Disposal",
                subcommands: [DisksCommand.self, WipeCommand.self, CertificateCommand.self]),
        ])
}
