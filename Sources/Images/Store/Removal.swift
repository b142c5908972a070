// Removing images from a store that nobody else writes to. Stores with several writers are pruned with tombstones instead.

internal import Platform

extension Store {
    /// Removes an image; its content stays until `removeImages(except:)`. One that is gone already is fine.
    ///
    /// Only for a store that this process alone uses. A crash leaves one copy of the root: the image is still listed then.
    public func remove(image id: String) throws {
        do {
            guard let id = ObjectID(hexadecimal: id[...]) else { throw ImageError.noSuchImage(name: id) }
            let name = StoreName.image(id)
            for copy in [name, name + ".2"] where try objects.open(copy) != nil { try objects.remove(copy) }
        } catch { throw ImageError.wrapping(error, subject: subject) }
    }

    /// For each of these images the bytes of the volumes that no other image needs: what its removal would free.
    public func space(ofImages ids: [String]) throws -> [String: UInt64] {
        do {
            var needs: [ObjectID: [String]] = [:]
            var lengths: [ObjectID: UInt64] = [:]
            for id in try rootIDs() {
                guard let volumes = try? ImageRoot(rootReader(id)).volumes else { continue }
                for volume in Set(volumes) {
                    needs[volume.id, default: []].append(id.description)
                    lengths[volume.id] = volume.length
                }
            }
            var result = Dictionary(uniqueKeysWithValues: Set(ids).map { ($0, UInt64(0)) })
            for (volume, images) in needs where images.count == 1 {
                result[images[0]]? += lengths[volume] ?? 0
            }
            return result
        } catch { throw ImageError.wrapping(error, subject: subject) }
    }

    /// Removes every image but these, what interrupted runs left of others included, and the volumes that none of them needs.
    /// Where one of them cannot be read, no volume goes: it may need any of them.
    ///
    /// Only for a store that this process alone uses.
    public func removeImages(except kept: Set<String>) throws {
        do {
            var named: Set<String> = []
            var isCertain = true
            for id in try rootIDs() {
                if !kept.contains(id.description) {
                    try remove(image: id.description)
                    continue
                }
                guard let volumes = try? ImageRoot(rootReader(id)).volumes else {
                    isCertain = false
                    continue
                }
                for volume in volumes { named.insert(StoreName.volume(volume.id)) }
            }
            if !isCertain { return }
            for file in try objects.list("v") {
                let name = file.name.hasSuffix(".2") ? String(file.name.dropLast(2)) : file.name
                if !named.contains(name) { try objects.remove(file.name) }
            }
        } catch { throw ImageError.wrapping(error, subject: subject) }
    }
}
