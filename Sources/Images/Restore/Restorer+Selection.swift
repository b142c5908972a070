// What of an image is restored: the patterns that were given, and the paths below them.

internal import Platform

extension Restorer {
    var isSingleSource: Bool { (reader.label?.sources.count ?? 1) <= 1 }

    /// Whether an entry of the current folder is restored: a pattern selects what is in a folder, too.
    /// - Parameter names: those that lead to it from the source on.
    func isSelected(_ names: @autoclosure () -> [[UInt8]], inSelected: Bool) -> Bool {
        request.parts == nil && inSelected || selects(names())
    }

    /// The names that lead from the target to the source, where there are several.
    var sourceNames: [[UInt8]] { isSingleSource ? [] : BytePath(source).components.map(Array.init) }

    /// Whether a pattern selects the source as a whole: by one of the names that lead to it.
    func selectsSource() -> Bool {
        if let parts = request.parts { return parts.takes([]) }
        if request.only.isEmpty { return true }
        let names = sourceNames
        if names.indices.contains(where: { selects(Array(names[...$0]), isWhole: true) }) { return true }
        let above = BytePath(source).components.map(Array.init)
        return above.indices.contains { selects(above[$0], by: [], onMachine: joined(above[...$0])) }
    }

    /// Whether a pattern selects this very entry: by its path below the source, below the target, as it is listed, or on the machine.
    /// - Parameter isWhole: whether the names lead from the target on.
    func selects(_ names: [[UInt8]], isWhole: Bool = false) -> Bool {
        if request.only.isEmpty, request.parts == nil { return true }
        if let parts = request.parts { return parts.takes(joined(names)) }
        guard let name = names.last else { return false }
        let path = joined(names)
        if isWhole { return selects(name, by: [path], onMachine: nil) }
        let onMachine = BytePath(source).components.map(Array.init) + names
        return selects(
            name, by: isSingleSource ? [path] : [path, joined(sourceNames + names)], onMachine: joined(onMachine))
    }

    private func joined(_ names: some Sequence<[UInt8]>) -> [UInt8] {
        Array(names.joined(separator: [UInt8(ascii: "/")]))
    }

    /// Whether a pattern selects one of the paths that an entry has; only one that begins with a slash means the machine's.
    private func selects(_ name: [UInt8], by paths: [[UInt8]], onMachine: [UInt8]?) -> Bool {
        func isMeant(_ pattern: PathPattern) -> Bool {
            paths.contains { pattern.matches(path: $0, name: name) }
                || pattern.isAbsolute && onMachine.map { pattern.matches(path: $0, name: name) } == true
        }
        guard let index = request.only.firstIndex(where: isMeant) else { return false }
        matched.insert(index)
        return true
    }

    /// Whether an entry of this source is restored, going by the names that lead to it.
    func isRestored(_ path: [UInt8]) -> Bool {
        if let parts = request.parts { return parts.takes(path) }
        if request.only.isEmpty || folders.first?.isSelected == true { return true }
        let names = path.split(separator: UInt8(ascii: "/")).map(Array.init)
        return names.indices.contains { selects(Array(names[...$0])) }
    }
}
