// libarchive, which only `import` and `export` need and load.

internal import CArchive
internal import CZstd
internal import Glibc
internal import Platform

/// Names and versions of the libraries that this target rests on, as they were loaded.
public var libraryVersions: [(name: String, version: String)] {
    let archive: String
    do { archive = try ArchiveLibrary.load().archive_version_details().map { String(cString: $0) } ?? "" } catch {
        archive = "\(error)"
    }
    return [("libzstd", String(cString: ZSTD_versionString())), ("libarchive", archive)]
}

/// The functions of libarchive, by their own names.
typealias ArchiveLibrary = carchive_functions

extension carchive_functions {
    /// Loaded once a process; afterwards nothing of it changes.
    private static let loaded: Result<carchive_functions, ImageError> = {
        var problem = [CChar](repeating: 0, count: 512)
        guard let functions = carchive_load(&problem, problem.count) else {
            let text = String(decoding: problem.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
            return .failure(.noArchiveLibrary(reason: text))
        }
        return .success(functions.pointee)
    }()

    /// - Throws: `ImageError.noArchiveLibrary`.
    static func load() throws -> ArchiveLibrary { try loaded.get() }

    /// After a name that it could not convert libarchive asks `errno`, and takes for its own lack of memory what any earlier call left there.
    static func forgetErrors() { errno = 0 }

    /// libarchive's error text, which says more than its status.
    func error(_ archive: OpaquePointer, _ step: String) -> ImageError {
        let text = archive_error_string(archive).map { String(cString: $0) } ?? "it is cut or damaged"
        return .library("cannot \(step) the archive: \(text)")
    }
}

/// The locale that libarchive goes by when it converts names: that of its thread.
enum ArchiveText: String {
    /// For writing: names that are UTF-8 are written as that, and only the others are marked.
    case text = "C.UTF-8"
    /// For reading: of a name in UTF-8 libarchive makes another one, composing what it is composed of, wherever it can convert it at all.
    /// Where it cannot, it hands over the bytes, and warns.
    case bytes = "C"

    func during<R>(_ body: () throws -> R) rethrows -> R {
        let locale = newlocale(LC_CTYPE_MASK, rawValue, nil)
        let before = uselocale(locale)
        defer {
            uselocale(before)
            if let locale { freelocale(locale) }
        }
        return try body()
    }
}
