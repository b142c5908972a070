// Whose a program is, or a file that says which programs run: what root runs must be root's, as sudo and cron have it, or whoever may write it
// is root.

internal import Glibc

public enum ProgramOwner {
    /// Why this user should not run what a path leads to, or do what is written there; nil where only root and this user can change it.
    ///
    /// Each folder on the way counts: others could put something else in its place. In a sticky folder they cannot, where the entry is not theirs.
    /// - Parameter isShared: whether the entry that is meant is in that folder and may come to belong to somebody else: then a sticky one is no help.
    public static func problem(_ path: BytePath, isShared: Bool = false) -> String? {
        let isOwn = { (status: FileStatus) in status.user == 0 || status.user == geteuid() }
        var place = BytePath("/")
        var isSticky = false
        for name in [nil] + path.components.map({ Optional(Array($0)) }) {
            if let name { place = place.appending(name) }
            let status: FileStatus
            do throws(SystemError) { status = try Descriptor.open(place, [.place, .noFollow]).status() } catch {
                return "\(place) cannot be looked at: \(error.reason)"
            }
            if !isOwn(status) { return "\(place) belongs to another user" }
            if status.kind == .symbolicLink {
                // Nobody else can change where it leads; what is there is looked at by its own way.
                do throws(SystemError) {
                    return problem(BytePath(try Descriptor.open(path, .place).pathNow()), isShared: isShared)
                } catch { return "\(path) cannot be looked at: \(error.reason)" }
            }
            // A group of root's own, as Debian has it for some folders, is no reason; others are.
            let isWritable = status.mode & 0o002 != 0 || status.mode & 0o020 != 0 && status.group != 0
            isSticky = status.kind == .directory && status.mode & 0o1000 != 0
            if isWritable, !isSticky || isShared && place == path { return "others than its owner may write \(place)" }
        }
        return nil
    }
}
