// An area for swapping: nothing in it is needed, unless a machine that sleeps has its memory there (mkswap(8); util-linux, swapheader.h).

public struct SwapArea: Sendable, Hashable {
    /// 16 bytes.
    public let id: [UInt8]
    /// Bytes, without the zeros behind them.
    public let label: [UInt8]
    /// Bytes.
    public let pageSize: Int
    /// Whether a machine sleeps in it: then all of it is needed.
    public let isHibernated: Bool

    /// nil where it is none.
    public init?(_ disk: any DiskBytes) throws {
        for size in [4096, 8192, 16384, 32768, 65536] where UInt64(size) <= disk.size {
            let page = try disk.bytes(at: 0, count: size)
            let magic = Array(page[(size - 10)...])
            // What the kernel (S1SUSPEND), or a program of before it, writes in its place until the machine is awake.
            let sleeps = [
                Array("S1SUSPEND".utf8), Array("S2SUSPEND".utf8), Array("ULSUSPEND".utf8), Array("LINHIB0001".utf8),
            ]
            let isHibernated = sleeps.contains { magic.starts(with: $0) }
            guard isHibernated || magic == Array("SWAPSPACE2".utf8) else { continue }
            id = Array(page[1036..<1052])
            label = Array(page[1052..<1068].prefix { $0 != 0 })
            pageSize = size
            self.isHibernated = isHibernated
            return
        }
        return nil
    }
}
