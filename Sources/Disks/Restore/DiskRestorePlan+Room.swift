// Whether the files of an image have room in the file systems that are made anew for them. What the disk in the image had in use says little of
// that: what was compressed, or shared between files, comes back as a copy of its own.

internal import Images
internal import Platform

extension DiskRestorePlan {
    /// Compares what the files come to with what each file system will have.
    /// - Throws: `DiskError.noRoom` where they certainly do not fit; `ImageError.lacking` where something of the image is missing.
    mutating func take(_ forecast: ImageForecast, isIncompleteWanted: Bool) throws {
        isForeseen = forecast.isKnown
        lacking = forecast.lacking
        if !lacking.isEmpty, !isIncompleteWanted {
            throw ImageError.lacking(subject: forecast.subject, parts: lacking)
        }
        guard let contents = forecast.contents else { return doubt(forecast.contentBytes) }
        for volume in description.volumes where volume.way == .tree {
            let room = size(of: volume)
            var (certain, all) = (UInt64(0), UInt64(0))
            for tree in volume.trees ?? [] {
                guard let content = contents[BytePath(tree.source)] else { continue }
                certain.add(saturating: content.plain)
                all.add(saturating: content.total)
            }
            // Of what is compressed nobody knows how much it will take.
            if volume.recipe?.compression != nil { certain = 0 }
            if certain > room {
                throw DiskError.noRoom(
                    target.path, volume.stream, needed: certain, room: room, grows: volume == description.lastVolume)
            }
            // What a file system takes for itself.
            guard all.adding(saturating: all / 16) > room else { continue }
            let compressed = certain < all ? ", some of which were compressed," : ""
            doubts.append(
                "the files of \(printable(volume.stream.utf8))\(compressed) come to \(all) bytes, and it will have \(room): they may not fit, and a larger disk helps"
            )
        }
    }

    /// Of a single file only all content together is known, with its holes.
    private mutating func doubt(_ content: UInt64?) {
        let trees = description.volumes.filter { $0.way == .tree }
        guard let content, !trees.isEmpty else { return }
        let others = description.volumes.filter { $0.way != .tree }.reduce(UInt64(0)) { $0.adding(saturating: $1.size) }
        let files = content - min(content, others)
        let room = trees.reduce(UInt64(0)) { $0.adding(saturating: size(of: $1)) }
        guard files.adding(saturating: files / 16) > room else { return }
        doubts.append(
            "the files of the image come to \(files) bytes, holes and what was compressed among them, and will have \(room): they may not fit, and a larger disk helps"
        )
    }
}
