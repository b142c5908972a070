// What somebody has read and found damaged stays damaged for whoever reads less.

internal import Cryptography
internal import Platform
internal import Reporting

extension Verifier {
    /// Names the volumes that a verdict calls damaged, that were not read now, and that images need.
    func nameCondemned(
        _ volumes: [VolumeReference], neededBy roots: [ImageRoot], group: Identifier, readData: Bool
    ) {
        let condemned: Set<ObjectID>
        do { condemned = try Store.damaged(store.verdicts(group: group)) } catch {
            return damaged("marks of damaged volumes", explained(error).sentence)
        }
        let known = monitor.withLock { damagedVolumes }
        for volume in volumes where condemned.contains(volume.id) && !known.contains(volume.id) {
            let name = volume.name(.volume, group: group).text
            if readData && !sealed.contains(volume.id) {
                findings.add(
                    Finding(.note, subject: name, "it is marked as damaged, and was read whole: `--mark` ends that"))
                continue
            }
            let images = roots.filter { $0.volumes.contains(volume) }.map(\.id.short)
            damaged(
                name,
                "it was read before and marked as damaged, and \(images.count == 1 ? "image" : "images") "
                    + "\(images.abridged) "
                    + "\(images.count == 1 ? "needs" : "need") it; `verify --read-data` tells what is lost")
        }
    }
}
