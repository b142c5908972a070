// What images lack: each entry's content is looked for in the image's own volumes.

internal import Cryptography
internal import Platform
internal import Reporting

extension Verifier {
    /// Each image with what its own volumes hold. The index of all serves where every chunk is in one place: one writer, and no damage that
    /// had something stored anew.
    func check(_ roots: [ImageRoot], group: Identifier, indexOfAll: ChunkIndex) throws {
        let damaged = monitor.withLock { damagedVolumes }
        let hit = roots.filter { root in root.volumes.contains { damaged.contains($0.id) } }
        if hit.isEmpty && Set(roots.map(\.name.writer)).count == 1 {
            return try check(roots, group: group, index: indexOfAll)
        }
        let affected = Set(hit.map(\.id))
        let sound = Dictionary(grouping: roots.filter { !affected.contains($0.id) }, by: \.name.writer)
        for (_, roots) in sound.sorted(by: { $0.key < $1.key }) {
            let volumes = Set(roots.flatMap(\.volumes)).sorted { $0.id < $1.id }
            try check(roots, group: group, index: makeIndex(of: volumes, group: group))
        }
        for root in hit { try check([root], group: group, index: makeIndex(of: root.volumes, group: group)) }
    }

    private func makeIndex(of volumes: [VolumeReference], group: Identifier) throws -> ChunkIndex {
        let index = ChunkIndex(folder: store.machine.cache)
        let workspace = try ChunkWorkspace()
        for volume in volumes {
            try progress.checkStop()
            // What cannot be opened was named with the volume.
            guard let reader = try? store.volumeReader(volume, group: group) else { continue }
            let rows = reader.directory() ?? reader.rowsByScanning(workspace: workspace)
            try index.add(rows, volume: index.add(volume))
        }
        return index
    }

    private func isLost(_ id: Digest, _ index: ChunkIndex) throws -> Bool {
        guard let place = try index.locate(id) else { return true }
        let volume = index.volumes[Int(place.volume)].reference.id  // safe: the index knows it
        return monitor.withLock { bad[volume]?.contains(id) ?? false }
    }

    private func check(_ roots: [ImageRoot], group: Identifier, index: ChunkIndex) throws {
        let chunks = VolumeChunks(store: store, index: index, group: group)
        let workspace = try ChunkWorkspace()
        var checked: Set<Digest> = []
        for root in roots {
            guard let body = root.body else { continue }
            for (number, piece) in body.pieces.enumerated() {
                try checkStop()
                // Pieces that an earlier image shares have been looked at.
                guard checked.insert(piece.id).inserted else { continue }
                do {
                    try chunks.read(piece.id, into: workspace)
                    try check(Array(workspace.content), of: root, index: index)
                } catch {
                    incomplete.insert(root.id)
                    damaged("image \(root.id.short)", "part \(number + 1) of its manifest is lost: \(error)")
                }
            }
        }
    }

    /// What has the files of an image lost: whatever it names that is damaged. Nobody knows what a volume held that is gone.
    private func lostVolumes(of root: ImageRoot) -> String {
        let lost = monitor.withLock { root.volumes.map(\.id).filter(damagedVolumes.contains) }.sorted().map(\.short)
        switch lost.count {
        case 0: return "image \(root.id.short)"
        case 1: return "volume \(lost[0])"
        case ...3: return "volumes \(lost.joined(separator: ", "))"
        default: return "\(lost.count) volumes of image \(root.id.short)"
        }
    }

    /// Looks for each chunk that the entries cite, and names the files that lack one.
    private func check(_ records: [UInt8], of root: ImageRoot, index: ChunkIndex) throws {
        var reader = RecordReader(records)
        var path: [[UInt8]] = []
        var file: [UInt8] = []
        var reported: [UInt8]?
        let cause = lostVolumes(of: root)
        func check(_ slices: [Slice]) throws {
            for slice in slices {
                guard let id = slice.chunk, reported != file else { continue }
                if try isLost(id, index) {
                    reported = file
                    incomplete.insert(root.id)
                    let name = Array((path + [file]).joined(separator: [UInt8(ascii: "/")]))
                    var finding = Finding(
                        .damaged, BytePath(name), "its content in image \(root.label.name) (\(root.id.short)) is lost")
                    finding.cause = cause
                    findings.add(finding)
                }
            }
        }
        while let item = try reader.next() {
            guard let record = try Record(kind: item.kind, payload: item.payload) else { continue }
            switch record {
            case .position(let position):
                path = position.path.split(separator: UInt8(ascii: "/")).map(Array.init)
                if position.depth > 0 { path.insert(BytePath(position.source).lastComponent, at: 0) }
                file = position.file ?? []
            case .enter(let entry):
                path.append(entry.name)
                report.entries += 1
            case .leave: _ = path.popLast()
            case .entry(let entry):
                file = entry.name
                reported = nil
                report.entries += 1
                try check(entry.slices)
            case .content(let slices): try check(slices)
            case .source, .restart, .finish: break
            }
        }
    }
}
