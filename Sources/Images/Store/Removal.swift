// Removing images from a store that nobody else writes to. Stores with several writers are pruned with tombstones instead.

internal import Platform
internal import Stores

extension Store {
    /// Removes an image; its content stays until `removeUnneeded`. One that is gone already is fine.
    ///
    /// Only for a store that this process alone uses. A crash leaves one copy of the root: the image is still listed then.
    public func remove(image id: String) throws {
        do {
            guard let id = ObjectID(hexadecimal: id) else { throw ImageError.noSuchImage(name: id) }
            // Also where it is gone: an earlier program's removal may have ended before this.
            try machine.remember(self.id) { $0.forget(id) }
            for object in try listed(.image) where object.name.id == id { try remove(object.name) }
        } catch { throw ImageError.wrapping(error, subject: subject) }
    }

    /// Forgotten first: an image that is remembered and not there is what somebody else has done.
    private func remove(_ name: ObjectName) throws {
        try machine.remember(id) { $0.forget(name.id) }
        for copy in name.both { try objects.remove(copy) }
    }

    /// For each of these images the bytes of the volumes that no other image needs: what its removal would free.
    public func space(ofImages ids: [String]) throws -> [String: UInt64] {
        do {
            var needs: [ObjectID: [String]] = [:]
            var lengths: [ObjectID: UInt64] = [:]
            for object in try listed(.image) {
                // A number for people: what cannot be read needs nothing that is known.
                guard let volumes = try? image(object.name).volumes else { continue }
                for volume in Set(volumes) {
                    needs[volume.id, default: []].append(object.name.id.description)
                    lengths[volume.id] = volume.length
                }
            }
            var result = Dictionary(uniqueKeysWithValues: Set(ids).map { ($0, UInt64(0)) })
            for (volume, images) in needs where images.count == 1 {
                result[images[0], default: 0] &+= lengths[volume] ?? 0
            }
            return result.filter { Set(ids).contains($0.key) }
        } catch { throw ImageError.wrapping(error, subject: subject) }
    }

    /// Removes the images of a name. One that cannot be read has none.
    ///
    /// Only for a store that this process alone uses.
    public func removeImages(named name: String) throws {
        do {
            for object in try listed(.image) {
                // It may be any image, so it stays.
                guard let root = try? image(object.name), ExactText(root.label.name) == ExactText(name) else {
                    continue
                }
                try remove(object.name)
            }
        } catch { throw ImageError.wrapping(error, subject: subject) }
    }

    /// Removes the objects that no image needs, what interrupted runs left included. Where an image cannot be read, nothing goes: it may need
    /// any of them.
    ///
    /// Only for a store that this process alone uses.
    public func removeUnneeded() throws {
        do {
            var named: Set<ObjectName> = []
            for object in try listed(.image) {
                if try isLeftover(object) {
                    try remove(object.name)
                    continue
                }
                // Whatever is the reason: what it names is not known, so nothing goes.
                guard let root = try? image(object.name) else { return }
                let group = object.name.group
                named.formUnion(root.named.volumes.map { $0.name(.volume, group: group) })
                named.formUnion(root.named.indexes.map { $0.name(.index, group: group) })
            }
            for folder in [ObjectName.Kind.volume, .index] {
                for file in try objects.list(folder.rawValue) {
                    guard let name = ObjectName(file.name) else { continue }
                    if !named.contains(name) { try objects.remove(file.name) }
                }
            }
        } catch { throw ImageError.wrapping(error, subject: subject) }
    }
}
