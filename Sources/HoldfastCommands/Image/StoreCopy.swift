// Copying from store to store, as a command or a job has it: as it is, where the other place is new or has a copy of the same store; else
// encrypted anew.

internal import Images
internal import Platform
internal import Reporting
internal import Stewardship
internal import Stores

extension Session {
    func copy(
        _ images: [String], _ filter: ImageFilter, from: StoreArgument, to: StoreArgument, readData: Bool,
        progress: Progress, findings: Findings
    ) throws -> CopyReport {
        let (origin, place) = (try place(from), try place(to))
        // Of an earlier moment it brings back what was hidden since.
        if origin.settings.moment == nil, try origin.isSame(as: place) {
            throw Problem(
                "\(place.words) and \(origin.words) are one place, and what is copied to itself is no copy",
                hint: "give another place for the copy", status: 4)
        }
        let (source, target) = (try objects(origin), try objects(place, writing: true))
        guard try Store.exists(source) else { throw absence(of: origin) }
        try refuseOther(Store.identifier(of: source), at: origin)
        try refuseFile(place)
        try knownStores.check(place.location, target, for: Store.identifier(of: source))
        // As with a backup: the empty folder of a configured store is a disk that is not mounted.
        let isThere = try Store.exists(target)
        if !place.mayBecomeStore && !isThere {
            let reason = absence(of: place)
            throw Problem(
                reason.description,
                hint:
                    "mount what belongs there and repeat; the first copy to a new place is made by its path or URL, or with `create = true` "
                    + "below [stores.\(printable(to.bytes))]. `store init` would make another store",
                status: reason.exitStatus)
        }
        if !isThere { try refuseUnmounted(place) }
        if try !isThere || Store.isReplica(source, target) {
            let credentials = try credentials(for: origin)
            return try Store.replicate(
                source, to: target, images: images, filter, readData: readData, credentials: credentials,
                machine: machine(for: origin), place: machine(for: place).place, progress: progress, findings: findings,
                mayEndImages: global.isYes
            ) { store in
                self.rememberSource(store, at: origin)
                self.remember(store, at: place)
            }
        }
        let store: Store
        do { store = try open(from, for: .read) } catch ImageError.noIdentity {
            throw Problem(
                "\(place.words) is another store than \(origin.words), and no identity was given: what is copied there is read and written anew",
                hint:
                    "give an identity that opens \(origin.words) with `--identity FILE`, or the place of a copy of it",
                status: ImageError.noIdentity(store: "").exitStatus)
        }
        let other = try openToWrite(to)
        rememberSource(store.identifier, at: origin)
        return try store.copy(images: images, filter, to: other, progress: progress, findings: findings)
    }
}
