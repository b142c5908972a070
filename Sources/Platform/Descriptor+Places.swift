// What is done to an inode and never to a name, which others may have given to something else by then: files that have no
// name yet (O_TMPFILE), and places (`OpenOptions.place`, O_PATH), which anything can be, links and devices too.

internal import CLinux
internal import Glibc

extension Descriptor {
    /// Makes a file in this folder that no name leads to; `nil` where the file system knows no such files.
    public func openUnnamed(mode: UInt32 = 0o600) throws(SystemError) -> Descriptor? {
        do throws(SystemError) {
            return try Descriptor(
                owning: check("make a file in", "the folder") {
                    clinux_openat(raw, ".", O_WRONLY | O_CLOEXEC | clinux_O_TMPFILE, mode)
                })
        } catch {
            // Older kernels take the flags for those of a folder that is opened for writing.
            if [EOPNOTSUPP, EISDIR, EINVAL, ENOSYS].contains(error.code) { return nil }
            throw error
        }
    }

    /// Gives this open file a name in a folder, which must be free (EEXIST).
    public func giveName(_ name: [UInt8], in folder: Descriptor) throws(SystemError) {
        try check("link", printable(name)) {
            withNullTerminated(name) { name -> CInt in
                let direct = linkat(raw, "", folder.raw, name, clinux_AT_EMPTY_PATH)
                // Only root may name a descriptor directly; others go by way of /proc.
                if direct == 0 || errno != ENOENT { return direct }
                return withNullTerminated(placePath) { linkat(AT_FDCWD, $0, folder.raw, name, AT_SYMLINK_FOLLOW) }
            }
        }
    }

    /// The path of what is open here, as the kernel names it now.
    public func pathNow() throws(SystemError) -> [UInt8] {
        try Descriptor.open("/proc/self/fd", .directory).readLink(Array("\(raw)".utf8))
    }

    /// Where a path leads now, in the kernel's words, whatever links and `..` are on the way; what is not there yet is below the last folder
    /// that is, which is open.
    public static func place(of path: BytePath) throws(SystemError) -> (path: BytePath, folder: Descriptor) {
        let up = Array("..".utf8)
        var there = try path.isAbsolute ? path : HostFacts.workingFolder.appending(path.bytes)
        var rest: [[UInt8]] = []
        while true {
            do throws(SystemError) {
                let folder = try Descriptor.open(there, .place)
                return (rest.reduce(BytePath(try folder.pathNow())) { $0.appending($1) }, folder)
            } catch {
                // Back from a folder that is not there leads nowhere.
                let last = Array(there.lastComponent)
                guard error.isAbsent, !there.components.isEmpty, last != up else { throw error }
                rest.insert(last, at: 0)
                there = there.parent
            }
        }
    }

    /// A path that leads to what is open here, and to nothing else whatever becomes of its name.
    var placePath: [UInt8] { Array("/proc/self/fd/\(raw)".utf8) }

    /// Makes a folder beneath this one and those on the way, through folders only; what is there is fine.
    /// - Parameter path: names joined by `/`; none leads here.
    @discardableResult
    public func makeFolders(_ path: some Collection<UInt8>, mode: UInt32 = 0o755) throws(SystemError) -> Descriptor {
        var folder = self
        for name in BytePath(Array(path)).components.map(Array.init) {
            do throws(SystemError) { try folder.makeDirectory(name, mode: mode) } catch {
                guard error.isPresent else { throw error }
            }
            folder = try folder.openBeneath(name, .directory)
        }
        return folder
    }

    /// Opens the folder that holds a path beneath this one, through folders only.
    public func openFolder(of path: BytePath) throws(SystemError) -> Descriptor {
        path.components.count > 1 ? try openBeneath(path.parent.bytes, .directory) : self
    }

    /// Removes what has a name in this folder, with all that is in it; what is mounted in it, and what is not there, is left.
    /// - Parameter liftsProtection: whether files and folders go that are immutable or can only be added to, or that their owner cannot write.
    /// - Throws: at the first that stays.
    public func removeTree(_ name: [UInt8], liftsProtection: Bool = false) throws(SystemError) {
        let status: FileStatus
        do throws(SystemError) { status = try self.status(of: name) } catch {
            if error.isAbsent { return }
            throw error
        }
        guard status.kind == .directory else { return try remove(name) }
        let border = TreeBorder(try self.status())
        if border.isCrossed(by: status) { throw SystemError(EBUSY, "remove", printable(name)) }
        let root = try open(name, .directory)
        var rules = TreeWalk.Rules()
        rules.isBorder = { border.isCrossed(by: $0) }
        let walk = try TreeWalk(root, rules: rules)
        // Names alone: a folder on the way that were held open would be one too many in a deep tree.
        var names: [[UInt8]] = []
        while let step = walk.next() {
            switch step {
            case .entry(let entry):
                if liftsProtection, entry.status.kind == .file {
                    // Without the right to read it none of ours is protected so, and what is will be told below.
                    try? entry.folder.open(entry.name, .nonBlocking).liftProtection()
                }
                // A folder here is one that something is mounted on, or that cannot be opened.
                try entry.folder.remove(entry.name, directory: entry.status.kind == .directory)
            case .enter(let entry, let folder):
                names.append(entry.name)
                if liftsProtection {
                    try folder.liftProtection()
                    if entry.status.mode & 0o300 != 0o300 { try folder.setMode(0o700) }
                }
            case .leave: if let name = names.popLast() { try walk.current?.remove(name, directory: true) }
            case .unreadable(_, let error): throw error
            }
        }
        try remove(name, directory: true)
    }

    /// Takes away what keeps a file or a folder, or its names, from being changed.
    private func liftProtection() throws(SystemError) {
        if let flags, flags & Self.protectingFlags != 0 { try setFlags(flags & ~Self.protectingFlags) }
    }

    // MARK: Places

    /// Sets the mode of what is at this place; a symbolic link has none.
    public func setModeOfPlace(_ mode: UInt32) throws(SystemError) {
        try check("set the mode of", "the entry") { withNullTerminated(placePath) { chmod($0, mode) } }
    }

    /// Where the symbolic link at this place leads.
    public func readLinkOfPlace() throws(SystemError) -> [UInt8] { try readLink([]) }

    /// All attributes of what is at this place, sorted by name.
    public func extendedAttributesOfPlace() throws(SystemError) -> [ExtendedAttribute] {
        try withNullTerminated(placePath) { path throws(SystemError) in
            try Self.attributes(
                limit: .max, list: { clinux_listxattr(path, $0, $1) }, get: { clinux_getxattr(path, $0, $1, $2) })
        }
    }

    /// Makes the attributes of what is at this place exactly these.
    /// - Returns: the names that could not be set, with the reason.
    public func setExtendedAttributesOfPlace(_ wanted: [ExtendedAttribute]) -> [SystemError] {
        let current: [ExtendedAttribute]
        do throws(SystemError) { current = try extendedAttributesOfPlace() } catch { return [error] }
        if wanted == current { return [] }
        return withNullTerminated(placePath) { path in
            Self.apply(
                wanted, over: current, set: { clinux_setxattr(path, $0, $1, $2) },
                remove: { clinux_removexattr(path, $0) })
        }
    }
}
