// Removing images from a store that nobody else writes to. Stores with several writers are pruned with tombstones instead.

internal import Platform

extension Store {
    /// Removes an image; its content stays until `removeUnnamedVolumes`. One that is gone already is fine.
    ///
    /// Only for a store that this process alone uses. A crash leaves one copy of the root: the image is still listed then.
    public func remove(image id: String) throws {
        do {
            guard let id = ObjectID(hexadecimal: id[...]) else { throw ImageError.noSuchImage(name: id) }
            let name = StoreName.image(id)
            for copy in [name, name + ".2"] where try objects.open(copy) != nil { try objects.remove(copy) }
        } catch { throw ImageError.wrapping(error, subject: subject) }
    }

    /// Removes the volumes that no image needs. Where an image cannot be read, nothing is removed: it may need any of them.
    ///
    /// Only for a store that this process alone uses.
    public func removeUnnamedVolumes() throws {
        do {
            var named: Set<String> = []
            for id in try rootIDs() {
                for volume in try ImageRoot(rootReader(id)).volumes { named.insert(StoreName.volume(volume.id)) }
            }
            for file in try objects.list("v") {
                let name = file.name.hasSuffix(".2") ? String(file.name.dropLast(2)) : file.name
                if !named.contains(name) { try objects.remove(file.name) }
            }
        } catch { throw ImageError.wrapping(error, subject: subject) }
    }
}
