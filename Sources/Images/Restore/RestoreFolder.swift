// A folder that is being restored: open until all that is below it is in place, since only then can its times, its mode and
// its flags be set for good.

internal import Cryptography
internal import Glibc
internal import Platform
internal import Reporting

final class RestoreFolder: @unchecked Sendable {
    let parent: RestoreFolder?
    let name: [UInt8]
    /// nil: its record is lost, or it is a folder above the target; nothing is set on it.
    let entry: Entry?
    /// Below the target, for messages.
    let path: BytePath
    let restorer: Restorer
    private let monitor = Monitor()
    private var opened: Descriptor?
    /// Whether it was made just now.
    private var isNew = false
    /// Whether it is the store that is read, or in it. Known once it is open.
    private(set) var isInStore = false
    /// Whether it holds nothing but what was restored. Known once it is open.
    var isFresh: Bool { isNew || restorer.isFresh }
    /// Whether others than root and this user may give and take names in it. Known once it is open.
    private(set) var isShared = true
    /// Where it is. Known once it is open; nil where it cannot be looked at.
    private(set) var fileSystem: TargetFileSystem?
    private var isUnusable = false
    private var ownerOfNew: (user: UInt32, group: UInt32)?
    /// Whether new entries in it get attributes from it, as from a default ACL. Known once it is open.
    private(set) var givesAttributes = true
    /// Whether it is to be what the image says; else it is only on the way, and stays as it is where it exists.
    private let isSelected: Bool
    /// What it was before anything was put into it.
    private var before: (status: FileStatus, flags: UInt32?)?
    /// Its names, where some may be taken for others.
    var spellings: Set<[UInt8]>?
    var isFolding: Bool?
    /// The names that entries were given, where the file system may change them.
    var given: Set<[UInt8]> = []
    let spelling = Monitor()
    /// Held from the look whether a name is free until it is given, where one step cannot do both.
    let naming = Monitor()
    /// Children under way, and one for the walk while it is inside.
    private var holds = 1

    init(
        parent: RestoreFolder?, name: [UInt8], entry: Entry?, path: BytePath, opened: Descriptor?, isSelected: Bool,
        restorer: Restorer
    ) {
        self.parent = parent
        self.name = name
        self.entry = entry
        self.path = path
        self.opened = opened
        self.isSelected = isSelected
        self.restorer = restorer
        parent?.hold()
        if let opened {
            before = restorer.targetBefore
            isNew = restorer.isTargetNew
            look(opened)
        }
    }

    func hold() { monitor.withLock { holds += 1 } }

    /// Lets go; the last one finishes the folder and lets go of the one above.
    func release() {
        let isLast = monitor.withLock { () -> Bool in
            holds -= 1
            return holds == 0
        }
        guard isLast else { return }
        if opened != nil { checkNames() }
        if let opened, !isElsewhere {
            if let entry, isSelected || isNew {
                restorer.finish(
                    opened, entry, at: path, on: fileSystem, fresh: isNew && parent?.givesAttributes == false)
            } else if parent != nil, let before {
                // Only on the way: it keeps its time, too, and what protected it. Where that cannot be looked at, it is set.
                if (try? opened.status())?.modified != before.status.modified {
                    restorer.attempt(path) { () throws(SystemError) in
                        try opened.setModificationTime(
                            seconds: before.status.modified.seconds, nanoseconds: before.status.modified.nanoseconds)
                    }
                }
                if let flags = before.flags, flags & Descriptor.protectingFlags != 0 {
                    restorer.attempt(path) { () throws(SystemError) in try opened.setFlags(flags) }
                }
            }
        }
        opened = nil
        parent?.release()
    }

    /// The open folder; made when the first thing in it is restored. nil where it cannot be had: that was said once.
    func descriptor() -> Descriptor? {
        monitor.withLock {
            if let opened { return opened }
            if isUnusable { return nil }
            guard let above = parent?.descriptor() else {
                isUnusable = true
                restorer.countFailed()
                return nil
            }
            do {
                let folder = try open(in: above)
                look(folder)
                opened = folder
            } catch {
                isUnusable = true
                if !restorer.isClearing { restorer.fail(Finding(.notRestored, path, "\(error)"), name, in: parent) }
            }
            return opened
        }
    }

    /// Who has a file that was made in it just now; nil where that is to be looked at for each. In a folder that is new and nobody else's,
    /// all are like the first.
    func owner(ofNew file: Descriptor) -> (user: UInt32, group: UInt32)? {
        guard isNew, !isShared else { return nil }
        return monitor.withLock {
            // Where it cannot be looked at, that is left to whoever sets it.
            if ownerOfNew == nil { ownerOfNew = (try? file.status()).map { ($0.user, $0.group) } }
            return ownerOfNew
        }
    }

    /// Looks at what was opened, before anything is put into it.
    private func look(_ folder: Descriptor) {
        isInStore = parent?.isInStore == true || restorer.isStore(folder)
        // What cannot be looked at is taken for what asks for more care.
        let status = try? folder.status()
        isShared = status.map(Restorer.isShared) ?? true
        fileSystem = status.map { restorer.fileSystem(of: folder, $0) }
        givesAttributes = (try? folder.extendedAttributes().isEmpty) != true  // As above.
        // An exact restore takes leftovers away with all else that is not in the image.
        if isFresh || restorer.isDryRun || restorer.request.isExact { return }
        do throws(SystemError) { try restorer.partialNames.clear(folder) } catch {
            restorer.findings.add(
                Finding(.notRestored, path, "cannot remove what an interrupted restore left: \(error.reason)"))
        }
    }

    private func open(in above: Descriptor) throws -> Descriptor {
        // Only what is there has something in it that can go.
        if restorer.isClearing { return try above.open(name, .directory) }
        do throws(SystemError) {
            try above.makeDirectory(name)
            isNew = true
        } catch {
            if error.code != EEXIST { throw error }
        }
        if isNew { parent?.noteName(name) } else { try parent?.expectSpelling(of: name) }
        do throws(SystemError) {
            let folder = try above.open(name, .directory)
            if isNew { try expectOwn(folder, in: above) } else { before = (try folder.status(), folder.flags) }
            // Nothing can be put into an immutable folder; its flags come back at the end.
            _ = try restorer.liftProtection(of: folder)
            return folder
        } catch {
            guard error.code == ENOTDIR || error.code == ELOOP else { throw error }
            // A link or a file has its name: never followed. What was there before the restore stays: a system whose `/lib`
            // is a link does not live with a folder in its place.
            guard restorer.request.isExact || parent?.isFresh == true else {
                // Only for the sentence.
                let what = (try? above.readLink(name)).map { "a link to \(printable($0))" } ?? "no folder"
                throw FormatError("is \(what) here, and a folder in the image; move it away first")
            }
            try above.remove(name)
            try above.makeDirectory(name)
            isNew = true
            let folder = try above.open(name, .directory)
            try expectOwn(folder, in: above)
            return folder
        }
    }

    /// Where others may write, somebody may have put another folder in place of the one that was made just now.
    private func expectOwn(_ folder: Descriptor, in above: Descriptor) throws(SystemError) {
        let isOwn = try restorer.isOwn(folder.status(), madeIn: above)
        if !isOwn { throw SystemError(ESTALE, "restore into", path.description) }
    }
}
