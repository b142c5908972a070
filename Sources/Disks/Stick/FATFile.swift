// A FAT32 file system in a file of ours, filled without mounting it (mtools), and then written to where it is to be.

internal import Glibc
internal import Platform

struct FATFile {
    let path: BytePath

    /// Makes one.
    /// - Parameters:
    ///   - start: where it will be on its medium, which its boot sector says.
    ///   - id: the volume id.
    init(_ path: BytePath, size: UInt64, start: UInt64, label: String, id: UInt32) throws {
        self.path = path
        let file = try Descriptor.open(path, [.write, .create, .exclusive])
        try file.truncate(to: Int64(clamping: size))
        let digits = String(String(UInt64(id) | 1 << 32, radix: 16).suffix(8))
        try Self.run(
            "mkfs.vfat", "-F", "32", "-n", "\(label)", "-i", "\(digits)", "-h", "\(start / StickLayout.sector)",
            ProgramWord(path))
    }

    func makeFolders(_ names: [String]) throws {
        try Self.run(["mmd", "-i", ProgramWord(path)] + names.map { "::/\($0)" })
    }

    func put(_ file: BytePath, as name: String) throws {
        try Self.run("mcopy", "-i", ProgramWord(path), ProgramWord(file), "::/\(name)")
    }

    func put(_ text: String, as name: String) throws {
        try Self.run(["mcopy", "-i", ProgramWord(path), "-", "::/\(name)"], input: Array(text.utf8))
    }

    /// Writes it to a medium: all up to the end of the root folder, and beyond that what has something in it. What was in the rest before is free
    /// room to this file system.
    func write(to target: TargetDisk, at start: UInt64, step: (UInt64) throws -> Void) throws {
        try forEachPiece { offset, piece in
            try target.write(piece, at: start + offset)  // safe: within the medium
            try step(UInt64(piece.count))
        }
    }

    /// Compares what is on a medium with it.
    /// - Returns: where the first difference is; nil where there is none.
    func difference(on target: TargetDisk, at start: UInt64, step: (UInt64) throws -> Void) throws -> UInt64? {
        var found: UInt64?
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: Self.pieceSize, alignment: 4096)
        defer { buffer.deallocate() }
        try forEachPiece { offset, piece in
            guard found == nil else { return }
            let part = UnsafeMutableRawBufferPointer(rebasing: buffer[..<piece.count])
            try target.read(into: part, at: start + offset)  // safe: as above
            if let one = part.baseAddress, let other = piece.baseAddress, memcmp(one, other, piece.count) != 0 {
                found = start + offset
            }
            try step(UInt64(piece.count))
        }
        return found
    }

    /// How many bytes `write` writes.
    func pieces() throws -> UInt64 {
        var sum: UInt64 = 0
        try forEachPiece(reading: false) { _, piece in sum += UInt64(piece.count) }  // safe: within the file
        return sum
    }

    private static let pieceSize = 1 << 20

    private func forEachPiece(reading: Bool = true, _ body: (UInt64, UnsafeRawBufferPointer) throws -> Void) throws {
        let file = try Descriptor.open(path)
        let size = Int64(clamping: try file.status().size)
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: Self.pieceSize, alignment: 4096)
        defer { buffer.deallocate() }
        let head = try headLength(file)
        func deliver(_ range: Range<Int64>) throws {
            var place = range.lowerBound
            while place < range.upperBound {
                let count = Int(min(Int64(Self.pieceSize), range.upperBound - place))  // safe: at most a piece
                let part = UnsafeMutableRawBufferPointer(rebasing: buffer[..<count])
                if reading {
                    guard try file.read(into: part, at: place) == count else {
                        throw SystemError(EIO, "read", path.description, detail: "it ends too early")
                    }
                }
                try body(UInt64(place), UnsafeRawBufferPointer(part))
                place += Int64(count)
            }
        }
        try deliver(0..<min(head, size))
        var place = head
        while place < size, let data = try file.nextData(from: place, size: size) {
            // Whole sectors, as the file system has them.
            let range = max(head, data.lowerBound)..<min(size, (data.upperBound + 511) / 512 * 512)
            try deliver(range)
            place = range.upperBound
        }
    }

    /// Bytes up to the end of the first cluster, which is the root folder's (Microsoft, FAT32 specification 1.03, 3).
    private func headLength(_ file: Descriptor) throws -> Int64 {
        var sector = [UInt8](repeating: 0, count: 512)
        _ = try file.read(intoArray: &sector)
        let reserved = Int64(sector.little(UInt16.self, at: 14))
        let copies = Int64(sector[16])
        let length = Int64(sector.little(UInt32.self, at: 36))
        let cluster = Int64(sector[13])
        return (reserved + copies * length + cluster) * 512  // safe: of numbers of 8, 16 and 32 bits
    }

    // MARK: Programs

    @discardableResult
    private static func run(_ words: ProgramWord...) throws -> [UInt8] { try run(words) }

    @discardableResult
    static func run(_ words: [ProgramWord], input: [UInt8]? = nil) throws -> [UInt8] {
        let result = try runProgram(words, input: input)
        guard result.status == 0 else {
            throw StickError.program(words[0].shown, status: result.status, complaint: result.complaint)
        }
        return result.output
    }
}
