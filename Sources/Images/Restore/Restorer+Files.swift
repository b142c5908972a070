// The walk's part in restoring files: what is known is passed over, the rest goes to the workers, chunk by chunk.

internal import Platform

extension Restorer {
    func take(file entry: Entry, in folder: RestoreFolder, _ chunks: any ChunkProvider) {
        // Sizes are the image's word, and need not fit into a sum.
        counting.withLock { report.contentBytes &+= entry.size }
        if let known = request.known {
            if !entry.contentFollows, known.contains(entry, entry.slices, in: below) {
                return countFile(written: false, bytes: 0)
            }
            if chunks.isRandomAccess, known.mayContain(large: entry, in: below) {
                folder.hold()
                waiting = (entry, folder, [])
                return
            }
        }
        begin(file: entry, in: folder, chunks)
    }

    /// What waited for its content is not known after all.
    func beginWaiting(_ chunks: any ChunkProvider) {
        guard let file = waiting else { return }
        waiting = nil
        begin(file: file.entry, in: file.folder, chunks)
        add(file.slices, chunks)
        file.folder.release()
    }

    func begin(file entry: Entry, in folder: RestoreFolder, _ chunks: any ChunkProvider) {
        if request.trustTimes, !isDryRun, let above = folder.descriptor(),
            // What cannot be looked at is not taken for the same.
            let status = try? above.status(of: entry.name), status.kind == .file, status.size == entry.size,
            status.linkCount == 1, status.modified == entry.modified,
            !entry.contentFollows || !entry.remarks.contains(.inconsistent)
        {
            countFile(written: false, bytes: 0)
            return
        }
        let file = RestoreFile(entry, in: folder, restorer: self, keepsRest: isOfStreams)
        if entry.remarks.contains(.unreadable) { file.fail("it could not be read when it was backed up") }
        if entry.contentFollows {
            self.file = file
        } else {
            add(entry.slices, to: file, chunks)
            file.close(size: entry.size)
        }
    }

    func add(_ slices: [Slice], _ chunks: any ChunkProvider) {
        if let file { add(slices, to: file, chunks) }
    }

    private func add(_ slices: [Slice], to file: RestoreFile, _ chunks: any ChunkProvider) {
        for slice in slices {
            guard let offset = file.place(slice, from: chunks) else { return }
            guard let id = slice.chunk else { continue }
            file.hold()
            let isWhole = slice.length == file.entry.size && offset == 0
            let part = (file: file as any RestoredContent, slice: slice, offset: offset, isWhole: isWhole)
            guard isWhole else {
                // A large file's chunk is its own; a segment that small files around it share stays open.
                let own = RestoreJob(id, chunks)
                own.parts = [part]
                queue.submit(own)
                continue
            }
            if job?.id != id || job?.chunks !== chunks { submitJob() }
            let job = self.job ?? RestoreJob(id, chunks)
            self.job = job
            job.parts.append(part)
        }
    }
}
