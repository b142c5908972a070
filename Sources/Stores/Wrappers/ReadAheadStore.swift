// A store whose objects are read in large parts, the next of them before they are asked for: each call on a server costs a round trip.

/// Keeps what was read last in memory, a bounded amount of it.
public final class ReadAheadStore: ForwardingStore, @unchecked Sendable {
    private let blocks: BlockPool

    public override init(_ store: any ObjectStore) {
        blocks = BlockPool(store, threads: max(1, store.connections))
        super.init(store)
    }

    deinit { blocks.close() }

    public override func open(_ name: String, length: UInt64?) throws(StoreError) -> any ByteSource {
        let known = blocks.source(name)
        let source: any ByteSource
        if let known, length.map({ $0 == known.length }) ?? true {
            source = known
        } else {
            source = try super.open(name, length: length)
        }
        return source.length <= UInt64(BlockPool.blockLength / 4) ? source : ReadAheadSource(source, name, blocks)
    }

    public override func expect(_ name: String, length: UInt64, _ range: Range<UInt64>) {
        if length > UInt64(BlockPool.blockLength / 4) { blocks.expect(name, length: length, range) }
    }
}

private final class ReadAheadSource: ByteSource {
    private let source: any ByteSource
    private let name: String
    private let blocks: BlockPool
    var length: UInt64 { source.length }

    init(_ source: any ByteSource, _ name: String, _ blocks: BlockPool) {
        self.source = source
        self.name = name
        self.blocks = blocks
    }

    func read(at offset: UInt64, into buffer: UnsafeMutableRawBufferPointer) throws(StoreError) {
        // What reaches beyond its end the source itself refuses, and of what.
        guard offset <= length, UInt64(buffer.count) <= length - offset else {
            return try source.read(at: offset, into: buffer)
        }
        try blocks.read(source, name, at: offset, into: buffer)
    }
}
