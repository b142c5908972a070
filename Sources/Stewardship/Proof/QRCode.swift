// A QR code as a picture in a page. It may hold a secret: what is on the way to the picture is erased.

internal import CQRCode
internal import Cryptography
internal import Glibc
public import Reporting

struct QRCode {
    /// An SVG, which its caller erases.
    /// - Parameter text: letters in capitals and digits take the least room.
    static func svg(of text: UnsafeRawBufferPointer) throws -> [UInt8] {
        let library = try load()
        // With the zero that ends it.
        let input = Secret(count: text.count + 1) { copy in
            copy.copyMemory(from: text)
            copy[text.count] = 0
        }
        let made = input.withUnsafeBytes { bytes in
            // A quarter of it may be lost to a fold or a stain.
            bytes.bindMemory(to: CChar.self).baseAddress.flatMap {
                library.QRcode_encodeString($0, 0, QR_ECLEVEL_Q, QR_MODE_8, 1)
            }
        }
        guard let made else { throw KeySheetError.noCode(reason: "it did not encode the key (error \(errno))") }
        defer { library.QRcode_free(made) }
        let width = Int(made.pointee.width)
        guard let data = made.pointee.data, width > 0 else { throw KeySheetError.noCode(reason: "it is empty") }
        let modules = UnsafeMutableBufferPointer(start: data, count: width * width)
        defer { explicit_bzero(data, modules.count) }
        return svg(modules, width: width)
    }

    /// The lowest bit of a module says whether it is dark. Around it four are light, as its readers want it.
    private static func svg(_ modules: UnsafeMutableBufferPointer<UInt8>, width: Int) -> [UInt8] {
        let side = width + 8
        var svg: [UInt8] = []
        // All the room at once: growing would leave copies behind.
        svg.reserveCapacity(width * width * 16 + 512)
        svg += Array(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 \(side) \(side)\" shape-rendering=\"crispEdges\"><rect width=\"\(side)\" height=\"\(side)\" fill=\"#fff\"/><path fill=\"#000\" d=\""
                .utf8)
        for row in 0..<width {
            for column in 0..<width where modules[row * width + column] & 1 == 1 {
                svg += Array("M\(column + 4) \(row + 4)h1v1h-1z".utf8)
            }
        }
        svg += Array("\"/></svg>".utf8)
        return svg
    }

    private static let loaded: Result<cqrcode_functions, KeySheetError> = {
        var problem = [CChar](repeating: 0, count: 512)
        guard let functions = cqrcode_load(&problem, problem.count) else {
            let text = String(decoding: problem.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
            return .failure(.noCode(reason: text))
        }
        return .success(functions.pointee)
    }()

    private static func load() throws -> cqrcode_functions { try loaded.get() }
}

public enum KeySheetError: Explained, Hashable {
    /// The library that makes the code is not there.
    case noCode(reason: String)
    /// A backup would take it along.
    /// - Parameter by: which one: "the job plant".
    case inSource(place: String, source: String, by: String)
    /// Something is there that is no file of its own.
    case noFile(place: String)

    public var description: String {
        switch self {
        case .noCode(let reason): "the QR code cannot be made: \(reason)"
        case .inSource(let place, let source, let by):
            "\(place) lies in \(source), which \(by) takes along: whoever reads its images would have the key"
        case .noFile(let place): "\(place) is a link, or no file"
        }
    }

    public var mend: String? {
        switch self {
        case .noCode: "`apt-get install libqrencode4` brings what makes it"
        case .inSource: "give a place in memory, as /dev/shm/sheet.html, print it there, and remove it"
        case .noFile: "give another file"
        }
    }

    public var exitStatus: Int32 { if case .noCode = self { 1 } else { 4 } }
}
