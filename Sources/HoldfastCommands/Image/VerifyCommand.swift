// `holdfast verify`: proves that images can be restored.

internal import ArgumentParser
internal import Images
internal import Platform
internal import Reporting

struct VerifyCommand: HoldfastCommand {
    static let configuration = CommandConfiguration(
        commandName: "verify", abstract: "Check that images can be restored.",
        discussion: discussion(
            """
            Without an image the whole store is checked, with --series or --host the images of those. Damage is listed, and ends with status 3. A steward's key \
            suffices to check all but content and to mark; to share, it is given beside an identity, which reads. Of a single file \
            each byte is looked at, also what is there twice.
            """,
            examples: "holdfast verify --from nas # quick, no content",
            "holdfast verify --from nas --read-data # every byte", "holdfast verify --input plc.hf # one file"))

    @Argument(help: "One image only.", completion: .images)
    var image: NameArgument?

    @OptionGroup var source: SourceOptions

    @Flag(help: "Read, decrypt and check all content, not only what lists it. A single file is always read whole.")
    var readData = false

    @Flag(help: "Mark damaged volumes in the store, so that the next backups store their content again.")
    var mark = false

    @Flag(help: "Let other machines of the group build on the images that were read whole.")
    var share = false

    @Flag(help: "Forget the images that this machine has seen and that are gone, so that they are named no more.")
    var forget = false

    @OptionGroup var pace: RateOptions
    @OptionGroup(title: "Everywhere") var global: GlobalOptions

    func check() throws {
        try source.check()
        if (mark || share || forget) && source.from == nil {
            throw ValidationError("--mark, --share and --forget are for a store.")
        }
        if forget && (image != nil || !source.filter.isEmpty) {
            throw ValidationError("--forget looks at all images: name none.")
        }
        if share && !readData {
            throw ValidationError("--share wants --read-data: others will build on what was read.")
        }
    }

    func perform(_ session: Session) throws -> Outcome {
        if let input = source.input {
            try input.refuseUnreadable()
            try source.checkName(image, of: input, session)
            let credentials = try session.credentials(for: input.path)
            let report = try session.working {
                try SingleFile.verify(
                    input.path, credentials: credentials, machine: session.machine, progress: session.progress,
                    findings: session.findings)
            }
            return show(report, of: input.path.description, isWhole: true, session)
        }
        guard let from = source.store(pace) else { throw Problem.usage("give --from STORE or --input FILE") }
        let store: Store
        do { store = try session.open(from, for: .verify, writing: mark || share) } catch ImageError.noIdentity
            where forget && !readData && !mark && !share
        {
            return try forgetOnly(from, session)
        }
        if forget { try self.forget(in: store, session) }
        return try verify(
            store, image: image?.text, source.filter, readData: readData, mark: mark, share: share, session)
    }
}

extension VerifyCommand {
    /// A machine that only writes is told of the images that are gone, too: it needs no identity to forget them.
    private func forgetOnly(_ from: StoreArgument, _ session: Session) throws -> Outcome {
        let store = try session.open(from, for: .list)
        try forget(in: store, session)
        let images = UInt64(try store.images().count)
        session.show(
            [("images", .number(images)), ("checked", .flag(false))] + session.console.findingMembers,
            summary: [
                "\(store.subject) has \(Text.counted(images, "image", "images")); nothing was checked, which an identity or a steward's key does"
            ])
        return session.outcome(0)
    }

    private func forget(in store: Store, _ session: Session) throws {
        let images = try store.images()
        // What other places of the store have is remembered.
        for lost in try store.lostImages(images) where lost.kind != .note {
            session.findings.add(Finding(.note, subject: lost.subject, "its images that are gone are forgotten"))
        }
        store.forgetLostImages(images)
    }
}

/// Checks a store and shows what came out.
func verify(
    _ store: Store, image: String?, _ filter: ImageFilter = ImageFilter(), readData: Bool, mark: Bool = false,
    share: Bool = false, _ session: Session
) throws -> Outcome {
    if image == nil {
        let images = try store.images()
        let missing = filter.isEmpty ? try store.missingRoots(images) : nil
        if let limitation = store.limitation { session.findings.add(limitation) }
        try ((missing.map { [$0] } ?? []) + store.lostImages(images, filter) + store.gaps(images.filter(filter.holds)))
            .forEach(session.findings.add)
    }
    let report = try session.working {
        try store.verify(
            image: image, filter, readData: readData, identities: session.identities(), progress: session.progress,
            findings: session.findings)
    }
    if mark { try store.mark(report, tool: Version.tool) }
    let shared = share ? try store.share(report, tool: Version.tool) : nil
    return show(
        report, of: store.subject, isWhole: readData, canRead: store.canRead,
        marked: mark ? report.damagedVolumes.count : nil, shared: shared,
        session)
}

private func show(
    _ report: VerifyReport, of subject: String, isWhole: Bool, canRead: Bool = true, marked: Int? = nil,
    shared: Int? = nil, _ session: Session
) -> Outcome {
    let scope =
        "\(Text.counted(report.images, "image", "images")), \(Text.counted(report.volumes, "volume", "volumes")), "
        + "\(Text.counted(report.chunks, "chunk", "chunks")), \(Text.counted(report.entries, "entry", "entries"))"
    var lines = ["checked \(subject): \(scope), \(Text.size(report.bytesRead)) read"]
    // What was not opened is one finding, and no damage.
    let damage = report.findings - min(report.findings, report.unopenedImages > 0 ? 1 : 0)
    if damage > 0 {
        lines.append("damaged: \(Text.counted(damage, "finding", "findings")), listed above")
    } else {
        lines.append(
            isWhole
                ? "no damage found"
                : "no damage found; content was not read ("
                    + (canRead ? "--read-data does)" : "it opens with an identity, not with a steward's key)"))
    }
    if report.unopenedImages > 0 {
        lines.append(
            "not checked: \(Text.counted(report.unopenedImages, "image", "images")) that the keys at hand do not open; "
                + "who opens them checks them, with `--identity FILE`")
    }
    if report.strayKeyFiles > 0 {
        lines.append(
            "\(Text.counted(report.strayKeyFiles, "key file", "key files")) of no record: left by a change of keys that was cut off, or put "
                + "there by somebody; nothing opens with them")
    }
    if let marked, marked > 0 {
        lines.append(
            "marked \(Text.counted(UInt64(marked), "volume", "volumes")): the next backups store again what they held")
    } else if report.damagedVolumes.count > 0 {
        lines.append(
            "with --mark the next backups store again what the damaged volumes held; where another copy of the store has "
                + "them whole, `holdfast copy --read-data --from THAT --to THIS` brings them back")
    }
    if let shared {
        lines.append(
            "\(Text.counted(UInt64(shared), "image", "images")) may be built on by other machines of the group from now on"
        )
    }
    session.show(
        [
            ("images", .number(report.images)), ("volumes", .number(report.volumes)),
            ("chunks", .number(report.chunks)), ("entries", .number(report.entries)),
            ("bytesRead", .number(report.bytesRead)), ("readData", .flag(isWhole)),
            ("unopenedImages", .number(report.unopenedImages)),
            ("strayKeyFiles", .number(report.strayKeyFiles)),
            ("damagedVolumes", .list(report.damagedVolumes.map(JSON.id))), ("marked", .flag(marked != nil)),
            ("shared", shared.map { .number(UInt64($0)) }),
        ] + session.console.findingMembers, summary: lines)
    return session.outcome(report.findings)
}
