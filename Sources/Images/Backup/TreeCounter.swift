// How much there is to back up, counted beside the work: a person who waits wants to know how long. Nothing is opened but folders.

internal import Platform
internal import Reporting
internal import Synchronization

final class TreeCounter: Sendable {
    private let flag: Flag
    private let thread: WorkerThread

    /// Starts to count, and tells `progress` at the end.
    init(_ sources: [BytePath], options: TreeReader.Options, progress: Progress) {
        let flag = Flag()
        self.flag = flag
        thread = WorkerThread {
            var counter = Counter(options: options, flag: flag)
            for source in sources { counter.count(source) }
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

        mutating func count(_ source: BytePath) {
            guard let place = try? Descriptor.open(source, .place), let status = try? place.status() else { return }
            add(status)
            guard status.kind == .directory, let folder = try? Descriptor.open(source, .directory) else { return }
            count(folder, below: [], border: TreeBorder(status))
        }

        private mutating func count(_ folder: Descriptor, below path: [UInt8], border: TreeBorder) {
            guard let names = try? DirectoryListing(of: folder) else { return }
            for index in 0..<names.count {
                if flag.isSet { return }
                let name = names[index]
                let below = path.isEmpty ? name : path + [UInt8(ascii: "/")] + name
                guard !options.isExcluded(name, at: below), let status = try? folder.status(of: name),
                    !options.own.contains(FileIdentity(status))
                else { continue }
                if border.isCrossed(by: status) { continue }
                add(status)
                guard status.kind == .directory, let child = try? folder.open(name, .directory) else { continue }
                count(child, below: below, border: border)
            }
        }

        private mutating func add(_ status: FileStatus) {
            items += 1
            // A file with several names is read once.
            if status.kind == .file { bytes.add(saturating: status.size / UInt64(max(1, status.linkCount))) }
        }
    }
}
