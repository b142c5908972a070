// A store with somebody who is to govern it no more, and what he can do with what he has.

import Cryptography
import Platform
import Reporting
import Stores
import Testing

@testable import Images

/// A plant whose second governor is to go, and what he keeps: his identity and the old root key.
struct Coup {
    let plant: Plant
    let gone: AgeIdentity
    let a: MachineState
    let oldRoot: SigningKey
    let before: StoreFingerprint

    init() throws {
        plant = try Plant()
        gone = try AgeIdentity.generate()
        try plant.owned().add(.age(gone.recipient), governs: true)
        a = try plant.machine("a", group: "line")
        oldRoot = try plant.rootKey()
        before = try plant.owned().fingerprint
    }

    @discardableResult
    func rekey(writers: [String] = []) throws -> StoreFingerprint {
        try plant.owned().rekey(without: [gone.recipient.string], writers: writers) { nil }
    }

    /// Credentials with a fingerprint that somebody typed.
    func typed(_ fingerprint: StoreFingerprint, _ identities: [AgeIdentity] = []) -> Credentials {
        Credentials(identities: identities, trust: StoreTrust(expected: fingerprint))
    }

    /// Renews a machine's pin by hand.
    func renew(_ machine: MachineState, _ fingerprint: StoreFingerprint) throws {
        _ = try plant.opened(machine, for: .write, typed(fingerprint))
    }

    /// The store as who was removed sees it.
    func seenByGone(_ machine: String) throws -> Store {
        try plant.opened(plant.scratch.machine(machine), for: .read, Credentials(identities: [gone]))
    }

    /// A record that the old root key signs after one of its own.
    @discardableResult
    func forge(
        after record: StoreRecord, by rootKey: SigningKey? = nil, epoch: UInt32? = nil,
        replacing: (rootKey: SigningKey, certificates: Set<Digest>)? = nil
    ) throws -> StoreRecord {
        let sealing = try epoch == nil ? record.sealing : SealingPrivateKey.generate().publicKey
        let forged = try StoreRecord(
            after: record, store: record.store, rootKey: rootKey ?? oldRoot, epoch: epoch ?? record.epoch,
            sealing: sealing, time: 5, revoked: [],
            recipients: [StoreReader(name: gone.recipient.string, governs: true)], replacing: replacing)
        for copy in ["", ".2"] { try plant.overwrite(StoreName.record(forged) + copy, forged.encoded) }
        return forged
    }

    func replicate(to replica: BytePath, on machine: MachineState) throws {
        let findings = Findings()
        _ = try Store.replicate(
            FolderStore(plant.path), to: FolderStore(replica), images: [], credentials: Credentials(),
            machine: machine, progress: Progress(), findings: findings)
        #expect(findings.count == 0)
    }
}
