// The report as a page to print. Nothing is reckoned here: what is shown stands in the report.

internal import AuditLog
internal import Cryptography
internal import Platform

extension DrillReport {
    func page(signedBy key: VerifyingKey, of bytes: [UInt8]) -> String {
        SignedPage(
            title: "Report of a restore drill",
            subtitle: "\(kind.words(isOfDisk: volumes != nil)) · number \(SignedPage.escaped(id))",
            verdict: sentence,
            sections: [
                SignedPage.section("What was restored", imageRows),
                SignedPage.section("Who and where", peopleRows),
                SignedPage.section("How much", scopeRows),
                SignedPage.section("Times", timeRows),
                SignedPage.section("Steps", steps.map { ($0.name, $0.words) }),
            ] + volumeSections + [
                SignedPage.section("Compared with the image", comparedRows),
                SignedPage.section("Findings and deviations", remarkRows),
                SignedPage.section(
                    "Seen and accepted", [("Name", ""), ("Position", ""), ("Date", ""), ("Signature", "")]),
                SignedPage.evidence(
                    "report", bytes, host: machine.host, account: who.account, logHead: logHead, key: key),
            ]
        ).html
    }

    private var imageRows: [(String, String)] {
        [
            ("Series", image.series), ("Image", "\(image.name), \(image.id)"),
            ("Place in its series", image.sequence == 0 ? Self.notRecorded : "\(image.sequence)"),
            ("Made of", image.sources.joined(separator: ", ")), ("Of the machine", "\(image.host), \(image.hardware)"),
            ("Made at", image.time), ("By the store's clock", image.storeTime ?? Self.notRecorded),
            ("Holds", "\(image.entries) entries, \(image.bytes) bytes"),
            ("Store", "\(store.place), fingerprint \(store.fingerprint)"), ("Job", job ?? Self.notRecorded),
        ]
    }

    private var peopleRows: [(String, String)] {
        [
            ("Restored by", who.name ?? who.account), ("Login", who.login ?? Self.notRecorded),
            ("At", who.origin ?? "nobody was there"), ("Machine", "\(machine.host), \(machine.hardware)"),
            ("Machine id", machine.identifier), ("Place", machine.place ?? Self.notRecorded),
            ("Clock", machine.isClockSynchronized ? "follows a time source" : "is not known to follow a time source"),
            ("Key", identity.recipients.joined(separator: ", ")), ("Key from", identity.from),
        ] + keyRows + [("Tool", tool)]
    }

    /// Nothing where nothing is known of it, so that the page of an older report stays what it is.
    private var keyRows: [(String, String)] {
        guard let isOnMachine = identity.isOnMachine else { return [] }
        return [("Key was on the machine that was backed up", isOnMachine ? "yes, with nobody there" : "no")]
    }

    private var scopeRows: [(String, String)] {
        [
            ("Entries", "\(scope.entries)"), ("Files", "\(scope.files)"), ("Bytes", "\(scope.bytes)"),
            ("Of these for the start", "\(scope.bootFiles) files"),
            ("Share of the image", "\(scope.share / 10).\(scope.share % 10) %"),
            ("Seed of what chance chose", seed ?? "nothing was left to chance"),
        ]
    }

    private var timeRows: [(String, String)] {
        [
            ("Began", started), ("Ended", ended),
            ("Recovery time: goal", Self.span(recoveryTime.target)),
            (
                "Recovery time: measured",
                Self.span(recoveryTime.measured, "the whole was not restored, so it was not measured")
            ),
            ("Recovery time: projected", Self.span(recoveryTime.projected)),
            ("Age of the image: goal", Self.span(recoveryPoint.target)),
            ("Age of the image: found", Self.span(recoveryPoint.age)),
            ("Next drill is due", nextDue ?? Self.notRecorded),
        ]
    }

    /// Of trees there is none.
    private var volumeSections: [String] {
        guard let volumes, !volumes.isEmpty else { return [] }
        let rows = volumes.map { ($0.name, "\($0.content), \($0.bytes) bytes, taken as \($0.way): \($0.result)") }
        return [SignedPage.section("Volumes of the disk", rows)]
    }

    private var comparedRows: [(String, String)] {
        [
            ("Compared", "\(files.compared)"), ("Different", Self.names(files.different, files.differentNames)),
            ("Not to be read", Self.names(files.unreadable, files.unreadableNames)),
        ]
    }

    private var remarkRows: [(String, String)] {
        [
            ("Findings", Self.names(findingCount, findings)),
            ("Deviations", deviations.isEmpty ? "none" : deviations.joined(separator: "; ")),
        ]
    }

    private static func span(_ seconds: Int64?, _ otherwise: String = notRecorded) -> String {
        guard let seconds else { return otherwise }
        let (hours, minutes, rest) = (seconds / 3600, seconds / 60 % 60, seconds % 60)
        return "\(hours) h \(minutes) min \(rest) s"
    }

    private static func names(_ count: UInt64, _ names: [String]) -> String {
        count == 0 ? "none" : "\(count): " + names.joined(separator: "; ") + (count > names.count ? "; …" : "")
    }
}

extension DrillReport.Step {
    fileprivate var words: String {
        let rate = bytesPerSecond.map { ", \($0) bytes a second" } ?? ""
        return "\(started) to \(ended), \(milliseconds) ms" + (bytes.map { ", \($0) bytes" } ?? "") + rate
    }
}

extension DrillReport.Kind {
    /// What is done, in words.
    public func words(isOfDisk: Bool) -> String {
        switch self {
        case .sample: "a sample of files"
        case .full: isOfDisk ? "the whole disk" : "the whole tree"
        case .boot: (isOfDisk ? "the whole disk" : "the whole tree") + ", and a start in a virtual machine"
        case .hands: "restored by hand"
        }
    }
}
