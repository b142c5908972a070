// Which volumes a verification found damaged. Writers cite nothing in them, so that the next backup stores again what is still
// on the machine: the store heals. A list can do no harm: the worst that a false one costs is space.

internal import Platform

extension Store {
    /// The volumes that were marked.
    func damagedVolumes() throws -> Set<ObjectID> {
        Set(try objects.list("b").compactMap { ObjectID(hexadecimal: $0.lastComponent) })
    }

    /// Marks volumes as damaged; one that is marked already is fine. Nothing else in the store changes.
    public func markDamaged(_ volumes: [ObjectID]) throws {
        do {
            let marked = try damagedVolumes()
            for volume in Set(volumes).subtracting(marked) {
                // The name says it all; the text is for people.
                try objects.put(
                    "b/\(volume)", Array("holdfast damaged volume 1\nmarked \(Timestamp.now().text)\n".utf8))
            }
        } catch { throw ImageError.wrapping(error, subject: subject) }
    }
}
