// The record of a trial on the disk: two copies, and room that the counter takes where the disk is full.

internal import Machine
internal import Platform

extension StateArea {
    /// More than every record of a trial and of its return take.
    private static let reserveLength = 1 << 20

    private var trialFile: BytePath { journalFolder.appending(Journal.Entry.trial.name) }
    private var secondTrialFile: BytePath { journalFolder.appending("trial.2.json") }
    private var trialReserve: BytePath { journalFolder.appending("trial.reserve") }

    /// - Throws: `PointError.damagedState` where neither copy can be read.
    func readTrial() throws -> Trial? {
        let (first, second) = (Result { try readTrial(trialFile) }, Result { try readTrial(secondTrialFile) })
        for copy in [first, second] {
            if case .failure(let error as PointError) = copy, case .newerState = error { throw error }
        }
        switch (first, second) {
        case (.success(let one?), .success(let other?)): return other.revision > one.revision ? other : one
        case (.success(let trial?), _), (_, .success(let trial?)): return trial
        case (.failure(let error), _), (_, .failure(let error)): throw error
        case (.success(nil), .success(nil)): return nil
        }
    }

    private func readTrial(_ file: BytePath) throws -> Trial? { try read(file) }

    /// Durable on return. A crash between the two copies leaves the change done.
    func write(_ trial: inout Trial) throws {
        // Only a file that was made up has one that large.
        trial.revision = trial.revision < 1 << 40 ? trial.revision + 1 : 1
        try Journal(state: folder).make()
        for file in [trialFile, secondTrialFile] {
            do { try write(trial, to: file) } catch let error as SystemError {
                guard error.isFull, exists(trialReserve) else { throw error }
                try giveTrialReserve()
                try write(trial, to: file)
            }
        }
    }

    /// The room goes to whoever writes next: the counter, or the return.
    func giveTrialReserve() throws {
        guard exists(trialReserve) else { return }
        try removeFile(trialReserve)
        try Descriptor.open(journalFolder, .directory).synchronizeFileSystem()
    }

    /// - Throws: where there is no room for it: then no trial is begun.
    func keepTrialReserve() throws {
        try Journal(state: folder).make()
        if exists(trialReserve) {
            // A crash may have left a part of it.
            let size = try Descriptor.open(trialReserve, [.place, .noFollow]).status().size
            if size == Self.reserveLength { return }
            try removeFile(trialReserve)
        }
        try writeNew(trialReserve, [UInt8](repeating: 0x52, count: Self.reserveLength))
    }

    /// The second copy first: a crash leaves the record as it was, and this is repeated.
    func removeTrial() throws {
        guard exists(journalFolder) else { return }
        let folder = try Descriptor.open(journalFolder, .directory)
        // Whatever has the name: a folder is damage, and goes as well.
        for file in [trialReserve, secondTrialFile, trialFile] { try folder.removeTree(file.lastComponent) }
        try synchronizeFolder(journalFolder)
    }
}
