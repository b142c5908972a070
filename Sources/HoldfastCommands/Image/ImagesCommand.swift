// `holdfast images`: lists what can be restored.

internal import ArgumentParser
internal import Images
internal import Platform
internal import Reporting

struct ImagesCommand: HoldfastCommand {
    static let configuration = CommandConfiguration(
        commandName: "images", abstract: "List the images, the oldest first.")

    @OptionGroup var source: SourceOptions
    @OptionGroup(title: "Everywhere") var global: GlobalOptions

    func perform(_ session: Session) throws -> Outcome {
        let images: [ImageSummary]
        if let input = source.input {
            if input.isStandard { try refuseTerminal(0, "standard input") }
            images = try SingleFile.images(
                input.path, credentials: session.credentials(for: input.path), machine: session.machine)
        } else if let from = source.from {
            let store = try session.open(from, for: .list)
            let all = try store.images()
            try store.lostImages(all).forEach(session.findings.add)
            images = all.filter { image in
                (source.series == nil || image.label?.series == source.series?.text)
                    && (source.host == nil || image.label?.host == source.host?.text)
            }
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
            ("NAME", .left), ("HOST", .left), ("TIME", .left), ("SOURCE", .left), ("SIZE", .right), ("NEW", .right),
            ("ID", .left),
        ])
        for image in images {
            guard let label = image.label else {
                let state = image.isDamaged ? "(damaged)" : "(\(Text.safe(image.problem ?? "unknown")))"
                table.add([state, "", "", "", "", "", image.id.description])
                continue
            }
            table.add([
                Text.safe(label.name), Text.safe(label.host), Text.time(label.time),
                label.sources.map(\.description).joined(separator: ", ")
                    + (label.point.isEmpty ? "" : " (\(Text.safe(label.point)))"),
                Text.size(label.contentBytes),
                Text.size(label.newBytes), image.id.description + (image.isDamaged ? " (damaged)" : ""),
            ])
        }
        return table.text
    }
}
