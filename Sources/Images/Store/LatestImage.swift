// The newest image of a series, as far as the keys at hand can tell. Where they cannot, nothing older is taken for it.

internal import Cryptography
internal import Platform
internal import Reporting

extension Store {
    /// The newest of a series: of the one that was named, of this machine's own, or of the only one.
    /// - Parameters:
    ///   - images: those that the filter means.
    ///   - all: those of which it cannot be seen whether they are meant, too.
    ///   - forContent: whether an identity that is at hand has to open its content.
    func latest(
        _ images: [ImageSummary], _ filter: ImageFilter, among all: [ImageSummary], forContent: Bool
    ) throws -> ImageSummary {
        var pool = Dictionary(grouping: images.filter(\.counts)) { ExactText($0.label?.series ?? "") }
        if filter.isEmpty, pool.count > 1, let own = keyring.writer?.certificate {
            let ofMachine = pool.filter { own.covers(series: $0.key.text) }
            if !ofMachine.isEmpty { pool = ofMachine }
        }
        func newest(_ images: [ImageSummary]) -> [ImageSummary] {
            let last = images.map { $0.label?.sequence ?? 0 }.max()
            return images.filter { $0.label?.sequence == last }
        }
        guard let series = pool.first else {
            // That there is none is not known where some cannot be opened.
            if let failure = all.last(where: \.isSealed)?.failure { throw failure }
            throw filter.isEmpty ? ImageError.noSuchImage(name: "latest") : noImage(of: filter, all)
        }
        if pool.count > 1 {
            let all = pool.values.compactMap { newest($0).first }
                .sorted { ExactText($0.label?.series ?? "") < ExactText($1.label?.series ?? "") }
            throw ImageError.ambiguousImage(name: "latest", candidates: all.map(Self.describe))
        }
        let found = newest(series.value)
        guard var only = found.first, found.count == 1 else {
            throw ImageError.twoNewest(series: series.key.text, images: found.map(\.id.short))
        }
        if forContent, !opensContent(only) {
            let opened = series.value.filter(opensContent).max {
                $0.label?.sequence ?? 0 < $1.label?.sequence ?? 0
            }
            guard let opened else { throw wrongIdentity(only.name, epoch: only.epoch ?? 0) }
            throw ImageError.sealedNewest(
                series: series.key.text, opened: opened.id.short, sealed: [only.id.short])
        }
        let sealed = try all.filter { try mayBeNewer($0, than: only, series: series.key.text) }
        if !sealed.isEmpty {
            throw ImageError.sealedNewest(
                series: series.key.text, opened: only.id.short, sealed: sealed.map(\.id.short))
        }
        only.note = remark(on: only, images, among: all)
        return only
    }

    /// Whether an identity opens the content, where one is at hand. A machine's own key opens the labels of all epochs, and an identity that
    /// was removed nothing that was written since.
    func opensContent(_ image: ImageSummary) -> Bool {
        guard keyring.secret != nil, let epoch = image.epoch else { return true }
        return keyring.sealing(epoch: epoch) != nil
    }

    func wrongIdentity(_ name: ObjectName, epoch: UInt32) -> ImageError {
        .wrongIdentity(store: "\(describe(name)), which was written in epoch \(epoch)")
    }

    /// Whether an image that the keys at hand do not open may be the newest of this series. Its signature is open: it names who wrote it,
    /// and which series that one may write. Keys of an earlier epoch than those of the image that was found cannot have made a newer one.
    private func mayBeNewer(_ image: ImageSummary, than found: ImageSummary, series: String) throws -> Bool {
        guard image.isSealed, image.epoch ?? .max >= found.epoch ?? 0 else { return false }
        // What nobody with the right has signed is no image.
        guard let proof = try? smallReader(image.name).verifySignature() else { return false }
        return objection(
            writer: image.name.writer, reference: RootReference(id: image.id, digest: proof.digest), series: series,
            isCovered: proof.certificate.covers(series: series)) == nil
    }

    /// Newer images that are passed over: one that was not finished, or of which the label is damaged.
    private func remark(on found: ImageSummary, _ images: [ImageSummary], among all: [ImageSummary]) -> Finding? {
        func sequence(_ image: ImageSummary) -> UInt64 { image.label?.sequence ?? 0 }
        let unfinished = images.filter {
            $0.isUnfinished && $0.problem == nil && $0.label?.isOf(series: found.label?.series ?? "") == true
                && sequence($0) > sequence(found)
        }
        if let newer = unfinished.max(by: { sequence($0) < sequence($1) }), let label = newer.label {
            return Finding(
                .note, subject: subject,
                "a newer image, \(newer.id.short) of \(label.time.localText), is unfinished (only its second copy is there): "
                    + "`restore \(newer.id.short)` takes it")
        }
        let damaged = all.filter { $0.isDamaged && $0.label == nil && $0.name.writer == found.name.writer }
        if damaged.isEmpty { return nil }
        return Finding(
            .damaged, subject: subject,
            "\(damaged.count == 1 ? "an image" : "images") of the same machine that cannot be read may be newer than "
                + "\(found.id.short): \(damaged.map(\.id.short).joined(separator: ", "))")
    }
}

extension ImageSummary {
    /// What whoever reads the image is told.
    var remarks: [Finding] {
        let unfinished = Finding(
            .damaged, subject: "image \(id.short)",
            "only its second copy is there: its run ended before it was finished, or the first one was removed")
        return lost + (note.map { [$0] } ?? []) + (isUnfinished ? [unfinished] : [])
    }
}
