// A scratch folder with stores of a job, which can be away, and a time that goes as a test wants it.

import Cryptography
import Glibc
import Images
import Machine
import Platform
import Reporting
import Stores
import TestSupport

@testable import Stewardship

final class Scratch: @unchecked Sendable {
    let path: BytePath

    init() {
        var template = Array("/var/tmp/holdfast-jobs-XXXXXX".utf8CString)
        path = template.withUnsafeMutableBufferPointer { buffer in
            guard let start = buffer.baseAddress, let made = mkdtemp(start) else { return "/nowhere" }
            return BytePath(String(cString: made))
        }
    }

    deinit { shell("rm -rf \(path)") }

    func file(_ name: String) -> BytePath { path.appending(name) }

    /// A machine whose state is here.
    var places: Places {
        Places(isRoot: false, home: path) { [path] name in name == "HOLDFAST_STATE" ? path.appending("state") : nil }
    }
}

/// Stores in folders, by name. One that is away has another name meanwhile, as a disk that is not mounted.
final class FolderStores: JobStores {
    private let scratch: Scratch
    private let identity: AgeIdentity
    private let machine: MachineState
    /// What was done, in words.
    var calls: [String] = []
    /// Called before each.
    var before: (String) throws -> Void = { _ in }

    init(_ scratch: Scratch, _ names: [String]) throws {
        self.scratch = scratch
        identity = try AgeIdentity.generate()
        machine = MachineState(state: scratch.places.keys, cache: scratch.places.cache)
        for name in names {
            _ = try Store.create(folder(name), recipients: [.age(identity.recipient)], group: nil, machine: machine)
        }
    }

    func folder(_ name: String) -> BytePath { scratch.file("store-\(name)") }

    func take(_ name: String) throws { try renameFile(folder(name), to: scratch.file("away-\(name)")) }
    func bring(_ name: String) throws { try renameFile(scratch.file("away-\(name)"), to: folder(name)) }

    private func note(_ call: String) throws {
        calls.append(call)
        try before(call)
    }

    func openToWrite(_ store: String, rate: UInt64?) throws -> Store {
        try note("write \(store)")
        return try Store.open(folder(store), for: .write, credentials: Credentials(), machine: machine)
    }

    func copy(_ series: String, from: String, to: String, rate: UInt64?, _ reporter: Reporter) throws {
        try note("copy \(from) \(to)")
        guard exists(scratch.file("line")) else {
            throw StewardError.nothingThere(place: try StoreLocation(folder(to).bytes))
        }
        _ = try Store.replicate(
            FolderStore(folder(from)), to: FolderStore(folder(to)), images: [], ImageFilter(series: series),
            credentials: Credentials(identities: [identity]), machine: machine, progress: reporter.progress,
            findings: reporter.findings)
    }

    func verify(
        _ series: String, in store: String, readsData: Bool, rate: UInt64?, _ reporter: Reporter
    ) throws -> Bool {
        try note("verify \(store)\(readsData ? " with content" : "")")
        _ = try Store.open(
            folder(store), for: .verify, credentials: Credentials(identities: [identity]), machine: machine
        )
        .verify(
            image: "latest", ImageFilter(series: series), readData: readsData && opensContent,
            progress: reporter.progress, findings: reporter.findings)
        return readsData && opensContent
    }

    /// Images that the store has no more.
    var removed: Set<String> = []
    /// Called before an image is opened that something is compared with.
    var opening: () throws -> Void = {}

    func newest(of series: String, in store: String, rate: UInt64?) throws -> (id: ObjectID, listing: ImageListing) {
        try opening()
        let opened = try Store.open(
            folder(store), for: .read, credentials: Credentials(identities: [identity]), machine: machine)
        let image = try opened.find("latest", ImageFilter(series: series))
        return (image.id, try opened.listing(of: image))
    }

    func image(_ id: String, in store: String, rate: UInt64?) throws -> (id: ObjectID, listing: ImageListing)? {
        try opening()
        let opened = try Store.open(
            folder(store), for: .read, credentials: Credentials(identities: [identity]), machine: machine)
        do {
            if removed.contains(id) { return nil }
            let image = try opened.find(id)
            return (image.id, try opened.listing(of: image))
        } catch ImageError.noSuchImage { return nil }
    }

    /// Whether the key at hand is more than a steward's.
    var opensContent = true
    /// What the next prune says; nil: there is no key for it.
    var pruned: (() throws -> String?) = { nil }

    func prune(
        _ series: String, in store: String, _ rules: KeepRules, rate: UInt64?, _ reporter: Reporter
    ) throws -> String? {
        try note("prune \(store) of \(series) by \(rules)")
        return try pruned()
    }

    /// Why no key for drills can be had; nil: it is there.
    var noDrillKey: DrillError?

    func drillKeys(_ key: DrillSettings.Key, of job: String) throws -> any DrillKeys {
        try note("drill key")
        if let noDrillKey { throw noDrillKey }
        return Keys(stores: self)
    }

    private struct Keys: DrillKeys {
        let stores: FolderStores
        var recipients: [String] { ["\(stores.identity.recipient)"] }

        func newest(of series: String, in store: String, rate: UInt64?) throws -> DrillSource {
            try stores.note("drill \(store)")
            let opened = try Store.open(
                stores.folder(store), for: .read, credentials: Credentials(identities: [stores.identity]),
                machine: stores.machine)
            return DrillSource(
                store: opened, place: "\(stores.folder(store))",
                reader: try opened.imageReader("latest", ImageFilter(series: series)))
        }
    }

    /// How many images a store has.
    func images(_ name: String) throws -> Int {
        try Store.open(folder(name), for: .read, credentials: Credentials(identities: [identity]), machine: machine)
            .images().count
    }
}

/// 2026-01-05, a Monday, at midnight in UTC.
let monday: Int64 = 1_767_571_200
let hour: Int64 = 3600
let day: Int64 = 86400

func moment(
    _ now: Int64, upFor: Int64 = 30 * day, _ machine: String = "0123456789abcdef",
    offset: @escaping @Sendable (Int64) -> Int64 = { _ in 0 }
) -> Moment {
    Moment(now: now, started: now - upFor, machine: machine, clock: WallClock(offset: offset))
}
