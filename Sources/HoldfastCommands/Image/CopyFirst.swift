// An image is copied to this machine before it is restored, where that was asked for, or where it is on a medium and somebody says so.

internal import Images
internal import Machine
internal import Platform
internal import Reporting
internal import Stores

final class CopyFirst {
    private let isAsked: Bool
    private let asks: Bool
    private var staged: StagedImage?

    /// - Parameters:
    ///   - isAsked: by an option.
    ///   - asks: whether somebody at a terminal is asked, where the image is on a medium.
    init(isAsked: Bool = false, asks: Bool = false) {
        self.isAsked = isAsked
        self.asks = asks
    }

    /// Whether an image of this store is to be copied first.
    func isWanted(of place: StorePlace, _ session: Session) throws -> Bool {
        if isAsked || !asks || !place.location.isMedium { return isAsked }
        return try session.agrees("Copy the image to this machine first, so that the medium may fail or be pulled?")
    }

    /// Copies it, checks the copy, and opens the store that it is.
    func copy(_ image: String, from place: StorePlace, _ session: Session) throws -> Store {
        session.console.note("copying image \(image.prefix(8)) to this machine first")
        let credentials = try session.credentials(for: place)
        let staged = try session.working {
            let staged = try StagedImage(
                of: image, from: session.objects(place), below: session.places.cache, credentials: credentials,
                machine: session.machine(for: place), progress: session.progress, findings: session.findings)
            // Here: what ends the work afterwards has it removed.
            self.staged = staged
            return staged
        }
        return try Store.open(
            FolderStore(staged.folder), for: .read, credentials: credentials, machine: session.machine(for: place))
    }

    /// To be called once it was restored, or could not be: the copy has served. What cannot be removed now goes the next time.
    func finish(_ session: Session) {
        guard let staged else { return }
        self.staged = nil
        do { try staged.remove() } catch { session.console.warning(explained(error).sentence) }
    }
}
