// How much there is to back up, counted beside the work: a person who waits wants to know how long. Nothing is opened but folders.

internal import Platform
internal import Reporting
internal import Synchronization

final class TreeCounter: Sendable {
    private let flag: Flag
    private let thread: WorkerThread

    /// Starts to count, and tells `progress` at the end.
    /// - Parameter views: where a source is read, if not in its place.
    init(_ sources: [BytePath], views: [BytePath: BytePath] = [:], options: TreeReader.Options, progress: Progress) {
        let flag = Flag()
        self.flag = flag
        thread = WorkerThread {
            var counter = Counter(options: options, flag: flag)
            for source in sources { counter.count(source, at: views[source] ?? source) }
            if !flag.isSet { progress.expect(bytes: counter.bytes, items: counter.items) }
        }
    }

    /// Ends it, counted or not.
    func finish() {
        flag.set()
        thread.join()
    }

    private final class Flag: Sendable {
        private let value = Atomic<Bool>(false)
        var isSet: Bool { value.load(ordering: .relaxed) }
        func set() { value.store(true, ordering: .relaxed) }
    }

    private struct Counter {
        let options: TreeReader.Options
        let flag: Flag
        var bytes: UInt64 = 0
        var items: UInt64 = 0

        /// What cannot be looked at is not counted: the total is for people, and the backup itself names what it misses.
        mutating func count(_ source: BytePath, at view: BytePath) {
            do throws(SystemError) {
                let status = try Descriptor.open(view, .place).status()
                add(status)
                guard status.kind == .directory else { return }
                let border = TreeBorder(status)
                var rules = TreeWalk.Rules()
                rules.own = options.own
                rules.isLeftOut = { [options] name, path in options.isExcluded(name, at: path, in: source) }
                rules.isBorder = { border.isCrossed(by: $0) }
                let walk = try TreeWalk(Descriptor.open(view, .directory), rules: rules)
                while !flag.isSet, let step = walk.next() {
                    switch step {
                    case .entry(let entry): if !entry.isBorder { add(entry.status) }
                    case .enter(let entry, _):
                        add(entry.status)
                        if walk.depth >= Format.maximumDepth { walk.skip() }
                    case .leave, .unreadable: break
                    }
                }
            } catch { return }
        }

        private mutating func add(_ status: FileStatus) {
            items += 1
            // A file with several names is read once.
            if status.kind == .file { bytes.add(saturating: status.size / UInt64(max(1, status.linkCount))) }
        }
    }
}
