// A stop at each call on the store: whatever reads an image ends with that, and names nothing as damaged.

import Cryptography
import Glibc
import Images
import Platform
import Reporting
import Stores
import TestSupport
import Testing

/// Asks for a stop once its n-th call has come.
private final class StopAtCall: InterposedStore, @unchecked Sendable {
    private let last: Int
    private let stop: Stop

    init(_ store: any ObjectStore, last: Int, _ stop: Stop) {
        self.last = last
        self.stop = stop
        super.init(store)
    }

    override func around<R>(
        _ number: Int, _ call: StoreCall, _ body: () throws(StoreError) -> R
    ) throws(StoreError) -> R {
        if number >= last { stop.requestStop() }
        return try body()
    }
}

@Suite struct StoppedReadingTests {
    private enum Work: String, CaseIterable { case images, verify, restore, dryRun, export, copy, replicate }

    private struct Place {
        let scratch: Scratch
        let made: TestStore

        func run(_ work: Work, _ objects: any ObjectStore, _ progress: Progress, _ findings: Findings) throws {
            let copy = scratch.file("copy.hf")
            let other = scratch.file("other")
            let left = [copy, other, scratch.file("restored")].map(\.description)
            defer { ImagesTests.run("/bin/rm", ["-rf"] + left) }
            if work == .replicate {
                _ = try Store.replicate(
                    objects, to: FolderStore(other), images: [], credentials: made.credentials, machine: made.machine,
                    progress: progress, findings: findings)
                return
            }
            let store = try Store.open(objects, for: .read, credentials: made.credentials, machine: made.machine)
            switch work {
            case .images: for image in try store.images() { #expect(!image.isDamaged) }
            case .verify:
                _ = try store.verify(image: nil, readData: true, progress: progress, findings: findings)
            case .restore, .dryRun:
                var request = RestoreRequest(target: scratch.file("restored"))
                request.isDryRun = work == .dryRun
                _ = try restore(store.imageReader("latest"), request, progress: progress, findings: findings)
            case .export:
                let file = try Descriptor.open("/dev/null", .readWrite)
                _ = try store.export(image: "latest", to: file.raw, progress: progress, findings: findings)
            case .copy:
                _ = try store.copy(
                    image: "latest", to: .file(copy, partLength: nil), progress: progress, findings: findings)
                #expect(!exists(copy) || !progress.isStopRequested)
            case .replicate: break
            }
        }
    }

    @Test("A stop at any call of the store ends all that reads it as interrupted, without one finding")
    func everyCall() throws {
        let scratch = try Scratch()
        let tree = scratch.file("tree")
        try makeTree(tree)
        let made = try TestStore(scratch)
        try made.backup(tree)
        let place = Place(scratch: scratch, made: made)
        for work in Work.allCases {
            let whole = InterposedStore(FolderStore(made.path))
            try place.run(work, whole, Progress(), Findings())
            for last in stride(from: 1, through: whole.calls, by: runsAll ? 1 : max(1, whole.calls / 12)) {
                // The cache of labels would answer from then on.
                ImagesTests.run("/bin/rm", ["-rf", scratch.file("machine/cache").description])
                let progress = Progress()
                let findings = Findings { Issue.record("\(work), stopped at call \(last): \($0)") }
                let objects = StoppingStore(
                    StopAtCall(FolderStore(made.path), last: last, progress.stop), progress.stop)
                do {
                    try place.run(work, objects, progress, findings)
                    #expect(!progress.stop.hasInterrupted, "\(work), stopped at call \(last), has a result")
                } catch {
                    let sentence = explained(error).sentence
                    #expect(explained(error).exitStatus == 130, "\(work), stopped at call \(last): \(sentence)")
                }
            }
        }
    }

    /// What a call on a store can leave in `errno`.
    private final class OutOfMemory: ForwardingStore, @unchecked Sendable {
        override func around<R>(
            _ call: StoreCall, _ body: () throws(StoreError) -> R
        ) throws(StoreError) -> R {
            let result = try body()
            errno = ENOMEM
            return result
        }
    }

    @Test("A name that is no UTF-8 is exported whatever an earlier call left as its error")
    func errorOfEarlierCall() throws {
        let scratch = try Scratch()
        let tree = scratch.file("tree")
        try makeTree(tree)
        let made = try TestStore(scratch)
        try made.backup(tree)
        try Place(scratch: scratch, made: made).run(
            .export, OutOfMemory(FolderStore(made.path)), Progress(), Findings())
    }
}
