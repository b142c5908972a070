// Which names objects have. One rule for all stores, for readers and writers: whatever can be created can be listed and opened, in every
// kind of store, and no name leads out of one.

internal import Glibc
internal import Platform

/// A name, checked and in its parts.
struct ObjectName {
    /// As S3 has it; a folder's path ends well below PATH_MAX, so a listing ends in whatever depth somebody made.
    static let lengthLimit = 1024

    /// All parts but the last one.
    let folder: ArraySlice<[UInt8]>
    let last: [UInt8]

    /// - Parameter operation: what is refused where the name is none, as a verb.
    init(_ text: String, for operation: String, in store: String) throws(StoreError) {
        let bytes = Array(text.utf8)
        let parts = bytes.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false).map(Array.init)
        guard bytes.count <= Self.lengthLimit, parts.allSatisfy(Self.canBePart), let last = parts.last else {
            throw StoreError(
                .refused, operation, "\(printable(bytes)) of \(store)", "no object can have such a name")
        }
        folder = parts.dropLast()
        self.last = last
    }

    /// Whether something in a folder can be an object or hold some, going by its name: neither `.` and `..`, nor what people and their file
    /// managers leave there.
    static func canBePart(_ part: [UInt8]) -> Bool {
        !part.isEmpty && part.count <= 255 && part.first != UInt8(ascii: ".") && !part.contains(0)
    }

    /// The folder as a path; empty where the object is in none.
    var folderPath: [UInt8] { Array(folder.joined(separator: [UInt8(ascii: "/")])) }
}
