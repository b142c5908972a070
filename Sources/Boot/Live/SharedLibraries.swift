// What a program needs besides itself: the libraries that the loader would load, and the interpreter of a script.

internal import Platform

struct SharedLibraries {
    private static let loaders: [BytePath] = ["/lib64/ld-linux-x86-64.so.2", "/lib/ld-linux-aarch64.so.1"]
    /// Loaded by name while a program runs, where they are there.
    static let loadedLater = ["libgcc_s.so.1", "libarchive.so.13", "libcurl.so.4", "libcrypt.so.1"]

    private let loader: BytePath?
    /// The path of each library by its name, as the loader's cache has it.
    private let known: [String: BytePath]

    init() throws {
        loader = Self.loaders.first(where: exists)
        var known: [String: BytePath] = [:]
        for line in try runProgram(["ldconfig", "-p"]).lines {
            let words = line.split(separator: " ")
            guard let name = words.first, let path = words.last, path.hasPrefix("/") else { continue }
            // The first is the one that is loaded.
            if known[String(name)] == nil { known[String(name)] = BytePath(String(path)) }
        }
        self.known = known
    }

    /// A library by its name; nil where it is not here.
    func path(of name: String) -> BytePath? { known[name] }

    /// The libraries of a program with theirs, the loader among them; nothing where it needs none.
    func needed(by program: BytePath) throws -> [BytePath] {
        guard let loader else { return [] }
        let result = try runProgram([ProgramWord(loader), "--list", ProgramWord(program)])
        // Of a script, and of a program that is linked statically.
        guard result.status == 0 else { return [] }
        return result.lines.compactMap { line in
            let words = line.split(whereSeparator: \.isWhitespace)
            return words.first { $0.hasPrefix("/") }.map { BytePath(String($0)) }
        }
    }

    /// The interpreter that the first line of a script names; nil for what is none.
    static func interpreter(of program: BytePath) throws -> BytePath? {
        var head = [UInt8](repeating: 0, count: 256)
        let count = try Descriptor.open(program).read(intoArray: &head)
        guard head.prefix(count).starts(with: Array("#!".utf8)) else { return nil }
        let line = head.prefix(count).dropFirst(2).prefix { $0 != UInt8(ascii: "\n") }
        return line.split(separator: UInt8(ascii: " ")).first.map { BytePath(Array($0)) }
    }
}
