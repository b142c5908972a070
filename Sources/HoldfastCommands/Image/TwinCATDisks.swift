// `TcBackup.sh` and `TcRestore.sh`, more names of this program: the words of TwinCAT/BSD's disk images, so that instructions written for them
// hold. What they write is Holdfast's own image, and never unencrypted.

internal import ArgumentParser
internal import Platform

struct TcBackupCommand: StatefulCommand {
    static let configuration = CommandConfiguration(
        commandName: "TcBackup.sh",
        abstract: "Write an image of a disk to standard output; `holdfast backup --disk` can more.",
        discussion: discussion(
            """
            It is encrypted for the identities of this machine's configuration, or else for a passphrase, which is asked for.
            """,
            examples: "TcBackup.sh --disk /dev/sda > /mnt/line3.hf"),
        version: Version.tool)

    @Option(help: ArgumentHelp("The disk.", valueName: "device"))
    var disk: PathArgument

    @OptionGroup var state: StateOptions
    @OptionGroup(title: "Everywhere") var global: GlobalOptions

    func isRecorded(in session: Session) -> Bool { true }

    func perform(_ session: Session) throws -> Outcome {
        var command = try BackupCommand.parse(["--disk", "/", "--output", "-"])
        command.disk = disk
        command.state = state
        command.global = global
        if try session.identities().isEmpty {
            guard session.hasTerminal || global.passphraseFile != nil else {
                throw Problem.refused(
                    "there is no identity, and no terminal to ask for a passphrase on: no image is made without either",
                    hint:
                        "`holdfast key generate` makes an identity; or give a passphrase with `--passphrase-file FILE`")
            }
            command.recipients.passphrase = true
        }
        try command.check()
        return try command.perform(session)
    }
}

struct TcRestoreCommand: HoldfastCommand {
    static let configuration = CommandConfiguration(
        commandName: "TcRestore.sh",
        abstract: "Write an image of a disk from standard input to a disk; `holdfast restore --disk` can more.",
        discussion: discussion(
            "The serial number of the disk is asked for on the terminal, or given with --confirm.",
            examples: "TcRestore.sh --disk /dev/sdb < /mnt/line3.hf"),
        version: Version.tool)

    @Option(help: ArgumentHelp("The disk; all that is on it will be gone.", valueName: "device"))
    var disk: PathArgument

    @OptionGroup var onDisk: DiskTargetOptions
    @OptionGroup(title: "Everywhere") var global: GlobalOptions

    func isRecorded(in session: Session) -> Bool { true }

    func perform(_ session: Session) throws -> Outcome {
        var command = try RestoreCommand.parse(["--disk", "/", "--input", "-"])
        command.disk = disk
        command.onDisk = onDisk
        command.global = global
        try command.check()
        return try command.perform(session)
    }
}
