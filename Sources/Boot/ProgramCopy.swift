// A copy of the program in the state, with the libraries that it ran with: what the start of the machine runs, whatever becomes of the system
// around it.
//
//     <state>/bin/holdfast            a script that starts the newest copy
//     <state>/bin/<fingerprint>/      the program, its libraries and their loader

internal import Cryptography
public import Platform

public struct ProgramCopy {
    private let folder: BytePath

    public init(state: BytePath) { folder = state.appending("bin") }

    /// Whether something of this machine's start runs it.
    public var isThere: Bool { exists(script) }

    /// What is called: it starts the newest copy.
    public var script: BytePath { folder.appending("holdfast") }

    /// Makes it the program that runs now. Next to nothing where it is already, or where the copy itself runs.
    /// - Throws: `SystemError`, with the copy as it was.
    public func bringUpToDate() throws {
        let program = try ProgramFiles.executable
        let libraries = ProgramFiles.libraries
        if ([program] + libraries).contains(where: { $0.isBelow(folder) }) { return }
        let name = try fingerprint([program] + libraries)
        let text = Self.text(
            copy: name, loader: libraries.map(\.lastComponent).first { $0.starts(with: Array("ld-".utf8)) })
        if try exists(script) && readRegular(script, limit: 1 << 16) == text { return }
        // A crash from here to the script leaves a folder that the next call writes again or removes.
        let copy = folder.appending(name)
        try makeFolders(copy, mode: 0o755)
        for library in libraries { try Self.copy(library, to: copy.appending(library.lastComponent)) }
        try Self.copy(program, to: copy.appending("holdfast"))
        // The commit point.
        try replaceFile(script, text, mode: 0o755)
        try removeOthers(than: Array(name.utf8))
    }

    /// Takes it away. What runs from it keeps its files until it ends.
    func remove() throws {
        guard exists(folder) else { return }
        try Descriptor.open(folder.parent, .directory).removeTree(folder.lastComponent)
    }

    /// What runs from one that goes keeps its files until it ends.
    private func removeOthers(than name: [UInt8]) throws {
        let all = try Descriptor.open(folder, .directory)
        let names = try DirectoryListing(of: all)
        for index in 0..<names.count where names[index] != name && names[index] != script.lastComponent {
            try all.removeTree(names[index])
        }
    }

    /// 16 hexadecimal digits over the files' places, lengths and times.
    private func fingerprint(_ files: [BytePath]) throws -> String {
        var text = ""
        for file in files {
            let status = try Descriptor.open(file, .place).status()
            text +=
                "\(hexadecimal(file.bytes)) \(status.size) \(status.modified.seconds).\(status.modified.nanoseconds)\n"
        }
        return try hexadecimal(Array(text.utf8).withUnsafeBytes { try SHA256.digest(of: $0) }.bytes.prefix(8))
    }

    /// The libraries go by the loader that came with them; a program without a loader needs none.
    private static func text(copy: String, loader: [UInt8]?) -> [UInt8] {
        let folder = "$here/\(copy)"
        let call =
            loader.map { #""\#(folder)/\#(printable($0))" --library-path "\#(folder)" "\#(folder)/holdfast""# }
            ?? #""\#(folder)/holdfast""#
        return Array(
            """
            #!/bin/sh
            # Made by `holdfast setup`: the program as it was then, with the libraries that it ran with.
            here=${0%/*}
            exec \(call) "$@"

            """.utf8)
    }

    private static func copy(_ file: BytePath, to copy: BytePath) throws {
        try replaceFile(copy, readWhole(file, limit: 1 << 28), mode: 0o755)
    }
}
