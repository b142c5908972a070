// The plain text beside an image, NAME.txt: what it is, for whoever finds the stick in a drawer and has neither key nor program. Windows shows it.

internal import Disks
internal import Images
internal import Platform

struct MenuLabel {
    /// What the file is called that it lies beside.
    var image: String
    var host: String
    /// As it is shown.
    var time: String
    /// Vendor and product, as the firmware gives them.
    var machine: String
    /// Each disk, or folder, in lines.
    var content: [String] = []
    var used: UInt64?
    var smallestTarget: UInt64?
    /// When something in it was changed last, as it is shown; nil: nobody has looked.
    var newest: String?
    /// Recipients, or "passphrase".
    var opensWith: String
    var size: UInt64?

    private static let (hostMark, timeMark, machineMark) = ("host: ", "time: ", "machine: ")
    private static let newestMark = "newest change: "
    private static let smallestMark = "smallest disk for it, in bytes: "

    /// UTF-8 with a mark and Windows' ends of lines. Nothing in it is secret: who opens it is named by public keys.
    var bytes: [UInt8] {
        var lines = [
            "Holdfast image \(image)", Self.hostMark + host, Self.timeMark + time, Self.machineMark + machine,
        ]
        lines += content.enumerated().map { ($0.offset == 0 ? "what: " : "      ") + $0.element }
        if let used { lines.append("used: \(Text.size(used))") }
        if let newest { lines.append(Self.newestMark + newest) }
        if let smallestTarget { lines.append(Self.smallestMark + "\(smallestTarget) (\(Text.size(smallestTarget)))") }
        if let size { lines.append("the image itself: \(Text.size(size))") }
        lines.append("opens with: \(opensWith)")
        lines.append(
            "restore: start the rescue stick, or: holdfast restore --input \(image) \(smallestTarget == nil ? "--to DIR" : "--disk /dev/sdX")"
        )
        let text = lines.map { Text.withoutKeys(Text.safe($0)) + "\r\n" }.joined()
        return [0xef, 0xbb, 0xbf] + Array(text.utf8)
    }

    /// nil: one of the two is not known.
    var isOfThisHardware: Bool? {
        let here = Text.safe(HostFacts.hardwareSeries)
        if machine.isEmpty || machine == "unknown" || here == "unknown" { return nil }
        return ExactText(machine) == ExactText(here)
    }

    /// Where it lies beside an image.
    static func place(beside image: BytePath) -> BytePath {
        let ending = MenuContent.ending.utf8.count
        return BytePath(Array(image.bytes.dropLast(ending)) + Array(".txt".utf8))
    }
}

extension MenuLabel {
    /// What the text beside an image says; nil where there is none. Anybody may have written it: it is for choosing, and no more.
    init?(beside image: BytePath) {
        // One that cannot be read says nothing, and the image has its own label.
        guard let bytes = try? readRegular(Self.place(beside: image), limit: 1 << 16, followsLinks: false) else {
            return nil
        }
        let lines = String(decoding: bytes, as: UTF8.self).split(whereSeparator: \.isNewline).map(String.init)
        func value(_ mark: String) -> String? {
            lines.first { $0.hasPrefix(mark) }.map { Text.safe(String($0.dropFirst(mark.count))) }
        }
        guard let host = value(Self.hostMark), let time = value(Self.timeMark) else { return nil }
        self.init(
            image: "", host: host, time: time, machine: value(Self.machineMark) ?? "", opensWith: "")
        newest = value(Self.newestMark)
        smallestTarget = value(Self.smallestMark).flatMap { UInt64($0.prefix { $0.isASCII && $0.isNumber }) }
    }
}
