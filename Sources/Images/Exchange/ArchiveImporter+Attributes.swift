// What an archive says of an entry's attributes and access control lists, as far as a restore could set it: the rest is left out and named.

internal import CArchive
internal import Platform
internal import Reporting

extension ArchiveImporter {
    /// The attributes that a restore could set.
    func attributes(of entry: OpaquePointer, _ kind: FileKind) -> [ExtendedAttribute] {
        _ = library.archive_entry_xattr_reset(entry)
        var attributes: [ExtendedAttribute] = []
        var (name, value, size): (UnsafePointer<CChar>?, UnsafeRawPointer?, Int) = (nil, nil, 0)
        var length = 0
        var differing: Set<[UInt8]> = []
        while library.archive_entry_xattr_next(entry, &name, &value, &size) == ARCHIVE_OK {
            let attribute = ExtendedAttribute(
                name: Self.bytes(name) ?? [],
                value: Array(UnsafeRawBufferPointer(start: value, count: value == nil ? 0 : size)))
            // bsdtar writes each attribute twice.
            if let known = attributes.first(where: { $0.name == attribute.name }) {
                if known != attribute { differing.insert(attribute.name) }
                continue
            }
            length += attribute.name.count + attribute.value.count + 16
            let problem =
                length > Format.maximumAttributesLength
                ? "an image does not keep that many for one entry" : attribute.problem(on: kind)
            if let problem {
                length -= attribute.name.count + attribute.value.count + 16
                omit(attribute.name, problem)
            } else {
                attributes.append(attribute)
            }
        }
        for name in differing.sorted(by: { $0.lexicographicallyPrecedes($1) }) { omit(name, "it has two values") }
        attributes.removeAll { differing.contains($0.name) }
        // One of the two times with its name in an encoding.
        let encoded = Set(attributes.map { ExtendedAttribute(name: $0.encodedName, value: $0.value) })
        return attributes.filter { attribute in
            guard encoded.contains(attribute), attribute.encodedName != attribute.name else { return true }
            let shown = printable(attribute.name)
            report("its attribute \(shown) is taken for what bsdtar makes of another one's name", of: entry, .note)
            return false
        }
    }

    private func omit(_ attribute: [UInt8], _ reason: String) {
        let shown = printable(attribute.prefix(512)) + (attribute.count > 512 ? "…" : "")
        omissions.append("its attribute \(shown) is left out: \(reason)")
    }

    /// Linux keeps them as attributes. An archive that has those, too, has the numbers in them.
    func addAccessControlLists(of entry: OpaquePointer, to result: inout Entry) {
        let access = ARCHIVE_ENTRY_ACL_TYPE_ACCESS
        if library.archive_entry_acl_types(entry) & ~(access | ARCHIVE_ENTRY_ACL_TYPE_DEFAULT) != 0 {
            omissions.append("its NFSv4 access control list is left out: Linux has no place for it")
        }
        for (kind, name) in [
            (access, AccessControlList.accessName), (ARCHIVE_ENTRY_ACL_TYPE_DEFAULT, AccessControlList.defaultName),
        ] where !result.attributes.contains(where: { $0.name == name }) {
            do throws(ArchiveRefusal) {
                guard let list = try AccessControlList(entry, kind, library: library) else { continue }
                let attribute = ExtendedAttribute(name: name, value: list.attribute)
                if let problem = attribute.problem(on: result.kind) { throw ArchiveRefusal(problem) }
                result.attributes.append(attribute)
            } catch {
                omissions.append("its access control list is left out: \(error.reason)")
                // Without it nobody gets more than with it.
                if kind == access { result.mode &= ~0o70 | AccessControlList.mask(of: entry, library: library) << 3 }
            }
        }
        result.attributes.sort { $0.name.lexicographicallyPrecedes($1.name) }
        // libarchive gives the group's own rights where the kernel shows the mask.
        if let value = result.attributes.first(where: { $0.name == AccessControlList.accessName })?.value,
            let list = AccessControlList(attribute: value)
        {
            result.mode = result.mode & 0o7000 | list.mode
        }
    }
}

extension ExtendedAttribute {
    /// How libarchive writes its name.
    fileprivate var encodedName: [UInt8] {
        name.flatMap { byte in
            let isPlain = (0x21...0x7e).contains(byte) && byte != UInt8(ascii: "%") && byte != UInt8(ascii: "=")
            return isPlain ? [byte] : Array("%\(hexadecimal([byte]).uppercased())".utf8)
        }
    }

    /// Why no restore can ever set it on a file of this kind; nil where one may.
    fileprivate func problem(on kind: FileKind) -> String? {
        guard name.count <= Format.maximumNameLength, value.count <= Format.maximumAttributeLength else {
            return "it is longer than any file system takes"
        }
        let spaces = ["user.", "trusted.", "security.", "system."].map { Array($0.utf8) }
        guard let space = spaces.first(where: { name.starts(with: $0) }), name.count > space.count else {
            return "Linux has no attributes of such a name"
        }
        if space == spaces[0], kind != .file, kind != .directory {
            return "Linux has attributes of users on files and folders alone"
        }
        let isDefault = name == AccessControlList.defaultName
        if isDefault || name == AccessControlList.accessName {
            guard AccessControlList(attribute: value) != nil else { return "it is one that no file system would take" }
            if isDefault && kind != .directory || kind == .symbolicLink {
                return "Linux has none on a file of its kind"
            }
        }
        return nil
    }
}
