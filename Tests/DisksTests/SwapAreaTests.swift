import Disks
import Platform
import TestSupport
import Testing

@Suite struct SwapAreaTests {
    @Test(
        "Its id, label and page size are what mkswap made; one in which a machine sleeps says so",
        arguments: [4096, 65536])
    func area(_ page: Int) throws {
        let scratch = Scratch()
        let path = scratch.file("swap")
        shell("truncate -s 8M \(path); mkswap -q -p \(page) -L plant -U 01234567-89ab-cdef-0123-456789abcdef \(path)")
        var disk = MemoryDisk(try readWhole(path, limit: 8 << 20))
        let area = try #require(try SwapArea(disk))
        #expect(hexadecimal(area.id) == "0123456789abcdef0123456789abcdef" && area.label == Array("plant".utf8))
        #expect(area.pageSize == page && !area.isHibernated)
        disk.contents.replaceSubrange(page - 10..<page, with: Array("S1SUSPEND\0".utf8))
        #expect(try SwapArea(disk)?.isHibernated == true)
        disk.contents.replaceSubrange(page - 10..<page, with: Array("S9SUSPEND\0".utf8))
        #expect(try SwapArea(disk) == nil)
        #expect(try SwapArea(MemoryDisk([1, 2, 3])) == nil)
    }
}
