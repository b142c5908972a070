// A store on a medium that is found by its label and mounted for this process alone, for as long as the store is kept. Nothing is mounted by
// plugging it in, nothing has to be mounted before, and nothing is left afterwards.
//
// Whoever pulls it in the middle has FAT say that what it cannot read is not there. So whatever is absent, or listed, is believed only where the
// device still answers.

internal import Glibc
public import Platform

public final class MediumStore: ForwardingStore, @unchecked Sendable {
    private let mount: PrivateMount
    private let writing: Bool

    /// Finds it, mounts it, and looks up its path.
    /// - Parameters:
    ///   - writing: without it, nothing is written to the medium, whatever is called.
    ///   - loops: loop devices that count as media, for tests.
    ///   - tell: what should be known of the medium, in a sentence.
    public static func open(
        _ location: MediumLocation, writing: Bool, loops: Set<String> = [], tell: (String) -> Void = { _ in }
    ) throws(StoreError) -> any ObjectStore {
        let medium = try find(location, loops: loops)
        let wasCutOff: Bool
        do throws(SystemError) { wasCutOff = try medium.wasCutOff() } catch {
            throw mounting(error, medium, location)
        }
        if wasCutOff { try handle(cutOff: medium, location, writing: writing, tell) }
        do throws(SystemError) {
            return MediumStore(try PrivateMount(medium, writing: writing), location, writing: writing)
        } catch { throw mounting(error, medium, location) }
    }

    private init(_ mount: PrivateMount, _ location: MediumLocation, writing: Bool) {
        self.mount = mount
        self.writing = writing
        super.init(
            FolderStore(mount.root, beneath: location.path, subject: location.description, keeping: mount))
    }

    // MARK: Finding it

    /// The one medium of a label.
    public static func find(
        _ location: MediumLocation, loops: Set<String> = []
    ) throws(StoreError) -> Medium {
        let found: MediaFound
        do throws(SystemError) { found = try Medium.all(loops: loops) } catch {
            // Whatever is not there of it: that says nothing of a store.
            throw StoreError(.failed, error.operation, "the list of disks", error.reason)
        }
        let subject = "the medium \(location)"
        let media = found.labelled(location.label)
        if let first = media.first, media.count == 1 { return first }
        if media.count > 1 {
            throw StoreError(
                .refused, "choose", subject,
                "\(media.count) have the label \(printable(location.label)): "
                    + media.map(\.description).joined(separator: " and "),
                mend: "pull the one that is not meant, or give it another label")
        }
        let labels = found.media.map { "\(printable($0.label)) on \($0.device.name)" }
        var detail =
            labels.isEmpty
            ? "there is none with any label"
            : "none has the label \(printable(location.label)); there is \(labels.joined(separator: ", "))"
        if !found.failures.isEmpty {
            detail += "; " + found.failures.map(\.description).joined(separator: "; ")
        }
        // Without rights none can be looked at, and that is why.
        if !HostFacts.isRoot, let failure = found.failures.first(where: \.isPermission) {
            throw StoreError(
                .refused, "find", subject, failure.description,
                mend: "repeat as root, or give the folder where it is mounted")
        }
        throw StoreError(.unreachable, "find", subject, detail, mend: "plug it in and repeat the command")
    }

    private static func mounting(_ error: SystemError, _ medium: Medium, _ location: MediumLocation) -> StoreError {
        func failure(_ reason: StoreError.Reason, _ mend: String) -> StoreError {
            StoreError(reason, error.operation, "\(location) on \(medium.description)", error.reason, mend: mend)
        }
        if BlockDevice(named: medium.device.name)?.sequence != medium.device.sequence {
            return failure(.unreachable, pluggedAgain)
        }
        if error.isReadOnly {
            return failure(.refused, "take its write protection off, which some have a switch for, or use another one")
        }
        if error.code == EBUSY { return failure(.refused, "unmount it, or wait for the program that uses it to end") }
        if error.isPermission { return failure(.refused, "repeat as root, or give the folder where it is mounted") }
        return failure(.failed, "have it checked\(check(medium)), or use a medium with another file system")
    }

    /// A medium that was pulled while it was written.
    private static func handle(
        cutOff medium: Medium, _ location: MediumLocation, writing: Bool, _ tell: (String) -> Void
    ) throws(StoreError) {
        let sentence = "\(medium.description) was not taken away in order the last time"
        guard medium.isInDangerWhenCutOff else { return tell("\(sentence); its journal puts that right") }
        guard writing, !medium.device.isReadOnly else { return tell("\(sentence); have it checked\(check(medium))") }
        do throws(SystemError) { try medium.putInOrder() } catch {
            throw StoreError(
                .refused, "write to", "\(location)", "\(sentence), and \(error.description)",
                mend: "have it checked\(check(medium)), here or on another machine, and repeat the command")
        }
        tell("\(sentence); `\(medium.checker ?? "")` has put it in order")
    }

    private static let pluggedAgain = "plug it in again; the same command goes on"

    /// What checks the file system of a medium, in brackets.
    private static func check(_ medium: Medium) -> String {
        medium.checker.map { " (`\($0) \(medium.device.path)`)" } ?? ""
    }

    // MARK: Calls

    public override func around<R>(
        _ call: StoreCall, _ body: () throws(StoreError) -> R
    ) throws(StoreError) -> R {
        let result: R
        do throws(StoreError) { result = try body() } catch { throw judged(error) }
        switch call.verb {
        // Answers that may say less than there is.
        case .list, .remove:
            if !mount.answers {
                throw pulled(call.verb.rawValue, call.name.isEmpty ? subject : "\(subject)/\(call.name)")
            }
        case .open, .read, .create, .append, .commit, .abandon, .put, .lock, .time, .capacity: break
        }
        return result
    }

    private func judged(_ error: StoreError) -> StoreError {
        switch error.reason {
        case .interrupted, .exists, .ended: return error
        case .absent, .refused, .unusable, .expired, .full, .unreachable, .notDurable, .failed: break
        }
        if !mount.answers { return pulled(error.operation, error.subject) }
        // It was mounted for writing, so the kernel stopped that itself.
        guard error.reason == .refused, error.isReadOnly, writing else { return error }
        return StoreError(
            .refused, error.operation, error.subject, "\(error.detail), since it is damaged",
            mend: "have it checked\(Self.check(mount.medium)), and repeat the command")
    }

    private func pulled(_ operation: String, _ subject: String) -> StoreError {
        StoreError(
            .unreachable, operation, subject,
            "\(mount.medium.description) does not answer any more", mend: Self.pluggedAgain)
    }
}
