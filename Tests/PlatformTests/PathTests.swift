// Names are bytes, and what people see of them cannot deceive.

import Platform
import Testing

@Suite struct PathTests {
    @Test(
        "A path is made absolute by its text alone",
        arguments: [
            ("a/b", "/x", "/x/a/b"), ("/a/../b", "/x", "/b"), ("../..", "/x", "/"), (".", "/x/y", "/x/y"),
            ("a//b/./c/", "/", "/a/b/c"), ("/../../etc", "/x", "/etc"),
        ])
    func normalized(path: String, base: String, expected: String) {
        #expect(BytePath(path).normalized(relativeTo: BytePath(base)) == BytePath(expected))
    }

    @Test(
        "A name with control characters, or that is no text, is shown so that it cannot play tricks",
        arguments: [
            (Array("plain name".utf8), "plain name"), (Array("Größe".utf8), "Größe"), ([0x61, 0x0a, 0x62], "a\\x0ab"),
            ([0x1b, 0x5b, 0x32, 0x4a], "\\x1b[2J"), ([0xff, 0x61], "\\xffa"), ([0xc3], "\\xc3"),
            (Array("a\\b".utf8), "a\\\\b"), (Array("a\u{202e}b".utf8), "a\\xe2\\x80\\xaeb"),
        ] as [([UInt8], String)])
    func shown(bytes: [UInt8], expected: String) { #expect(printable(bytes) == expected) }

    @Test("A folder and a last component are told by the text")
    func parts() {
        #expect(BytePath("/a/b").parent == "/a")
        #expect(BytePath("/a").parent == "/")
        #expect(BytePath("a").parent == ".")
        #expect(BytePath("/a/b/").lastComponent == Array("b".utf8))
    }

    @Test("Names come in the order of their bytes, whatever they are")
    func listing() throws {
        let root = BytePath("/tmp/holdfast-listing-\(Timestamp.now().nanoseconds)")
        try makeFolders(root)
        let names: [[UInt8]] = [[0x62], [0x61, 0xff], [0x61], [0x41], [0xff], Array(repeating: 0x7a, count: 255)]
        for name in names { try writeNew(root.appending(name), []) }
        let folder = try Descriptor.open(root, .directory)
        let listing = try DirectoryListing(of: folder)
        #expect(Array(listing) == names.sorted { $0.lexicographicallyPrecedes($1) })
        for name in names { try folder.remove(name) }
        try Descriptor.open(root.parent, .directory).remove(root.lastComponent, directory: true)
    }

    @Test("A file is replaced whole, and a new one never takes another's place")
    func wholeFiles() throws {
        let path = BytePath("/tmp/holdfast-whole-\(Timestamp.now().nanoseconds)")
        try writeNew(path, [1, 2, 3])
        #expect(throws: SystemError.self) { try writeNew(path, [4]) }
        try replaceFile(path, [5, 6])
        #expect(try readWhole(path, limit: 2) == [5, 6])
        #expect(throws: SystemError.self) { try readWhole(path, limit: 1) }
        try removeFile(path)
    }
}

@Suite struct QueueTests {
    @Test("A queue hands out everything in order, and lets nobody wait for ever once it is closed")
    func order() {
        let queue = BoundedQueue<Int>(capacity: 3)
        let producer = WorkerThread {
            for number in 0..<1000 { queue.push(number) }
            queue.close()
        }
        var received: [Int] = []
        while let number = queue.pop() { received.append(number) }
        producer.join()
        #expect(received == Array(0..<1000))
        #expect(queue.push(1) == false)
    }
}
