// A drive that answers what a file says: Testdata/firmware, whose format is told in its README.

import Platform
import Sanitization
import TestSupport

final class ReplayedDrive: FirmwareChannel {
    struct Reply {
        var status: UInt32 = 0
        var sense: [UInt8] = []
        var data: [UInt8] = []
        /// What was on the medium is gone when this is answered.
        var isErasing = false
    }

    let kind: BlockDevice.Kind
    private(set) var sent: [String] = []
    private(set) var waited = 0
    private var replies: [String: [Reply]] = [:]
    private let erase: () -> Void

    init(_ name: String, erase: @escaping () -> Void) throws {
        self.erase = erase
        let file = packageFolder.appending("Testdata/firmware/\(name).txt")
        var kind = BlockDevice.Kind.other
        var command = ""
        for line in String(decoding: try readWhole(file, limit: 1 << 20), as: UTF8.self).split(separator: "\n") {
            let words = line.split(separator: " ").map(String.init)
            switch words[0] {
            case "kind": kind = BlockDevice.Kind(rawValue: words[1]) ?? .other
            case ">": command = words.dropFirst().joined(separator: " ")
            case "<": replies[command, default: []].append(Self.reply(Array(words.dropFirst())))
            default: continue
            }
        }
        self.kind = kind
    }

    private static func reply(_ words: [String]) -> Reply {
        var reply = Reply(status: UInt32(words[0], radix: 16) ?? .max)
        var rest = words.dropFirst()
        while let word = rest.popFirst() {
            switch word {
            case "sense": reply.sense = decodeHexadecimal(rest.removeFirst()) ?? []
            case "data": reply.data = [UInt8](repeating: 0, count: Int(rest.removeFirst()) ?? 0)
            case "erases": reply.isErasing = true
            default:
                let parts = word.split(separator: "=")
                let (start, bytes) = (Int(parts[0]) ?? 0, decodeHexadecimal(String(parts[1])) ?? [])
                reply.data.replaceSubrange(start..<start + bytes.count, with: bytes)
            }
        }
        return reply
    }

    func send(_ command: FirmwareCommand, seconds: Int) throws(SystemError) -> FirmwareReply {
        func hex(_ number: UInt32) -> String {
            hexadecimal((0..<4).reversed().map { UInt8(number >> ($0 * 8) & 0xff) })
        }
        let text =
            switch command {
            case .scsi(let block, _, _): "scsi \(hexadecimal(block))"
            case .nvme(let opcode, let namespace, let word10, let word11, _):
                "nvme \(hexadecimal([opcode])) \(String(namespace, radix: 16)) \(hex(word10)) \(hex(word11))"
            case .mmc(let opcode, let argument, _, _, _): "mmc \(opcode) \(hex(argument))"
            }
        sent.append(text)
        // What the file does not know does not get through; the last answer is given again and again.
        guard var list = replies[text], let reply = list.first else {
            throw SystemError(5, "send \(text) to", "the drive")
        }
        if list.count > 1 { list.removeFirst() }
        replies[text] = list
        if reply.isErasing { erase() }
        return FirmwareReply(status: reply.status, sense: reply.sense, data: reply.data)
    }

    func namespace() throws(SystemError) -> UInt32 { 1 }
    func wait(seconds: Int) { waited += seconds }

    func hasSent(ata command: UInt8) -> Bool { sent.contains { $0.hasSuffix("40\(hexadecimal([command]))00") } }
}
