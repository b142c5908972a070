// Copies of images between stores, or between a store and a single file: which needs an identity, since content gets new ids and keys.

internal import Cryptography
public import Platform
public import Reporting
internal import Stores

public struct CopyReport: Sendable {
    public var images: UInt64 = 0
    public var volumes: UInt64 = 0
    public var bytes: UInt64 = 0
    public var findings: UInt64 = 0
    /// Of a replica: images of which nobody has looked whether all is there that they name, since no key at hand opens them.
    public var uncheckedImages: UInt64 = 0
}

extension Store {
    /// Copies images into another store; their chunks keep their compression and get new ids and keys.
    public func copy(
        images: [String], _ filter: ImageFilter = ImageFilter(), to target: Store, progress: Progress,
        findings: Findings
    ) throws -> CopyReport {
        do {
            let wanted = try chosenCounting(images, filter, findings)
            var report = CopyReport()
            for found in wanted {
                found.remarks.forEach(findings.add)
                let reader = try StoreImageReader(store: self, root: image(found))
                try repeatingRun(into: target) {
                    guard reader.rewind() else { throw ImageError.pruned(store: target.subject) }
                    try target.take(reader, progress: progress, findings: findings, report: &report)
                }
            }
            report.findings = findings.count
            return report
        } catch { throw ImageError.wrapping(error, subject: target.subject) }
    }

    /// The series of an image that is carried into this store: its own, where this machine may write it and the store has nothing newer in
    /// it; else one for copies, so that an old image never becomes the newest of the machine.
    private func series(ofCopy label: ImageLabel, _ certificate: Certificate) throws -> String {
        let newest = try images().filter { $0.counts && $0.label?.isOf(series: label.series) == true }.compactMap(
            \.label?.time
        )
        .max()
        if certificate.covers(series: label.series), newest.map({ $0 < label.time }) ?? true { return label.series }
        return (certificate.series.first ?? "") + "copies/" + label.series
    }

    /// Puts an image that is read into this store.
    fileprivate func take(
        _ reader: any BatchedImageReader, progress: Progress, findings: Findings, report: inout CopyReport
    ) throws {
        guard let key = keyring.writer else { throw ImageError.noWriterKey(store: subject) }
        let output = try ImageWriter(store: self, level: 3, cache: nil)
        do {
            let translator = try ChunkTranslator(group: key.group, store: output)
            let counts = try translator.run(reader, progress: progress, findings: findings)
            guard var label = reader.label else { throw ImageError.truncated(subject: reader.restoredSubject) }
            // It is this machine's word now, in a series that it may write.
            label.series = try series(ofCopy: label, key.certificate)
            label.findings &+= counts
            let result = try output.commit(label)
            report.images += 1
            report.bytes &+= result.label.storedBytes
        } catch {
            output.abandon()
            throw error
        }
    }

    /// Copies an image into a single file, for the recipients of this store.
    public func copy(
        image name: String, _ filter: ImageFilter = ImageFilter(), to output: SingleFileOutput, progress: Progress,
        findings: Findings
    ) throws -> CopyReport {
        do {
            guard let secret = keyring.secret else { throw ImageError.noIdentity(store: subject) }
            guard let rootKey = secret.rootKey, secret.newest.epoch == chain.newest.epoch else {
                throw ImageError.notGoverning(store: subject)
            }
            let found = try find(name, filter)
            found.remarks.forEach(findings.add)
            let reader = try StoreImageReader(store: self, root: image(found))
            guard var label = reader.label else { throw FormatError("an image has no label") }
            // A key for this one file, which may carry this one series.
            let key = try WriterKey.issue(
                from: secret, rootKey: rootKey, group: Self.defaultGroup(), writer: HostFacts.hostName,
                series: [label.series])
            let folder = try StoreName.keys(epoch: chain.newest.epoch, sealing: chain.newest.sealing)
            let files = try objects.list(folder).compactMap { file -> (name: String, bytes: [UInt8])? in
                guard file.name.hasSuffix(".age") else { return nil }
                return try objects.read(file.name, limit: Format.maximumKeyLength).map {
                    (String(file.lastComponent), $0)
                }
            }
            let writer = try SingleFileWriter(
                to: output, key: key, header: header, records: chain.records, keyFiles: files, label: label, level: 3)
            do {
                let translator = try ChunkTranslator(group: key.group, file: writer)
                label.findings &+= try translator.run(reader, progress: progress, findings: findings)
                let (_, finished) = try writer.commit(label)
                return CopyReport(images: 1, volumes: 0, bytes: finished.storedBytes, findings: findings.count)
            } catch {
                writer.abandon()
                throw error
            }
        } catch { throw ImageError.wrapping(error, subject: subject) }
    }
}

extension SingleFile {
    /// Copies the image in a single file into a store.
    public static func copy(
        _ path: BytePath, credentials: Credentials, to store: Store, progress: Progress, findings: Findings
    ) throws -> CopyReport {
        do {
            var report = CopyReport()
            let reader = try SingleFileImageReader(
                path, credentials: credentials, machine: store.machine, stop: progress.stop)
            try store.take(reader, progress: progress, findings: findings, report: &report)
            report.findings = findings.count
            return report
        } catch { throw ImageError.wrapping(error, subject: path.description) }
    }
}
