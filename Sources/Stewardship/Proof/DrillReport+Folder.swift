// The reports in a folder, as evidence of what was proven. Others may write there: whatever else lies in it is named, waited for by nobody, and
// keeps no report from being read.

internal import AuditLog
public import Cryptography
public import Platform
public import Reporting

/// A report whose signature holds.
public struct FoundDrillReport: Sendable {
    public var file: BytePath
    public var report: DrillReport
    /// Who signed it; whether that key is to be trusted is for the caller to know.
    public var signer: VerifyingKey
}

/// What a folder of reports holds.
public struct DrillReportFolder: Sendable {
    /// The oldest first, by when they began.
    public private(set) var reports: [FoundDrillReport] = []
    /// What is there and is none, or does not hold.
    public private(set) var findings: [Finding] = []

    /// So many names are looked at.
    static let mostNames = 20_000
    /// A report has some thousand names at most. What is longer is none, and is not taken into memory.
    static let mostBytes = 1 << 22

    /// Reads the reports that lie in a folder itself.
    /// - Throws: `SystemError` where the folder cannot be read. One that is not there holds none.
    public init(_ folder: BytePath) throws(SystemError) {
        let opened: Descriptor
        do throws(SystemError) { opened = try Descriptor.open(folder, .directory) } catch {
            if error.isAbsent { return }
            throw error
        }
        let names = try DirectoryListing(of: opened)
        let known = Set(names.prefix(Self.mostNames))
        for name in names.prefix(Self.mostNames) where !Self.isPart(name, of: known) {
            do {
                let found = try Self.read(name, in: opened, at: folder)
                reports.append(found)
            } catch {
                findings.append(
                    Finding(
                        .damaged, subject: "\(folder.appending(name))", path: folder.appending(name).bytes,
                        "it proves nothing: \(Self.reason(error))"))
            }
        }
        if names.count > Self.mostNames {
            findings.append(
                Finding(
                    .damaged, subject: "\(folder)",
                    "it has more than \(Self.mostNames) files, of which no more were looked at"))
        }
        reports.sort {
            ($0.report.startedAt ?? .min, $0.file.bytes.count) < ($1.report.startedAt ?? .min, $1.file.bytes.count)
        }
    }

    /// A signature or a page goes with its document.
    private static func isPart(_ name: [UInt8], of known: Set<[UInt8]>) -> Bool {
        for end in [".sig", ".html"] where name.suffix(end.utf8.count).elementsEqual(end.utf8) {
            return known.contains(Array(name.dropLast(end.utf8.count)))
        }
        return false
    }

    private static func read(_ name: [UInt8], in folder: Descriptor, at path: BytePath) throws -> FoundDrillReport {
        // What is too long is known before anything of it is read.
        let status = try folder.status(of: name)
        guard status.kind == .file else {
            throw SignedDocumentError.bad(file: path.appending(name), reason: "it is no file")
        }
        guard status.size <= mostBytes else {
            throw SignedDocumentError.bad(file: path.appending(name), reason: "it is longer than any report")
        }
        let checked = try DrillReport.document.check(name, in: folder, at: path)
        let file = path.appending(name)
        return FoundDrillReport(file: file, report: try DrillReport(checked.bytes, at: file), signer: checked.signer)
    }

    private static func reason(_ error: any Error) -> String {
        if case .bad(_, let reason)? = error as? SignedDocumentError { return reason }
        return explained(error).sentence
    }
}
