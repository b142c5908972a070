// `holdfast import`: a tar archive becomes an image.

internal import ArgumentParser
internal import Images

struct ImportCommand: HoldfastCommand {
    static let configuration = CommandConfiguration(
        commandName: "import", abstract: "Make an image of a tar archive on standard input.",
        discussion: discussion(
            """
            The archive is tar or cpio, plain or packed with gzip, bzip2, xz or zstd. An entry or attribute that an image cannot \
            hold exactly is left out and named (exit status 3). An archive that is cut or damaged makes no image.
            """,
            examples: "holdfast import --name old-plc --to nas < plc.tar.gz",
            "tar -c /opt/plc | holdfast import --name plc --to nas"))

    @Option(help: "The image's name.")
    var name: NameArgument

    @Option(help: ArgumentHelp("The store.", valueName: "store"))
    var to: StoreArgument

    @OptionGroup var pace: RateOptions
    @OptionGroup(title: "Everywhere") var global: GlobalOptions

    func check() throws { try refuseWord(name) }

    func isRecorded(in session: Session) -> Bool { true }

    func perform(_ session: Session) throws -> Outcome {
        try refuseTerminal(0, "standard input")
        let store = try session.openToWrite(pace.pacing(to))
        let report = try session.working {
            try store.importArchive(
                from: 0, name: name.text, progress: session.progress, findings: session.findings)
        }
        let label = report.label
        session.show(
            [("image", .id(report.id))] + JSON.label(label) + session.console.findingMembers,
            summary: [
                "image \(report.id) \(describe(label)): \(Text.counted(label.entries, "entry", "entries")), "
                    + "\(Text.size(label.contentBytes)), new \(Text.size(label.newBytes)) "
                    + "(stored as \(Text.size(label.storedBytes)))"
            ])
        return session.outcome(report.findings)
    }
}
