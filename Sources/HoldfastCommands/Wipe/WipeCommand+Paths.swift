// `holdfast wipe` for files, folders and free space.

internal import Images
internal import Machine
internal import Platform
internal import RestorePoints
internal import Sanitization

extension WipeCommand {
    func wipePath(_ session: Session) throws -> Outcome {
        guard level == nil, technique == nil, certificate == nil, fields.isEmpty, passes == 1, !discard, !restart,
            pattern == nil, verify == nil, rate == nil
        else {
            throw Problem.usage(
                "\(device.path) is no device: it is overwritten once and read back, and no certificate says that of a part of a medium",
                hint: "leave the options of devices away; `holdfast disks` lists devices")
        }
        return freeSpace ? try wipeFreeSpace(session) : try wipeFiles(session)
    }

    private func wipeFiles(_ session: Session) throws -> Outcome {
        let wipe = try PathWipe(device.absolute)
        for reason in wipe.reach.reasons { session.console.warning(reason) }
        if wipe.linked > 0 {
            session.console.warning(
                "\(Text.counted(wipe.linked, "file has", "files have")) names elsewhere, too; what they hold will be gone there as well"
            )
        }
        let holders = holders(of: wipe.path, session)
        for holder in holders { session.console.warning(holder) }
        guard
            try session.agree(
                to: wipe, plan,
                lines: ["\(device.path): \(Text.counted(wipe.files, "entry", "entries")), \(Text.size(wipe.bytes))"],
                members: JSON.path(wipe.path, key: "path") + [
                    ("entries", .number(wipe.files)), ("bytes", .number(wipe.bytes)),
                    ("reasons", .list((wipe.reach.reasons + holders).map(JSON.text))),
                ], question: "Wipe \(device.path)?",
                signed: ["\(wipe.path): \(Text.counted(wipe.files, "entry", "entries")), \(Text.size(wipe.bytes))"])
        else { return .done }
        var report = try session.working { try wipe.run(session.progress) }
        report.reasons += holders
        return show(report, "wiped \(device.path)", session)
    }

    private func wipeFreeSpace(_ session: Session) throws -> Outcome {
        let wipe = try FreeSpaceWipe(
            device.absolute, reserve: reserve?.bytes, state: state.places(session).state)
        for reason in wipe.reach.reasons { session.console.warning(reason) }
        var lines = ["\(device.path): \(Text.size(wipe.free)) are free"]
        if wipe.leftover > 0 {
            lines.append(
                "an interrupted wipe still takes \(Text.size(wipe.leftover)) there: "
                    + "`holdfast wipe \(device.path) --free-space` gives them back"
            )
        }
        guard
            try session.agree(
                to: wipe, plan, lines: lines,
                members: JSON.path(wipe.path, key: "path") + [
                    ("free", .number(wipe.free)), ("leftover", .number(wipe.leftover)),
                    ("reasons", .list(wipe.reach.reasons.map(JSON.text))),
                ], question: "Fill and wipe what is free there?", signed: ["what is free on \(wipe.path)"])
        else { return .done }
        let report = try session.working { try wipe.run(session.progress) }
        return show(report, "wiped what is free on \(device.path)", session)
    }

    private func show(_ report: PathWipeReport, _ done: String, _ session: Session) -> Outcome {
        for note in report.notes { session.console.note(note) }
        var lines = ["\(done): \(Text.size(report.bytes)), \(Text.size(report.verified)) read back from the device"]
        if !report.isAchieved {
            lines = [
                "not achieved: " + report.reasons.joined(separator: "; "),
                "what to do instead: wipe the whole disk when it goes",
            ]
        }
        session.show(
            [
                ("achieved", .flag(report.isAchieved)), ("entries", .number(report.files)),
                ("bytes", .number(report.bytes)),
                ("verified", .number(report.verified)), ("reasons", .list(report.reasons.map(JSON.text))),
                ("notes", .list(report.notes.map(JSON.text))),
            ], summary: lines)
        return report.isAchieved ? .done : .findings
    }

    /// The points of this machine and the images in its stores that have what is to go.
    private func holders(of path: BytePath, _ session: Session) -> [String] {
        var found: [String] = []
        if let tree = try? state.open(session), path == tree.root || path.isBelow(tree.root),
            let points = try? tree.points(holding: path), !points.isEmpty
        {
            found.append(
                "\(Text.counted(UInt64(points.count), "point", "points")) still have it: "
                    + points.map(\.name).joined(separator: ", "))
        }
        for name in session.configuration.stores.keys.sorted() {
            guard let argument = StoreArgument(argument: name), let store = try? session.open(argument, for: .list),
                let images = try? store.images()
            else {
                found.append("the store \(name) could not be asked; it may still have it")
                continue
            }
            let holding = images.filter { image in
                image.label.map { label in
                    label.isOf(host: HostFacts.hostName)
                        && label.sources.contains { path == $0 || path.isBelow($0) || $0.isBelow(path) }
                } ?? false
            }
            if !holding.isEmpty {
                let names = holding.map { "\($0.label?.name ?? "") (\($0.id))" }
                found.append(
                    "\(Text.counted(UInt64(holding.count), "image", "images")) in the store \(name) may still have it: "
                        + names.joined(separator: ", "))
            }
        }
        return found
    }
}
