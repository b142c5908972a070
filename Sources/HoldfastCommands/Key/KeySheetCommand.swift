// `holdfast key sheet`: an identity on paper.

internal import ArgumentParser
internal import Cryptography
internal import Images
internal import Machine
internal import Platform
internal import RestorePoints
internal import Stewardship

struct KeySheetCommand: StatefulCommand {
    static let configuration = CommandConfiguration(
        commandName: "sheet", abstract: "Put an identity on paper: as text, as a QR code, and with what to do.",
        discussion: discussion(
            """
            The page is a file of its owner's alone (0600), and is refused where a job or a backup would take it along. Print it, and wipe the file. \
            With --from the store is opened with the identity, and its fingerprint stands on the page.
            """,
            examples: "holdfast key sheet --identity it.txt --output /dev/shm/sheet.html",
            "holdfast key sheet --identity it.txt --from nas --output /dev/shm/sheet.html"))

    @Option(help: ArgumentHelp("The new page.", valueName: "file")) var output: PathArgument

    @Option(help: ArgumentHelp("A store that it opens, whose fingerprint is to stand there.", valueName: "store"))
    var from: StoreArgument?

    @Option(help: ArgumentHelp("Where it will be kept.", valueName: "text")) var place: String?

    @OptionGroup var state: StateOptions
    @OptionGroup(title: "Everywhere") var global: GlobalOptions

    func check() throws {
        if global.identities.isEmpty { throw ValidationError("Give the identity with --identity FILE.") }
        if output.isStandard { throw ValidationError("A key is not shown: give a file with --output FILE.") }
    }

    func isRecorded(in session: Session) -> Bool { true }

    func perform(_ session: Session) throws -> Outcome {
        let keys = try session.keyFiles()
        let identities = keys.flatMap(\.identities)
        if identities.isEmpty {
            throw Problem.usage(
                "there is no identity in what was given",
                hint: "a steward's key opens no content, and is made anew with `holdfast key steward`")
        }
        let place = try KeySheetPlace(output.path)
        try refuseSources(place, session)
        var sheet = KeySheet(tool: Version.tool)
        sheet.place = self.place
        sheet.stores = keys.flatMap(\.notedStores).map { ("Store", "\($0)") }
        if let from { try add(from, to: &sheet, place, session) }
        if place.isThere { try session.confirm("There is a file \(place.path). Overwrite it?") }
        var page = try sheet.page(of: identities)
        defer { erase(&page) }
        try place.write(page)
        let recipients = identities.map(\.recipient.string)
        session.show(
            JSON.path(place.path) + [
                ("recipients", .list(recipients.map(JSON.text))),
                ("stores", .list(sheet.stores.map { .text($0.fingerprint) })),
            ],
            summary: [
                "the key of \(recipients.joined(separator: ", ")) is on \(place.path), which its owner alone reads",
                "print it, keep the paper away from the machine, and wipe the file: `holdfast wipe \(place.path)`",
            ])
        return .done
    }

    /// Refuses what a job takes along, a restore point included.
    private func refuseSources(_ place: KeySheetPlace, _ session: Session) throws {
        try place.refuseStores()
        let folder = state.places(session).state
        let root = Places.isSetUp(folder) ? try ProtectedTree.facts(state: folder).root : nil
        for job in session.configuration.jobs {
            switch job.source {
            case .paths(let sources):
                for source in sources { try place.refuse(below: source, by: "the job \(job.name)") }
            case .point, .newPoint:
                if let root { try place.refuse(below: root, by: "the job \(job.name)") }
            // Whichever file systems it has.
            case .disk: try place.refuse(below: "/", by: "the job \(job.name)")
            }
        }
        if let root { try place.refuse(below: root, by: "each restore point") }
    }

    /// Opens the store: what the identity does not open has no place on its page. What this machine has backed up to it is no place for the page.
    private func add(
        _ from: StoreArgument, to sheet: inout KeySheet, _ place: KeySheetPlace, _ session: Session
    ) throws {
        let store = try session.open(from, for: .read)
        for image in try store.images() {
            guard let label = image.label, label.isOf(host: HostFacts.hostName) else { continue }
            for source in label.sources {
                try place.refuse(below: source, by: "the backup \(image.id.description.prefix(8))")
            }
        }
        let words = try session.place(from).words
        sheet.stores.removeAll { $0.fingerprint == "\(store.fingerprint)" }
        sheet.stores.insert((words, "\(store.fingerprint)"), at: 0)
    }
}
