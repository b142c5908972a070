// `holdfast store info`: what a store is and who can open it.

internal import ArgumentParser
internal import Images
internal import Platform

struct StoreInfoCommand: HoldfastCommand {
    static let configuration = CommandConfiguration(
        commandName: "info", abstract: "Tell what a store is and who can open it.",
        discussion: discussion(
            examples: "holdfast store info nas # compare the fingerprint with the paper",
            "holdfast store info /mnt/usb/line3 --json"))

    @Argument var store: StoreArgument

    @OptionGroup(title: "Everywhere") var global: GlobalOptions

    func perform(_ session: Session) throws -> Outcome {
        let place = try session.place(store)
        let (opened, isListed) = try open(session)
        let readers = try session.readers(store)
        let all = try opened.writers()
        let (writers, stewards) = (all.filter { !$0.isSteward }, all.filter(\.isSteward))
        let revoked = try opened.revokedWriters()
        let images = try opened.images()
        let newest = images.last { $0.label != nil }?.label
        let damaged = UInt64(images.count { $0.isDamaged })
        if session.console.isJSON {
            let members: [(String, JSON?)] = [
                ("store", .text(opened.identifier)), ("fingerprint", .text("\(opened.fingerprint)")),
                ("writers", .list(writers.map(document))), ("revoked", .list(revoked.map(document))),
                ("stewards", .list(stewards.map { .object([("steward", .text($0.id)), ("name", .text($0.name))]) })),
                ("recipients", .list(readers.map { .object($0.members) })),
                ("group", opened.groupName.map(JSON.text)), ("canRead", .flag(opened.canRead)),
                ("canList", .flag(isListed)), ("images", .number(UInt64(images.count))),
                ("damagedImages", .number(damaged)), ("newest", newest.map { .time($0.time) }),
            ]
            session.console.document(.object(JSON.place(place.location) + members))
        } else {
            var lines = [
                "place      \(place.words)", "store      \(opened.identifier)", "fingerprint \(opened.fingerprint)",
            ]
            lines += readers.map { "recipient  \($0.shown)" }
            lines += writers.map { "writer     \(shown($0))" } + revoked.map { "revoked    \(shown($0))" }
            lines += stewards.map { "steward    \($0.id.prefix(8)) \($0.name)" }
            lines.append("group      \(opened.groupName ?? "none: this machine has not joined")")
            lines.append("contents   \(contents(opened, isListed))")
            let time = newest.map { ", the newest of " + Text.localTime($0.time) } ?? ""
            lines.append("images     \(Text.number(UInt64(images.count)))\(time)")
            if damaged > 0 { lines.append("damaged    \(damaged)") }
            session.console.result(lines.map { Text.safe($0) + "\n" }.joined())
        }
        return damaged > 0 ? .findings : .done
    }

    /// The store, and whether its images can be listed. Without keys there is still what it says to everybody.
    private func open(_ session: Session) throws -> (store: Store, isListed: Bool) {
        do {
            return (try session.open(store, for: .list), true)
        } catch ImageError.noIdentity, ImageError.wrongIdentity, ImageError.wrongPassphrase {
            return (try session.open(store, for: .look), false)
        }
    }

    private func contents(_ store: Store, _ isListed: Bool) -> String {
        if store.canRead { return "encrypted; the keys at hand open it" }
        return isListed
            ? "encrypted; the keys at hand list the images, but open none" : "encrypted; no key at hand opens it"
    }

    private func shown(_ writer: StoreWriter) -> String {
        "\(writer.id.prefix(8)) \(writer.name), series \(writer.series.joined(separator: ", "))…"
    }

    private func document(_ writer: StoreWriter) -> JSON {
        .object([
            ("writer", .text(writer.id)), ("name", .text(writer.name)), ("series", .list(writer.series.map(JSON.text))),
        ])
    }
}
