// `holdfast images`: lists what can be restored.

internal import ArgumentParser
internal import Images
internal import Platform
internal import Reporting

struct ImagesCommand: HoldfastCommand {
    static let configuration = CommandConfiguration(
        commandName: "images", abstract: "List the images, the oldest first.",
        discussion: discussion(
            examples: "holdfast images --from nas", "holdfast images --from nas --host press-01 --json",
            "holdfast images --from /mnt/usb/line3 --identity key.txt # a copy"))

    @OptionGroup var source: SourceOptions
    @OptionGroup(title: "Everywhere") var global: GlobalOptions

    func check() throws { try source.check() }

    func perform(_ session: Session) throws -> Outcome {
        let images: [ImageSummary]
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
        } else {
            images = []
        }
        if session.console.isJSON {
            session.console.document(
                .object([("images", .list(images.map(document)))] + session.console.findingMembers))
        } else if images.isEmpty {
            session.console.note("no images")
        } else {
            session.console.result(table(images))
        }
        for image in images where image.isDamaged {
            session.console.warning("image \(image.id) is damaged: \(image.problem ?? "its label cannot be read")")
        }
        return images.contains { $0.isDamaged } || session.findings.count > 0 ? .findings : .done
    }

    private func document(_ image: ImageSummary) -> JSON {
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
                    ("damaged", .flag(image.isDamaged)),
                    ("problem", image.problem.map(JSON.text)),
                ])
    }

    private func table(_ images: [ImageSummary]) -> String {
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
                image.remark + Text.shortened(Text.safe(label.name), to: limit),
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
