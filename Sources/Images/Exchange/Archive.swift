// Tar out, tar and cpio in, through libarchive, for exchange with other tools. The walk and the restore are our own; only the format
// is theirs.

internal import Cryptography
internal import Platform
public import Reporting

extension Store {
    /// Writes an image as a tar archive (pax), entry by entry.
    public func export(
        image name: String, _ filter: ImageFilter = ImageFilter(), to descriptor: CInt, progress: Progress,
        findings: Findings
    ) throws -> RestoreReport {
        do {
            let found = try find(name, filter)
            found.remarks.forEach(findings.add)
            let reader = try StoreImageReader(store: self, root: image(found))
            let exporter = try ArchiveExporter(descriptor)
            return try ArchiveText.text.during { try exporter.run(reader, progress: progress, findings: findings) }
        } catch { throw ImageError.wrapping(error, subject: subject) }
    }

    /// Makes an image of a tar or cpio archive, plain or packed with gzip, bzip2, xz or zstd.
    ///
    /// What of an entry an image cannot hold exactly is left out, and a finding.
    /// - Throws: `ImageError.library` for what keeps the archive as a whole from being read; then there is no image.
    public func importArchive(
        from descriptor: CInt, name: String, progress: Progress, findings: Findings
    ) throws -> BackupReport {
        do {
            guard let key = keyring.writer else { throw ImageError.noWriterKey(store: subject) }
            var request = BackupRequest(sources: [BytePath("/" + name)], name: name)
            request.level = 2
            let output = try ImageWriter(store: self, level: 3, cache: nil)
            do {
                let importer = try ArchiveImporter(
                    descriptor, group: key.group, table: key.group.gearTable(store: id), output: output,
                    findings: findings)
                let counts = try importer.run(name: name, progress: progress)
                var label = request.label()
                label.add(counts, findings: findings.count)
                label.series = try series(of: request, key.certificate)
                let result = try output.commit(label)
                return BackupReport(
                    id: result.id, label: result.label, files: counts.files, filesRead: counts.files, skipped: [],
                    findings: findings.count)
            } catch {
                output.abandon()
                throw error
            }
        } catch { throw ImageError.wrapping(error, subject: subject) }
    }
}
