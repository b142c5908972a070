// Names are bytes, and what people see of them cannot deceive.

import Glibc
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

@Suite struct ProgramTests {
    @Test("A program gets the bytes of a path, whatever is shown of it, alone and inside of other text")
    func words() throws {
        for name in [Array("a\\x2db".utf8), [0x61, 0xff, 0x0a], Array("Größe".utf8)] {
            let path = BytePath("/x").appending(name)
            let result = try runProgram(["printf", "%s|%s", ProgramWord(path), "of=\(path),\(7)"])
            #expect(result.output == path.bytes + Array("|of=".utf8) + path.bytes + Array(",7".utf8))
        }
    }

    @Test("A program is taken from the system's folders alone, and one that is missing is named with its package")
    func places() throws {
        let folder = BytePath("/tmp/holdfast-programs-\(Timestamp.now().nanoseconds)")
        try makeFolders(folder)
        try writeNew(folder.appending("holdfast-no-such"), Array("#!/bin/sh\necho planted\n".utf8), mode: 0o755)
        let before = try HostFacts.workingFolder
        defer {
            _ = before.withCString { chdir($0) }
            _ = try? runProgram(["rm", "-rf", "--", ProgramWord(folder)])
        }
        _ = folder.withCString { chdir($0) }
        let path = HostFacts.environment("PATH")
        _ = folder.withCString { setenv("PATH", $0, 1) }
        defer { _ = path?.withCString { setenv("PATH", $0, 1) } }
        for name: ProgramWord in ["holdfast-no-such", "./holdfast-no-such", ""] {
            #expect(throws: SystemError.self) { try runProgram([name]) }
        }
        #expect(try runProgram(["pwd"]).lines == ["/"])
        setenv("HOLDFAST_SECRET", "x", 1)
        #expect(try runProgram(["env"]).lines == ["LC_ALL=C", "PATH=/usr/sbin:/usr/bin:/sbin:/bin"])
        #expect(SystemError.missingProgram("btrfs").subject.contains("btrfs-progs"))
    }

    @Test("The table of file systems is read and written by bytes: blanks, backslashes and what is no text")
    func table() {
        for name in [Array("a b".utf8), Array("a\\040b".utf8), [0x61, 0xff], Array("#a\tb".utf8)] {
            let entry = FileSystemTable.Entry(
                device: "/dev/sda 1", point: BytePath("/mnt").appending(name), options: ["subvolid=5", "ro"])
            let line = FileSystemTable.line(entry, type: "btrfs")
            #expect(line.count { $0 == 0x20 } == 5)
            #expect(FileSystemTable.entries(in: Array("# one\n".utf8) + line) == [entry])
        }
    }

    @Test("No source makes a name, a word or a comparison of what is shown of a path")
    func noShownNames() throws {
        let sources = BytePath(#filePath).parent.parent.parent.appending("Sources")
        let found = try runProgram(["grep", "-rnE", "--include=*.swift", "description", ProgramWord(sources)]).lines
        // An object's id is shown as it is written in names: it is no path.
        let misuses = ["runProgram(", " run(", "ZFS.run(", "ProgramWord(", "BytePath(", "replaceLink("]
        let wrong = found.filter { line in
            let isComparison = line.contains(".description ==") && !line.contains(".id.description ==")
            return line.contains(".description") && misuses.contains { line.contains($0) } || isComparison
        }
        #expect(wrong.isEmpty)
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
