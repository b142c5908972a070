// `holdfast export`: an image as a tar archive, for other tools.

internal import ArgumentParser
internal import Images

struct ExportCommand: HoldfastCommand {
    static let configuration = CommandConfiguration(
        commandName: "export", abstract: "Write an image to standard output as a tar archive.",
        discussion: discussion(
            examples: "holdfast export latest --from nas > plc.tar",
            "holdfast export 3f9a --from nas | tar -t # only the names"))

    @Argument(help: "The image.", completion: .images)
    var image: NameArgument

    @Option(help: ArgumentHelp("The store.", valueName: "store"))
    var from: StoreArgument

    @Option(help: ArgumentHelp("Only an image of this series.", valueName: "series"), completion: .series)
    var series: NameArgument?

    @Option(help: ArgumentHelp("Only an image of this host.", valueName: "host"))
    var host: NameArgument?

    @OptionGroup var pace: RateOptions
    @OptionGroup(title: "Everywhere") var global: GlobalOptions

    func check() throws {
        if global.json {
            throw ValidationError("--json and export exclude each other: standard output carries the archive.")
        }
    }

    func perform(_ session: Session) throws -> Outcome {
        try refuseTerminal(1, "standard output")
        let store = try session.open(pace.pacing(from), for: .read)
        let report = try session.working {
            try store.export(
                image: image.text, ImageFilter(series: series?.text, host: host?.text), to: 1,
                progress: session.progress, findings: session.findings)
        }
        session.show(
            [],
            summary: [
                "image \(report.label.map(describe) ?? image.text) exported: "
                    + "\(Text.counted(report.entries, "entry", "entries")), \(Text.size(report.contentBytes))"
            ], outputIsData: true)
        return session.outcome(report.findings)
    }
}
