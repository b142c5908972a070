// `holdfast store info`: what a store is and who can open it.

internal import ArgumentParser
internal import Images
internal import Platform

struct StoreInfoCommand: HoldfastCommand {
    static let configuration = CommandConfiguration(
        commandName: "info", abstract: "Tell what a store is and who can open it.")

    @Argument var store: StoreArgument

    @OptionGroup(title: "Everywhere") var global: GlobalOptions

    func perform(_ session: Session) throws -> Outcome {
        let path = try session.place(store).path
        let readers = try session.readers(store)
        let recipients = readers.map(\.name)
        let opened: Store?
        do {
            opened = try session.open(store, for: .list)
        } catch ImageError.noIdentity, ImageError.wrongIdentity {
            opened = nil
        }
        let images = try opened?.images()
        let newest = images?.last { $0.label != nil }?.label
        let writers = try opened?.writers() ?? []
        if session.console.isJSON {
            session.console.document(
                .object(
                    JSON.path(path)
                        + [
                            ("store", opened.map { .text($0.identifier) }),
                            ("fingerprint", opened.map { .text("\($0.fingerprint)") }),
                            (
                                "writers",
                                .list(
                                    writers.map {
                                        .object([
                                            ("writer", .text($0.id)), ("name", .text($0.name)),
                                            ("series", .list($0.series.map(JSON.text))),
                                        ])
                                    })
                            ),
                            ("recipients", .list(recipients.map(JSON.text))),
                            ("group", opened?.groupName.map(JSON.text)),
                            ("canRead", .flag(opened?.canRead ?? false)),
                            ("images", images.map { .number(UInt64($0.count)) }),
                            ("damagedImages", images.map { .number(UInt64($0.count { $0.isDamaged })) }),
                            ("newest", newest.map { .time($0.time) }),
                        ]))
        } else {
            var lines = ["path       \(path)"]
            if let opened { lines.append("store      \(opened.identifier)") }
            if let opened { lines.append("fingerprint \(opened.fingerprint)") }
            lines += readers.map { "recipient  \($0.name)\($0.governs ? "" : " (reads only)")" }
            lines += writers.map {
                "writer     \($0.id.prefix(8)) \($0.name), series \($0.series.joined(separator: ", "))…"
            }
            if let opened {
                lines.append("group      \(opened.groupName ?? "none: this machine has not joined")")
                lines.append("contents   \(opened.canRead ? "can be read" : "cannot be read") with the keys at hand")
            } else {
                lines.append("contents   nothing can be read with the keys at hand")
            }
            if let images {
                let time = newest.map { ", the newest of " + Text.localTime($0.time) } ?? ""
                lines.append("images     \(Text.number(UInt64(images.count)))\(time)")
                let damaged = images.count { $0.isDamaged }
                if damaged > 0 { lines.append("damaged    \(damaged)") }
            }
            session.console.result(lines.map { Text.safe($0) + "\n" }.joined())
        }
        return images?.contains { $0.isDamaged } == true ? .findings : .done
    }
}
