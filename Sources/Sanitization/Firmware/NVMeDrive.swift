// NVMe drives: Sanitize and Format NVM (NVM Express Base and NVM Command Set specifications).

internal import Platform

struct NVMeDrive: FirmwareDrive {
    let channel: any FirmwareChannel

    private func read(_ opcode: UInt8, namespace: UInt32, word10: UInt32, count: Int, _ name: String) throws -> [UInt8]
    {
        let reply = try channel.send(.nvme(opcode, namespace: namespace, word10: word10, reads: count))
        guard reply.status == 0, reply.data.count == count else { throw rejected(name, reply) }
        return reply.data
    }

    private func rejected(_ name: String, _ reply: FirmwareReply) -> FirmwareFailure {
        FirmwareFailure("\(name) was rejected (status 0x\(String(reply.status & 0x7ff, radix: 16)))")
    }

    private func controller() throws -> [UInt8] {
        let data = try read(0x06, namespace: 0, word10: 1, count: 4096, "Identify Controller")
        guard data[4..<64].contains(where: { $0 > 32 && $0 < 127 }) else {
            throw FirmwareFailure("the controller does not say what it is")
        }
        return data
    }

    /// Both commands may reach further than the namespace that is meant.
    private func otherNamespaces(_ controller: [UInt8]) throws -> Int {
        // Where the drive manages namespaces there may be some that this machine does not see: all that are allocated count.
        let isManaged = controller[256] & 8 != 0
        let list = try read(
            0x06, namespace: 0, word10: isManaged ? 0x10 : 2, count: 4096, "the list of namespaces")
        let own = try channel.namespace()
        return stride(from: 0, to: 4096, by: 4).map { Firmware.number(list, at: $0, count: 4) }
            .count { $0 != 0 && $0 != Int(own) }
    }

    func abilities() throws -> [FirmwareAbility] {
        let controller = try controller()
        let others = try otherNamespaces(controller)
        var result: [FirmwareAbility] = []
        let sanitize = controller[328]
        let reason =
            others == 0
            ? nil
            : "it would reach \(others) other namespace\(others == 1 ? "" : "s") of the drive; delete what need not be kept"
        let log = sanitize & 7 == 0 ? [] : (try? log()) ?? []
        for (bit, technique, offset) in [
            (1, FirmwareTechnique.sanitizeBlock, 12), (0, .sanitizeCrypto, 16), (2, .sanitizeOverwrite, 8),
        ] where sanitize & 1 << bit != 0 {
            let estimate = Firmware.number(log, at: offset, count: 4)
            result.append(
                FirmwareAbility(
                    technique: technique, level: .purge,
                    seconds: estimate == 0 || estimate == 0xffff_ffff ? nil : estimate, hindrance: reason))
        }
        // Format does not promise caches and spare blocks as Sanitize does: it counts as clear.
        if controller[256] & 2 != 0 {
            let isForAll = controller[524] & 3 != 0
            if controller[524] & 4 != 0 {
                result.append(
                    FirmwareAbility(
                        technique: .formatCrypto, level: .clear, hindrance: isForAll ? reason : nil))
            }
            result.append(
                FirmwareAbility(technique: .format, level: .clear, hindrance: isForAll ? reason : nil))
        }
        return result
    }

    func start(_ ability: FirmwareAbility, password: [UInt8]) throws {
        switch ability.technique {
        case .sanitizeBlock: try sanitize(action: 2)
        case .sanitizeCrypto: try sanitize(action: 4)
        // One pass of zeros.
        case .sanitizeOverwrite: try sanitize(action: 3 | 1 << 4)
        default: try format(secureErase: ability.technique == .formatCrypto ? 2 : 1)
        }
    }

    private func sanitize(action: UInt32) throws {
        let reply = try channel.send(.nvme(0x84, namespace: 0, word10: action))
        guard reply.status == 0 else { throw rejected("Sanitize", reply) }
    }

    /// With the format that the namespace has.
    private func format(secureErase: UInt32) throws {
        let namespace = try channel.namespace()
        let now = try read(0x06, namespace: namespace, word10: 0, count: 4096, "Identify Namespace")
        let (size, protection) = (UInt32(now[26]), UInt32(now[29]))
        let word =
            size & 0xf | (size >> 5 & 3) << 12 | (size >> 4 & 1) << 4 | (protection & 7) << 5 | (protection >> 3 & 1)
            << 8 | secureErase << 9
        let reply = try channel.send(.nvme(0x80, namespace: namespace, word10: word), seconds: 24 * 3600)
        guard reply.status == 0 else { throw rejected("Format NVM", reply) }
    }

    private func log() throws -> [UInt8] {
        try read(0x02, namespace: 0xffff_ffff, word10: 127 << 16 | 0x81, count: 512, "the sanitize log")
    }

    func state(of technique: FirmwareTechnique) throws -> FirmwareState {
        guard technique != .format, technique != .formatCrypto else { return .done }
        let log = try log()
        switch log[2] & 7 {
        case 1, 4: return .done
        case 2: return .running(UInt16(Firmware.number(log, at: 0, count: 2)))
        case 3: return .failed("the drive says that its sanitize failed")
        default: return .idle
        }
    }
}
