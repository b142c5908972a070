// Restoring the image of a disk: what is about to happen, who agrees to it, and what came of it.

internal import Disks
internal import Images
internal import Machine
internal import Platform
internal import Reporting

struct DiskRestore {
    let disk: BytePath
    let asked: DiskTargetOptions
    let isDryRun: Bool

    func perform(_ reader: any ImageReader, _ session: Session) throws -> Outcome {
        let image = reader.imageID.map { "\($0)" } ?? ""
        let restoration = DiskRestoration(
            to: disk, image: image, asked.options, progress: session.progress, findings: session.findings,
            forecast: { try reader.forecast(session.progress) }, agree: { try agreed(to: $0, session) })
        let report: DiskRestoreReport
        let result: DiskRestoration.Report
        do {
            (report, result) = try session.working {
                let report = try restoreDisk(
                    reader, to: restoration, progress: session.progress, findings: session.findings)
                return (report, try restoration.finish())
            }
        } catch is DiskRestoration.NotWanted {
            return .done
        } catch {
            if restoration.hasBegun {
                session.console.warning("\(disk) is not finished and starts nothing; the same command goes on")
            }
            throw error
        }
        show(report, result, restoration, session)
        return session.outcome(session.findings.count)
    }

    /// Shows what would be done, and has the serial number typed.
    private func agreed(to plan: DiskRestorePlan, _ session: Session) throws -> RestoredIdentity? {
        let lines = self.lines(plan)
        if isDryRun {
            session.show(
                document(plan),
                summary: lines + plan.lacking + plan.doubts + [
                    "nothing was read of the image's content, nothing was written"
                ])
            return nil
        }
        // Programs read standard error, too.
        if session.console.isJSON {
            session.console.planJSON(.object(document(plan)))
        } else {
            lines.forEach { session.console.note($0) }
        }
        (plan.lacking + plan.doubts).forEach { session.console.warning($0) }
        let identity = try asked.identity ?? ask(plan, session)
        try session.confirm(
            losing: plan.target.path, device: plan.target.device, wanted: plan.confirmation, given: asked.confirm)
        return identity
    }

    /// Two machines that are one to the network, to SSH and to stores harm each other: nobody decides that by saying nothing.
    private func ask(_ plan: DiskRestorePlan, _ session: Session) throws -> RestoredIdentity {
        let host = plan.description.system?.hostName.map(Text.safe) ?? "that machine"
        guard plan.isOfOtherMachine else {
            if plan.description.system != nil, !session.console.isJSON {
                session.console.note("it will be the same machine, \(host); with --new-identity it becomes another one")
            }
            return .same
        }
        guard session.hasTerminal else {
            throw Problem.refused(
                "the image is of another machine than this one, and nobody says whether \(host) is gone",
                hint: "`--same-identity` where this one takes its place, `--new-identity` where both will run")
        }
        let choices = ["replacement", "copy"]
        let lines = [
            "The image is of another machine than this one.",
            "1 replacement: \(host) is gone, and this one takes its place",
            "2 copy: \(host) goes on, and this one is another machine",
        ]
        return try session.choose(
            "Which is it?", from: lines, names: choices, hint: "give --same-identity or --new-identity")
            == 0 ? .same : .new(hostName: nil)
    }

    private func lines(_ plan: DiskRestorePlan) -> [String] {
        let (target, from) = (plan.target, plan.description)
        var lines = [
            "onto \(target.path): " + Self.facts(target.device?.model, target.device?.serial, target.size),
            "from the image of \(Text.safe(from.name)): " + Self.facts(from.model, from.serial, from.size),
        ]
        if let system = from.system {
            let host = system.hostName.map { ", host \(Text.safe($0))" } ?? ""
            lines.append("with the system \(Text.safe(system.name ?? "of unknown name"))\(host)")
        }
        for volume in from.volumes {
            let content = volume.content.map { "\(Text.safe($0)), " } ?? ""
            lines.append(
                "\(Text.safe(volume.stream)): \(content)\(Text.size(volume.size)) at byte \(volume.start), \(Text.safe(volume.way.rawValue)): \(Text.safe(volume.reason))"
            )
        }
        if let resized = plan.resized {
            lines.append("\(Text.safe(resized.stream)) will have \(Text.size(resized.size))")
        }
        for volume in plan.dropped {
            lines.append(
                "\(Text.safe(volume.stream)) is left out: it lay behind the last partition, where \(plan.resized == nil ? "this disk ends" : "that has grown to")"
            )
        }
        if plan.hasOtherSectors {
            lines.append(
                "it has sectors of another size: file systems are made anew, and what a BIOS starts from is left out")
        }
        if let twins = plan.twinsInWords { lines.append(twins) }
        if plan.goesOn { lines.append("an interrupted restore of the same image goes on") }
        if !plan.isForeseen {
            lines.append(
                "whether all of the image is there, and has room, shows only when it has come: nothing of it can be looked at before"
            )
        }
        return lines
    }

    /// Who it will be: what was asked for, or `undecided` where somebody still has to say it; nil where there is no system.
    private func identityWord(_ plan: DiskRestorePlan) -> String? {
        switch asked.identity {
        case .same?: "same"
        case .new?: "new"
        case nil: plan.description.system == nil ? nil : plan.isOfOtherMachine ? "undecided" : "same"
        }
    }

    private func document(_ plan: DiskRestorePlan) -> [(String, JSON?)] {
        [
            ("dryRun", .flag(isDryRun)), ("disk", .text(plan.target.path.description)),
            ("bytes", .number(plan.target.size)),
            (
                "volumes",
                .list(
                    plan.description.volumes.map {
                        .object([
                            ("name", .text($0.stream)), ("start", .number($0.start)), ("bytes", .number($0.size)),
                            ("way", .text($0.way.rawValue)), ("content", $0.content.map(JSON.text)),
                            ("reason", .text($0.reason)),
                        ])
                    })
            ),
            ("confirmation", plan.confirmation.map(JSON.text)), ("goesOn", .flag(plan.goesOn)),
            (
                "system",
                plan.description.system.map {
                    .object([
                        ("volume", .text($0.volume)), ("folder", $0.folder.map(JSON.text)),
                        ("name", $0.name.map(JSON.text)), ("host", $0.hostName.map(JSON.text)),
                    ])
                }
            ),
            ("identity", identityWord(plan).map(JSON.text)),
            (
                "twins",
                .list(
                    plan.twins.map {
                        .object([("name", .text($0.stream)), ("device", .text("/dev/\($0.device)"))])
                    })
            ),
            ("leftOut", .list(plan.dropped.map { .text($0.stream) })),
            ("otherSectors", .flag(plan.hasOtherSectors)),
            (
                "resized",
                plan.resized.map { .object([("name", .text($0.stream)), ("bytes", .number($0.size))]) }
            ),
            ("isForeseen", .flag(plan.isForeseen)), ("missing", .list(plan.lacking.map(JSON.text))),
            ("doubts", .list(plan.doubts.map(JSON.text))),
        ]
    }

    private static func facts(_ model: String?, _ serial: String?, _ size: UInt64) -> String {
        var facts = [Text.size(size)]
        if let serial, !serial.isEmpty { facts.insert("serial number \(Text.safe(serial))", at: 0) }
        if let model, !model.isEmpty { facts.insert(Text.safe(model), at: 0) }
        return facts.joined(separator: ", ")
    }

    private func show(
        _ report: DiskRestoreReport, _ result: DiskRestoration.Report, _ restoration: DiskRestoration,
        _ session: Session
    ) {
        let what = report.label.map { describe($0, report.image) } ?? "of unknown name"
        let written = report.bytes - min(report.bytes, result.unchanged)
        var lines = [
            "image \(what) restored to \(disk)",
            "written \(Text.size(written))"
                + (restoration.plan?.goesOn == true ? ", there already \(Text.size(result.unchanged))" : "")
                + (asked.options.readsBack ? ", read back \(Text.size(result.compared))" : ", not read back"),
        ]
        if asked.options.readsBack, restoration.plan?.description.volumes.contains(where: { $0.way == .tree }) == true {
            lines.append("what was restored file by file was not read back")
        }
        let untested = restoration.plan?.description.volumes.filter { volume in
            (volume.partition != nil || volume.within != nil) && volume.way != .swap
                && !result.mounted.contains(volume.stream)
                && !result.looked.contains { $0.stream == volume.stream }
        }
        if let untested, !untested.isEmpty {
            lines.append(
                "not looked into: "
                    + untested.map { "\(Text.safe($0.stream)) (\($0.why.map(Text.safe) ?? "it is damaged"))" }.joined(
                        separator: ", "))
        }
        if !result.mounted.isEmpty { lines.append("mounted as a test: \(result.mounted.joined(separator: ", "))") }
        if !result.looked.isEmpty {
            lines.append(
                "read, and not mounted, as a test: "
                    + result.looked.map { "\(Text.safe($0.stream)) (\($0.reason))" }.joined(separator: ", "))
        }
        lines += result.changes
        if session.findings.count > 0 {
            lines.append("not complete: \(Text.counted(session.findings.count, "finding", "findings")), listed above")
        }
        session.show(
            JSON.label(report.label)
                + [
                    ("image", report.image.map(JSON.id)), ("disk", .text(disk.description)),
                    ("bytesWritten", .number(written)), ("bytesUnchanged", .number(result.unchanged)),
                    ("bytesReadBack", .number(result.compared)),
                    ("mounted", .list(result.mounted.map(JSON.text))),
                    (
                        "notMounted",
                        .list(
                            result.looked.map {
                                .object([("name", .text($0.stream)), ("reason", .text($0.reason))])
                            })
                    ),
                    ("changes", .list(result.changes.map(JSON.text))),
                ] + session.console.findingMembers, summary: lines)
    }
}
