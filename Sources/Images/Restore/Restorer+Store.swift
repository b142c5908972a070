// A restore puts nothing into the store that it reads.

internal import Platform

extension Restorer {
    private var store: StoreImageReader? { isDryRun ? nil : reader as? StoreImageReader }

    /// Refuses a target that is the store, or in it, before anything is made.
    func refuseOwnStore() throws {
        guard let store, let folder = store.storeFolder else { return }
        var place = request.target
        while !exists(place), place.parent != place { place = place.parent }
        var last: FileIdentity?
        // Up to the root, which is its own parent; links on the way are followed by `..`, as the kernel does it.
        while let here = FileIdentity(place), here != last {
            if here == folder {
                throw ImageError.intoStore(path: request.target.description, store: store.storeSubject)
            }
            last = here
            place = place.appending("..")
        }
    }

    func isStore(_ folder: Descriptor) -> Bool {
        guard let identity = store?.storeFolder else { return false }
        // What cannot be looked at cannot be written to either.
        return (try? folder.status()).map { FileIdentity($0) == identity } ?? false
    }

    /// Ends the restore where something is about to be put into the store, which lies below the target.
    func refuse(ifStore folder: RestoreFolder) {
        guard let store, store.storeFolder != nil, !isFresh else { return }
        // Known once it is open.
        guard folder.descriptor() != nil, folder.isInStore else { return }
        stop(.intoStore(path: folder.path.description, store: store.storeSubject))
    }
}
