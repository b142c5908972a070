// `holdfast images`: lists what can be restored.

internal import ArgumentParser
internal import Images
internal import Platform
internal import Reporting
internal import Stewardship

struct ImagesCommand: HoldfastCommand {
    static let configuration = CommandConfiguration(
        commandName: "images", abstract: "List the images, the oldest first.",
        discussion: discussion(
            """
            An image of a machine says what is needed to restore it beside its files: disks, network, units, packages, and what it does \
            not hold. --needs shows that of the newest image of this machine, with --host of another one, or of the image that is named; it wants an identity. \
            With --verbose a list shows what is pinned.
            """,
            examples: "holdfast images --from nas --host press-01 --json",
            "holdfast images --from /mnt/usb/line3 --identity key.txt # a copy",
            "holdfast images --needs 3f9a --from nas --identity key.txt"))

    @Argument(help: "With --needs, the image (default: the newest of this machine).", completion: .images)
    var image: NameArgument?

    @Flag(help: "Show what is needed to restore the machine of an image; with --verbose name packages and units.")
    var needs = false

    @OptionGroup var source: SourceOptions
    @OptionGroup(title: "Everywhere") var global: GlobalOptions

    func check() throws {
        try source.check()
        if image != nil && !needs {
            throw ValidationError("An image is named with --needs; all are listed without a name.")
        }
    }

    func perform(_ session: Session) throws -> Outcome {
        if needs { return try showNeeds(session) }
        let images: [ImageSummary]
        // nil: nobody knows.
        var pinned: Set<ObjectID>? = []
        if let input = source.input {
            try input.refuseUnreadable()
            images = try SingleFile.images(
                input.path, credentials: session.credentials(for: input.path), machine: session.machine,
                progress: session.progress, findings: session.findings)
        } else if let from = source.store() {
            let store = try session.open(from, for: .list)
            let all = try store.images()
            if let limitation = store.limitation { session.findings.add(limitation) }
            if let missing = try store.missingRoots(all) { session.findings.add(missing) }
            try store.lostImages(all).forEach(session.findings.add)
            images = all.filter(source.filter.holds)
            if images.isEmpty && !source.filter.isEmpty { throw store.noImage(of: source.filter, all) }
            // A list more of a store: whoever asks for everything waits for it.
            pinned = session.console.isVerbose ? pins(of: store, session) : nil
        } else {
            images = []
        }
        if session.console.isJSON {
            session.console.document(
                .object([("images", .list(images.map { document($0, pinned) }))] + session.console.findingMembers))
        } else if images.isEmpty {
            session.console.note("no images")
        } else {
            session.console.result(table(images, pinned ?? []))
        }
        for image in images where image.isDamaged {
            session.console.warning("image \(image.id) is damaged: \(image.problem ?? "its label cannot be read")")
        }
        return images.contains { $0.isDamaged } || session.findings.count > 0 ? .findings : .done
    }

    /// The newest image of this machine, or of what the options choose; one of `/` before one of a part of it. nil of a single file.
    private func newestOfMachine(_ session: Session) throws -> NameArgument? {
        guard let from = source.store() else { return nil }
        let store = try session.open(from, for: .list)
        let all = try store.images()
        // Of a store that holds several machines this one is meant.
        let filter = source.filter.isEmpty ? ImageFilter(host: HostFacts.hostName) : source.filter
        let counting = all.filter { $0.counts && filter.holds($0) }
        let systems = counting.filter { $0.label?.roles.contains(ImageLabel.systemRole) == true }
        // Of one second the later of a series.
        func place(_ image: ImageSummary) -> (Int64, UInt64) {
            image.label.map { ($0.storeTime ?? $0.time.seconds, $0.sequence) } ?? (.min, 0)
        }
        let newest = (systems.isEmpty ? counting : systems).max { place($0) < place($1) }
        guard let newest else {
            let error = store.noImage(of: filter, all)
            if !source.filter.isEmpty { throw error }
            throw Problem(
                error.sentence,
                hint:
                    "without a name the newest image of this machine is meant: `--host HOST` chooses that of another one; `holdfast images --from STORE` lists all",
                status: error.exitStatus)
        }
        return NameArgument(argument: newest.id.description)
    }

    private func showNeeds(_ session: Session) throws -> Outcome {
        let name = try image ?? newestOfMachine(session)
        let reader = try source.reader(name, nil, session)
        let subject = reader.label.map { describe($0, reader.imageID) } ?? "the image"
        let disks = reader.label?.disks ?? []
        if !disks.isEmpty, !session.console.isJSON {
            session.console.result((["DISK"] + disks.map { "  " + Text.safe($0) }).joined(separator: "\n") + "\n")
        }
        guard let bytes = try Images.needs(of: reader) else {
            if !disks.isEmpty {
                if session.console.isJSON {
                    session.console.document(
                        .object(
                            [("image", reader.imageID.map(JSON.id))] + JSON.label(reader.label)
                                + session.console.findingMembers))
                }
                return session.outcome(0)
            }
            throw Problem(
                "the image \(subject) does not say what is needed to restore a machine",
                hint: "images of / and of jobs do; `holdfast images` lists all", status: 1)
        }
        let needs = try MachineNeeds(decoding: bytes, of: "image \(subject)")
        if session.console.isJSON {
            session.console.document(
                .object(
                    [("image", reader.imageID.map(JSON.id))] + JSON.label(reader.label)
                        + [("needs", .encoded(try needs.json()))] + session.console.findingMembers))
        } else {
            session.console.note("what is needed to restore \(subject):")
            session.console.result(NeedsDisplay(needs: needs, isVerbose: session.console.isVerbose).text)
        }
        return session.outcome(0)
    }

    /// A list is worth having without them.
    private func pins(of store: Store, _ session: Session) -> Set<ObjectID>? {
        do { return try store.pinned() } catch {
            session.console.warning("which images are pinned is not known: \(explained(error).sentence)")
            return nil
        }
    }

    private func document(_ image: ImageSummary, _ pinned: Set<ObjectID>?) -> JSON {
        .object(
            [("image", .id(image.id))] + JSON.label(image.label)
                + [
                    ("timeLocal", image.label.map { .text(Text.localTime($0.time)) }),
                    ("storeTime", image.label?.storeTime.map { .time(Timestamp(seconds: $0, nanoseconds: 0)) }),
                    ("clock", image.label.map { .text($0.clock.word) }),
                    ("clockOffset", image.label.flatMap { $0.storeTime == nil ? nil : .seconds($0.clockOffset) }),
                    ("series", image.label.map { .text($0.series) }),
                    ("sequence", image.label.map { .number($0.sequence) }),
                    ("writer", .text(image.writer)),
                    ("unfinished", .flag(image.isUnfinished)),
                    ("tool", image.label.map { .text($0.tool) }),
                    ("parent", image.label?.parent.map(JSON.id)),
                    ("findingCount", image.label.map { .number($0.findings) }),
                    ("pinned", pinned.map { .flag($0.contains(image.id)) }),
                    ("damaged", .flag(image.isDamaged)),
                    ("problem", image.problem.map(JSON.text)),
                ])
    }

    private func table(_ images: [ImageSummary], _ pinned: Set<ObjectID>) -> String {
        var table = Table([
            ("ID", .left), ("TIME (\(Text.zone))", .left), ("HOST", .left), ("SIZE", .right), ("NEW", .right),
            ("NAME", .left), ("SOURCE", .left),
        ])
        let digits = idDigits(images)
        // Whoever reads it by a program gets all of it.
        let limit = terminalColumns(1) > 0 ? 20 : Int.max
        for image in images {
            let id = String(image.id.description.prefix(digits))
            guard let label = image.label else {
                let state = image.isDamaged ? "(damaged)" : "(\(Text.safe(image.problem ?? "unknown")))"
                table.add([id, "", "", "", "", state, ""])
                continue
            }
            table.add([
                id, Text.localMinute(label.time), Text.shortened(Text.safe(label.host), to: limit),
                Text.size(label.contentBytes), Text.size(label.newBytes),
                image.remark + (pinned.contains(image.id) ? "(pinned) " : "")
                    + Text.shortened(Text.safe(label.name), to: limit),
                label.sources.map(\.description).joined(separator: ", ")
                    + (label.point.isEmpty ? "" : " (\(Text.safe(label.point)))"),
            ])
        }
        return table.text
    }
}

extension ClockState {
    /// As JSON has it.
    fileprivate var word: String {
        switch self {
        case .unknown: "unknown"
        case .synchronized: "synchronized"
        case .notSynchronized: "not synchronized"
        }
    }
}
