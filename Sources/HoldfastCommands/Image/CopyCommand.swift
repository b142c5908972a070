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

    /// What a replica has, as far as that can be told of the words of the command.
    private func content(isNew: Bool) -> KnownStores.Content {
        if images.isEmpty && source.filter.isEmpty { return .all }
        let isNewest = images.allSatisfy { $0.text == "latest" }
        return .chosen(isNewest ? Set([source.series].compactMap { $0.map { ExactText($0.text) } }) : [], isNew: isNew)
    }

    private func copy(_ session: Session) throws -> CopyReport {
        let names = images.map(\.text)
        let filter = source.filter
        let (progress, findings) = (session.progress, session.findings)
        switch (source.store(pace), source.input, target.to.map(pace.pacing), target.output) {
        case (let from?, _, let to?, _):
            let (origin, place) = (try session.place(from), try session.place(to))
            let (source, target) = (try session.objects(origin), try session.objects(place, writing: true))
            guard try Store.exists(source) else { throw session.absence(of: origin) }
            try session.refuseOther(Store.identifier(of: source), at: origin)
            try session.refuseFile(place)
            try session.knownStores.check(place.location, target, for: Store.identifier(of: source))
            // As with a backup: the empty folder of a configured store is a disk that is not mounted.
            let isThere = try Store.exists(target)
            if !place.mayBecomeStore && !isThere { throw session.absence(of: place) }
            if !isThere { try session.refuseUnmounted(place) }
            if try !isThere || Store.isReplica(source, target) {
                let credentials = try session.credentials(for: origin)
                return try session.working {
                    try Store.replicate(
                        source, to: target, images: names, filter, readData: readData, credentials: credentials,
                        machine: session.machine(for: origin), progress: progress, findings: findings,
                        mayEndImages: session.global.isYes
                    ) { store in
                        session.rememberSource(store, at: origin)
                        session.remember(store, at: place, content(isNew: !isThere))
                    }
                }
            }
            let store: Store
            do { store = try session.open(from, for: .read) } catch ImageError.noIdentity {
                throw Problem(
                    "\(place.words) is another store than \(origin.words), and no identity was given: what is copied there is read and written anew",
                    hint:
                        "give an identity that opens \(origin.words) with `--identity FILE`, or the place of a copy of it",
                    status: ImageError.noIdentity(store: "").exitStatus)
            }
            let other = try session.openToWrite(to)
            session.rememberSource(store.identifier, at: origin)
            return try session.working {
                try store.copy(images: names, filter, to: other, progress: progress, findings: findings)
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
