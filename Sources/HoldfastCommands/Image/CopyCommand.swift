// `holdfast copy`: images from store to store, and between stores and single files.

internal import ArgumentParser
internal import Images
internal import Platform
internal import Stewardship

struct CopyCommand: HoldfastCommand {
    static let configuration = CommandConfiguration(
        commandName: "copy", abstract: "Copy images to another store, or to and from a single file.",
        discussion: discussion(
            """
            To a new folder, or to an earlier copy of the same store, volumes are copied as they are, which needs no \
            key. To another store contents are encrypted anew, which needs an identity.

            What the copy has already is compared by its ends alone; with --read-data all of it, and what is damaged \
            there is made anew from the store, if that has it whole: of contents an identity tells.
            """,
            examples: "holdfast copy --from nas --to /mnt/usb/line3 # a replica",
            "holdfast copy latest --from nas --series press-01/plc --output plc.hf",
            "holdfast copy --from /mnt/usb/line3 --to nas --read-data # mends it"))

    @Argument(help: ArgumentHelp("The images; all where none is named.", valueName: "image"), completion: .images)
    var images: [NameArgument] = []

    @OptionGroup var source: SourceOptions
    @OptionGroup var target: TargetOptions

    @Flag(
        help: "Compare what a copy of the same store has already to its last byte, and make anew what is damaged there."
    )
    var readData = false

    @OptionGroup var pace: RateOptions
    @OptionGroup(title: "Everywhere") var global: GlobalOptions

    func check() throws {
        try source.check()
        try target.check()
        if source.input != nil && target.output != nil {
            throw ValidationError("A single file is copied to another with cp.")
        }
        if source.input != nil && images.count > 1 { throw ValidationError("A single file holds one image.") }
        if readData && (source.from == nil || target.to == nil) {
            throw ValidationError("--read-data is for two stores.")
        }
        if target.output != nil && images.count != 1 {
            throw ValidationError("A single file takes one image; name it.")
        }
        try refuseMixedOutput(target.output, global)
    }

    func isRecorded(in session: Session) -> Bool { true }

    func perform(_ session: Session) throws -> Outcome {
        let report = try copy(session)
        session.show(
            [
                ("images", .number(report.images)), ("volumes", .number(report.volumes)),
                ("bytes", .number(report.bytes)), ("uncheckedImages", .number(report.uncheckedImages)),
            ] + session.console.findingMembers,
            summary: summary(report), outputIsData: target.output?.isStandard == true)
        return session.outcome(report.findings)
    }

    private func summary(_ report: CopyReport) -> [String] {
        let copied =
            "copied \(Text.counted(report.images, "image", "images")): "
            + "\(Text.counted(report.volumes, "volume", "volumes")), \(Text.size(report.bytes))"
        if report.uncheckedImages == 0 { return [copied] }
        return [
            copied,
            "not checked whether all is there that \(Text.counted(report.uncheckedImages, "image", "images")) "
                + "\(report.uncheckedImages == 1 ? "needs" : "need"): no key at hand opens "
                + "\(report.uncheckedImages == 1 ? "it" : "them"); `holdfast verify` does",
        ]
    }

    private func copy(_ session: Session) throws -> CopyReport {
        let names = images.map(\.text)
        let filter = source.filter
        let (progress, findings) = (session.progress, session.findings)
        switch (source.store(pace), source.input, target.to.map(pace.pacing), target.output) {
        case (let from?, _, let to?, _):
            return try session.working {
                try session.copy(
                    names, filter, from: from, to: to, readData: readData, progress: progress, findings: findings)
            }
        case (let from?, _, _, let output?):
            let destination = try SingleFileOutput(output, partSize: target.partSize)
            let store = try session.open(from, for: .read)
            return try session.working {
                try store.copy(image: names[0], filter, to: destination, progress: progress, findings: findings)
            }
        case (_, let input?, let to?, _):
            try input.refuseUnreadable()
            try source.checkName(images.first, of: input, session)
            let store = try session.openToWrite(to)
            let credentials = try session.credentials(for: input.path)
            return try session.working {
                try SingleFile.copy(
                    input.path, credentials: credentials, to: store, progress: progress, findings: findings)
            }
        default: throw Problem.usage("give --from or --input, and --to or --output")
        }
    }
}
