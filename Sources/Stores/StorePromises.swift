// What a server keeps of what is wanted of it, found out and not believed.

/// Found out by trying it on one small object.
public struct StorePromises: Sendable {
    /// What becomes of a second object of one name.
    public enum Creation: String, Sendable {
        /// It is refused.
        case enforced
        /// The server knows no such condition, and says so: whoever writes looks first.
        case refused
        /// It takes the first one's place, and the server says nothing.
        case ignored
    }

    public var creation: Creation
    /// Whether who writes without the condition replaces what is there; nil where that was not found out.
    public var canBeOverwritten: Bool?
    /// Whether what was replaced or removed can still be read; nil where this key may not ask.
    public var keepsVersions: Bool?
    /// For how many days nothing can be removed for good, as the server is set; nil where it is not, or this key may not ask.
    public var lockDays: Int?
    /// Whether a version could be removed in spite of that; nil where it was not tried.
    public var lockHolds: Bool?
    /// Whether this key may remove.
    public var canRemove: Bool
    /// Whether what was signed too long ago is refused; nil where nothing is signed.
    public var checksDates: Bool?
    /// The store's clock less this machine's, in seconds.
    public var clockOffset: Int64?
    /// Whether names are durable once a call has returned; nil where the server does not let anybody ask for it.
    public var synchronizesFolders: Bool?

    public init(creation: Creation, canRemove: Bool) {
        self.creation = creation
        self.canRemove = canRemove
    }
}

/// A store of which it is not known what it keeps to.
public protocol ProbedStore: ObjectStore {
    /// What was found out while it was used, and somebody should know, in sentences.
    var notes: [String] { get }

    /// Finds it out with an object of that name, which is removed where that is allowed, and otherwise stays for the next time.
    func promises(_ name: String) throws(StoreError) -> StorePromises

    /// The rights that one machine needs, in the server's own words.
    /// - Parameters:
    ///   - creating: the folders in which it makes objects.
    ///   - reading: the objects and folders that it reads, the latter with a slash at the end.
    ///   - listing: the folders that it lists.
    ///   - hiding: the folders of what it may write and not read.
    func policy(creating: [String], reading: [String], listing: [String], hiding: [String]) -> StorePolicy
}

extension ProbedStore {
    public var notes: [String] { [] }
}

/// Rights as a server wants them written.
public struct StorePolicy: Sendable {
    /// A file, or a part of one.
    public var text: String
    /// What it does with it, and what this server cannot be made to keep to; a sentence each.
    public var remarks: [String]
}

extension ObjectStore {
    /// The store that can be asked what it keeps to; nil for a folder, which keeps to what its file system does.
    public var probed: (any ProbedStore)? {
        var store: any ObjectStore = self
        while let wrapper = store as? ForwardingStore { store = wrapper.store }
        return store as? any ProbedStore
    }
}

extension StorePromises {
    /// What was found, and what follows from it: a word, and a sentence each.
    public var lines: [(name: String, text: String)] {
        var lines: [(name: String, text: String)] = []
        switch creation {
        case .enforced: lines.append(("creation", "enforced: of two objects of one name the second is refused"))
        case .refused: lines.append(("creation", "the server knows no condition: a look goes before each object"))
        case .ignored: lines.append(("creation", "not enforced: the server ignores the condition, and says nothing"))
        }
        if canBeOverwritten == true || creation == .ignored {
            lines.append(
                (
                    "overwriting",
                    "possible: who has this machine's key can write over what it wrote; "
                        + (keepsVersions == true
                            ? "the first versions stay, and `--at TIME` reads them" : "keep versions in the bucket")
                ))
        }
        switch keepsVersions {
        case true?: lines.append(("versions", "kept"))
        case false?: lines.append(("versions", "not kept: what is removed or written over is gone"))
        case nil: lines.append(("versions", "not known: this key may not ask"))
        }
        if let lockDays {
            let holds =
                switch lockHolds {
                case true?: ", and it holds"
                case false?: ", but a version could be removed all the same: it is accepted, and not kept to"
                case nil: ""
                }
            lines.append(("lock", "\(lockDays) days\(holds)"))
        }
        lines.append(
            (
                "removing",
                canRemove ? "allowed: a machine needs no right to that" : "refused to this key, as it should be"
            ))
        if let checksDates {
            lines.append(
                (
                    "dates",
                    checksDates
                        ? "checked: what was signed long ago is refused"
                        : "not checked: after a long sleep a backup looks again before it is one"
                ))
        }
        if let clockOffset {
            lines.append(("clock", "\(clockOffset < 0 ? "−" : "+")\(clockOffset.magnitude) s against this machine's"))
        }
        if let synchronizesFolders, !synchronizesFolders {
            lines.append(("durability", "the server cannot be asked to write through: its own care is all there is"))
        }
        return lines
    }
}
