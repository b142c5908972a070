// Images that stay, whatever rules say: a statement on an image, as a verdict is one, so that it is signed, copied and read as these are.

internal import Cryptography
internal import Platform
internal import Stores

extension Store {
    /// Keeps an image, whatever rules say. Needs a steward's key, or an identity that governs.
    public func pin(_ image: ImageSummary, tool: String) throws { try state(.pinned, on: image, tool: tool) }

    /// Ends that.
    public func unpin(_ image: ImageSummary, tool: String) throws { try state(.unpinned, on: image, tool: tool) }

    private func state(_ result: Verdict.Result, on image: ImageSummary, tool: String) throws {
        do {
            let root = try self.image(image.name)
            let known = try verdicts(group: image.name.group).filter {
                $0.isPin && $0.target == root.reference && $0.writer == image.name.writer
            }
            if Self.pins(known).isEmpty == (result == .unpinned) { return }
            var verdict = Verdict(
                .image, writer: image.name.writer, target: root.reference, result: result, extent: .directories,
                tool: tool)
            // The newest one counts: this one, whatever the clocks of whoever stated the others said.
            if let time = known.map(\.time).max() { verdict.time = max(verdict.time, time.adding(saturating: 1)) }
            // Twice, as everything is there twice that cannot be made anew.
            try state([verdict, verdict], group: image.name.group)
        } catch { throw ImageError.wrapping(error, subject: subject) }
    }

    /// The images that are pinned, by their ids; of a server that lets a machine list its own group alone, of that.
    public func pinned() throws -> Set<ObjectID> {
        do {
            var verdicts: [Verdict] = []
            try inOrder(listedForReading(.verdict), threads: objects.smallCalls) { object in
                Result { try self.verdict(object.name) }
            } _: { _, verdict in
                if let verdict = try verdict.get() { verdicts.append(verdict) }
                return true
            }
            return Set(Self.pins(verdicts).map(\.target.id))
        } catch { throw ImageError.wrapping(error, subject: subject) }
    }

    /// Of each image that is pinned, the statement that says so: the newest counts, and of one time the one that keeps it.
    static func pins(_ verdicts: [Verdict]) -> [Verdict] {
        var newest: [Target: Verdict] = [:]
        for verdict in verdicts where verdict.isPin {
            let target = Target(writer: verdict.writer, root: verdict.target)
            if let other = newest[target],
                (other.time, other.result == .pinned ? 1 : 0) > (verdict.time, verdict.result == .pinned ? 1 : 0)
            {
                continue
            }
            newest[target] = verdict
        }
        return newest.values.filter { $0.result == .pinned }
    }

    private struct Target: Hashable {
        var writer: Identifier
        var root: RootReference
    }
}

extension Verdict {
    var isPin: Bool { kind == .image && (result == .pinned || result == .unpinned) }
}
