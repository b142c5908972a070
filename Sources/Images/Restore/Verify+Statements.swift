// What stewards have stated lies apart from images, and no image needs it: which volumes are damaged, which images are pinned, what is condemned.
// Whoever cannot read one of these goes on as if it were not there, so it is named here.

internal import Platform
internal import Reporting
internal import Stores

extension Verifier {
    /// Statements of one kind that are named. After a hundred nobody reads on: whoever can write there can put any number of them there.
    private static let (maximumNamed, maximumRead) = (20, 100)

    /// Names the statements that cannot be read.
    func checkStatements() throws {
        for kind in [ObjectName.Kind.verdict, .tombstone] {
            let listed: [ListedObject]
            do { listed = try store.listedForReading(kind) } catch {
                try ImageError.throwStop(error)
                damaged("\(kind.rawValue)/", explained(error).sentence)
                continue
            }
            var count = 0
            try inOrder(listed, threads: store.objects.smallCalls) { [store] in
                store.problem(ofStatement: $0)
            } _: {
                object, problem in
                try checkStop()
                guard let problem else { return true }
                count += 1
                if count <= Self.maximumNamed { damaged(object.name.text, problem) }
                return count < Self.maximumRead
            }
            if count > Self.maximumNamed {
                damaged(
                    "\(kind.rawValue)/",
                    "\(count - Self.maximumNamed)\(count < Self.maximumRead ? "" : " or more") further statements cannot be read"
                )
            }
        }
    }
}

extension Store {
    /// Why a statement cannot be read; nil where it can, where the keys at hand do not open it, and where it is whole and nobody with the
    /// right has signed it: then it says nothing.
    fileprivate func problem(ofStatement object: ListedObject) -> String? {
        let name = object.name
        do {
            // A tombstone that its run has not finished condemns nothing.
            if name.kind == .tombstone, try isLeftover(object) { return nil }
            let reader = try smallReader(name)
            guard reader.indexKey != nil else { return nil }
            guard let proof = try? reader.verifySignature() else {  // Why it is none is of no use to anybody.
                return reader.isAsSigned() ? nil : "it is damaged: what it states is not known"
            }
            let kind: FrameKind = name.kind == .verdict ? .verdict : .tombstone
            for frame in proof.frames where frame.kind == kind {
                let content = try reader.content(of: frame)
                // A verdict that states what this version does not know says nothing.
                if kind == .tombstone { _ = try Tombstone(decoding: content) }
            }
            return nil
        } catch {
            if let failure = ImageError.storeFailure(error), failure.reason == .refused { return nil }
            // A prune may have removed it meanwhile.
            if let now = try? listed(name), now.first == nil, now.second == nil { return nil }
            return "it cannot be read: \(explained(error).sentence)"
        }
    }
}
