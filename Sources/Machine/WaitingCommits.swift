// What was committed of a filtered place and waits for the next start. It belongs to the state of now, so whatever would leave that state has
// to wait for it: restore points ask here, and know nothing else of the filter.

public import Platform

public enum WaitingCommits {
    /// The folder of the filter in a state folder.
    public static func folder(of state: BytePath) -> BytePath { state.appending("filter") }

    /// What the names of a place's commits begin with; a number follows.
    public static func prefix(of place: BytePath) -> String { "commit-\(FilterMounts.name(of: place))-" }

    /// The places of which commits wait.
    /// - Throws: where it cannot be told.
    public static func places(_ state: BytePath) throws -> [BytePath] {
        let folder = folder(of: state)
        guard exists(folder) else { return [] }
        let names = try DirectoryListing(of: Descriptor.open(folder, .directory))
        var places: Set<BytePath> = []
        for index in 0..<names.count {
            let words = String(decoding: names[index], as: UTF8.self).split(separator: "-")
            guard words.count == 3, words[0] == "commit", let place = decodeHexadecimal(String(words[1])) else {
                continue
            }
            places.insert(BytePath(place))
        }
        return places.sorted { $0.bytes.lexicographicallyPrecedes($1.bytes) }
    }
}
