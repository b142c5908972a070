// POSIX access control lists between the bytes that Linux keeps in an attribute and the entries that archives have.

internal import CArchive
internal import Glibc
internal import Platform

struct AccessControlList: Equatable {
    /// As acl(5) and the kernel have them; the order is the kernel's.
    enum Tag: UInt16 {
        case owner = 0x01
        case user = 0x02
        case owningGroup = 0x04
        case group = 0x08
        case mask = 0x10
        case others = 0x20
    }

    struct Item: Equatable {
        var tag: Tag
        /// Read 4, write 2, execute 1.
        var permissions: UInt16
        var id: UInt32 = .max
    }

    static let accessName = Array("system.posix_acl_access".utf8)
    static let defaultName = Array("system.posix_acl_default".utf8)

    var items: [Item]

    init(items: [Item]) { self.items = items.sorted { ($0.tag.rawValue, $0.id) < ($1.tag.rawValue, $1.id) } }

    /// Nil for what is no list that the kernel would take.
    init?(attribute value: [UInt8]) {
        guard value.count >= 4, value.count % 8 == 4, value[..<4] == [2, 0, 0, 0] else { return nil }
        var items: [Item] = []
        for start in stride(from: 4, to: value.count, by: 8) {
            let permissions = UInt16(value[start + 2]) | UInt16(value[start + 3]) << 8
            guard let tag = Tag(rawValue: UInt16(value[start]) | UInt16(value[start + 1]) << 8), permissions <= 7
            else { return nil }
            let id = (0..<4).reduce(UInt32(0)) { $0 | UInt32(value[start + 4 + $1]) << UInt32(8 * $1) }
            items.append(Item(tag: tag, permissions: permissions, id: id))
        }
        self.init(items: items)
        guard isWhole else { return nil }
    }

    var attribute: [UInt8] {
        var bytes: [UInt8] = [2, 0, 0, 0]
        for item in items {
            for number in [item.tag.rawValue, item.permissions] {
                bytes += [UInt8(truncatingIfNeeded: number), UInt8(truncatingIfNeeded: number >> 8)]
            }
            for shift in [0, 8, 16, 24] as [UInt32] { bytes.append(UInt8(truncatingIfNeeded: item.id >> shift)) }
        }
        return bytes
    }

    func permissions(of tag: Tag) -> UInt16? { items.first { $0.tag == tag }?.permissions }

    /// Each of the three classes once, nobody twice, and a mask where somebody is named.
    var isWhole: Bool {
        let named = items.filter { $0.tag == .user || $0.tag == .group }
        let isUnique = zip(items, items.dropFirst()).allSatisfy { $0.tag != $1.tag || $0.id < $1.id }
        return isUnique && named.allSatisfy { $0.id != .max }
            && permissions(of: .owner) != nil && permissions(of: .owningGroup) != nil && permissions(of: .others) != nil
            && (named.isEmpty || permissions(of: .mask) != nil)
    }

    /// The bits of a mode that the kernel shows beside the list.
    var mode: UInt32 {
        let group = permissions(of: .mask) ?? permissions(of: .owningGroup) ?? 0
        return UInt32(permissions(of: .owner) ?? 0) << 6 | UInt32(group) << 3 | UInt32(permissions(of: .others) ?? 0)
    }
}

// MARK: Archives

extension AccessControlList.Tag {
    fileprivate var inArchive: CInt {
        switch self {
        case .owner: ARCHIVE_ENTRY_ACL_USER_OBJ
        case .user: ARCHIVE_ENTRY_ACL_USER
        case .owningGroup: ARCHIVE_ENTRY_ACL_GROUP_OBJ
        case .group: ARCHIVE_ENTRY_ACL_GROUP
        case .mask: ARCHIVE_ENTRY_ACL_MASK
        case .others: ARCHIVE_ENTRY_ACL_OTHER
        }
    }

    fileprivate init?(inArchive tag: CInt) {
        let all: [Self] = [.owner, .user, .owningGroup, .group, .mask, .others]
        guard let found = all.first(where: { $0.inArchive == tag }) else { return nil }
        self = found
    }
}

extension AccessControlList {
    /// The list of one kind that an entry of an archive has, nil where it has none.
    /// - Throws: a sentence's end, for whoever knows the entry's name.
    init?(_ entry: OpaquePointer, _ kind: CInt, library: ArchiveLibrary) throws(ArchiveRefusal) {
        guard library.archive_entry_acl_types(entry) & kind != 0 else { return nil }
        _ = library.archive_entry_acl_reset(entry, kind)
        var items: [Item] = []
        var (type, permissions, tag, number): (CInt, CInt, CInt, CInt) = (0, 0, 0, 0)
        var name: UnsafePointer<CChar>?
        while library.archive_entry_acl_next(entry, kind, &type, &permissions, &tag, &number, &name) == ARCHIVE_OK {
            guard let tag = Tag(inArchive: tag) else {
                throw ArchiveRefusal("it is of an unknown kind")
            }
            var item = Item(tag: tag, permissions: UInt16(truncatingIfNeeded: permissions & 7))
            if tag == .user || tag == .group {
                item.id = try Self.number(number, name, isGroup: tag == .group)
            }
            items.append(item)
        }
        let isNamed = items.contains { $0.tag == .user || $0.tag == .group }
        if isNamed, !items.contains(where: { $0.tag == .mask }) {
            // What acl_calc_mask() makes: everything that the group class was given.
            let all = items.reduce(UInt16(0)) { $1.tag == .owner || $1.tag == .others ? $0 : $0 | $1.permissions }
            items.append(Item(tag: .mask, permissions: all))
        }
        self.init(items: items)
        guard isWhole else { throw ArchiveRefusal("it is one that no file system would take") }
    }

    /// What the list of an entry in an archive gives at most to all but owner and others.
    static func mask(of entry: OpaquePointer, library: ArchiveLibrary) -> UInt32 {
        let kind = ARCHIVE_ENTRY_ACL_TYPE_ACCESS
        _ = library.archive_entry_acl_reset(entry, kind)
        var (type, permissions, tag, number): (CInt, CInt, CInt, CInt) = (0, 0, 0, 0)
        var name: UnsafePointer<CChar>?
        var mask: UInt32 = 7
        while library.archive_entry_acl_next(entry, kind, &type, &permissions, &tag, &number, &name) == ARCHIVE_OK {
            if tag == ARCHIVE_ENTRY_ACL_MASK { mask &= UInt32(truncatingIfNeeded: permissions) }
        }
        return mask
    }

    /// GNU tar writes names alone; they mean here what they would mean to tar.
    private static func number(
        _ number: CInt, _ name: UnsafePointer<CChar>?, isGroup: Bool
    ) throws(ArchiveRefusal) -> UInt32 {
        // libarchive makes this of every greater number, too.
        guard number < .max else {
            throw ArchiveRefusal("it has a number of \(number) or more, which libarchive does not tell")
        }
        if number >= 0 { return UInt32(number) }  // safe: not negative
        if let name {
            if isGroup, let found = getgrnam(name) { return found.pointee.gr_gid }
            if !isGroup, let found = getpwnam(name) { return found.pointee.pw_uid }
        }
        let text = name.map { printable(String(cString: $0).utf8) } ?? "whose name libarchive does not tell"
        throw ArchiveRefusal(
            "it names the \(isGroup ? "group" : "user") \(text), who is not known here; "
                + "`tar --xattrs --acls` puts numbers into the archive")
    }

    /// Gives an entry of an archive this list. That of kind *access* also sets the entry's mode.
    func add(to entry: OpaquePointer, _ kind: CInt, library: ArchiveLibrary) {
        for item in items {
            let id = item.tag == .user || item.tag == .group ? CInt(bitPattern: item.id) : -1
            _ = library.archive_entry_acl_add_entry(
                entry, kind, CInt(item.permissions), item.tag.inArchive, id, nil)
        }
    }
}
