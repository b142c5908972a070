// ATA drives: SANITIZE DEVICE and SECURITY ERASE UNIT (ATA Command Set), through ATA PASS-THROUGH(16) (SCSI/ATA Translation).
//
// An answer counts only where it says that the command came to a good end: translators that swallow commands, answer with zeros or
// without registers are known.

internal import Platform

struct ATADrive: FirmwareDrive {
    let channel: any FirmwareChannel
    /// As the kernel knows it: whoever answers has to be the same.
    let serial: String

    // MARK: What it says of itself

    /// IDENTIFY DEVICE, a word at a time.
    struct Identity {
        var bytes: [UInt8]
        subscript(word: Int) -> Int { Firmware.number(bytes, at: 2 * word, count: 2) }

        var serial: String { text(words: 10..<20) }
        var model: String { text(words: 27..<47) }
        /// The nominal rotation rate; 1 is a drive that does not rotate.
        var isMagnetic: Bool { self[217] > 1 && self[217] < 0xffff }
        var hasSecurity: Bool { self[128] & 1 != 0 }
        var isEnabled: Bool { self[128] & 2 != 0 }
        var isLocked: Bool { self[128] & 4 != 0 }
        var isFrozen: Bool { self[128] & 8 != 0 }
        var isExpired: Bool { self[128] & 16 != 0 }
        var isEnhanced: Bool { self[128] & 32 != 0 }

        /// In the bytes of a word the second comes first.
        private func text(words: Range<Int>) -> String {
            let characters = words.flatMap { [bytes[2 * $0 + 1], bytes[2 * $0]] }
            return String(decoding: characters.filter { $0 > 32 && $0 < 127 }, as: UTF8.self)
        }

        /// Minutes that an erase takes, as words 89 and 90 have them: in steps of two.
        func seconds(word: Int) -> Int? {
            let value = self[word]
            let steps = value & 0x8000 != 0 ? value & 0x7fff : value & 0xff
            return steps == 0 ? nil : steps * 120
        }
    }

    func identity() throws -> Identity {
        let reply = try channel.send(.scsi(Self.block(command: 0xec, direction: .reads), reads: 512))
        guard reply.status == 0, reply.data.count == 512 else { throw rejected("IDENTIFY DEVICE", reply) }
        let identity = Identity(bytes: reply.data)
        guard !identity.model.isEmpty else {
            throw FirmwareFailure("what is in front of the drive does not let ATA commands through")
        }
        // Where there is a checksum, it has to hold (word 255).
        if reply.data[510] == 0xa5, reply.data.reduce(UInt8(0), { $0 &+ $1 }) != 0 {
            throw FirmwareFailure("the answer to IDENTIFY DEVICE is damaged")
        }
        guard serial.isEmpty || identity.serial == serial.filter({ $0 != " " }) else {
            throw FirmwareFailure("another drive answers (serial number \(identity.serial))")
        }
        return identity
    }

    func abilities() throws -> [FirmwareAbility] {
        let identity = try identity()
        var result: [FirmwareAbility] = []
        if identity[59] & 1 << 12 != 0 {
            let count = try? sanitizeRegisters().count
            let reason: String? =
                count == nil
                ? "what is in front of it does not tell how a sanitize goes"
                : (count ?? 0) & 1 << 13 != 0
                    ? "its sanitize commands are frozen; take its power away and give it back, then repeat" : nil
            for (bit, technique) in [
                (15, FirmwareTechnique.sanitizeBlock), (13, .sanitizeCrypto), (14, .sanitizeOverwrite),
            ] where identity[59] & 1 << bit != 0 {
                result.append(FirmwareAbility(technique: technique, level: .purge, hindrance: reason))
            }
        }
        guard identity.hasSecurity else { return result }
        let reason: String? =
            identity.isLocked
            ? "it is locked with a password"
            : identity.isEnabled
                ? "a password is set that is not ours"
                : identity.isFrozen
                    ? "it is frozen; suspend the machine and wake it, or plug the drive in while it runs, then repeat"
                    : identity.isExpired ? "too many attempts to unlock it; take its power away and give it back" : nil
        // For flash it reaches no further than clear (SP 800-88 Rev. 1, table A-8).
        if identity.isEnhanced {
            result.append(
                FirmwareAbility(
                    technique: .securityEraseEnhanced, level: identity.isMagnetic ? .purge : .clear,
                    seconds: identity.seconds(word: 90), hindrance: reason))
        }
        result.append(
            FirmwareAbility(
                technique: .securityErase, level: .clear, seconds: identity.seconds(word: 89), hindrance: reason))
        return result
    }

    // MARK: Erasing

    func start(_ ability: FirmwareAbility, password: [UInt8]) throws {
        switch ability.technique {
        case .sanitizeBlock: try sanitize(feature: 0x12, key: 0x426b_4572)
        case .sanitizeCrypto: try sanitize(feature: 0x11, key: 0x4372_7970)
        // One pass of zeros.
        case .sanitizeOverwrite: try sanitize(feature: 0x14, count: 1, key: 0x4f57_0000_0000)
        default: try eraseUnit(ability, password)
        }
    }

    private func sanitize(feature: UInt16, count: UInt16 = 0, key: UInt64) throws {
        _ = try registers(Self.block(command: 0xb4, feature: feature, count: count, address: key), "SANITIZE DEVICE")
    }

    /// A password is set, and goes with the erase; where it does not, it is taken away.
    private func eraseUnit(_ ability: FirmwareAbility, _ password: [UInt8]) throws {
        let isEnhanced = ability.technique == .securityEraseEnhanced
        do {
            try write(0xf1, Self.page(password), "SECURITY SET PASSWORD")
            guard try identity().isEnabled else { throw FirmwareFailure("it did not take the password") }
            _ = try registers(Self.block(command: 0xf3), "SECURITY ERASE PREPARE")
            let seconds = ability.seconds.map { max(3600, 2 * $0) } ?? 48 * 3600
            try write(0xf4, Self.page(password, isEnhanced: isEnhanced), "SECURITY ERASE UNIT", seconds: seconds)
            if try identity().isEnabled {
                throw FirmwareFailure("the password outlived the erase, which was none then")
            }
        } catch let cause {
            do {
                try cleanUp(password: password)
            } catch {
                throw FirmwareFailure("\(cause); \(error)", leavesPassword: true)
            }
            throw cause
        }
    }

    /// - Throws: always a `FirmwareFailure` that says that the password may still be there.
    func cleanUp(password: [UInt8]) throws {
        let now: Identity
        do { now = try identity() } catch {
            throw FirmwareFailure(
                "whether the password that was set is still there cannot be told (\(error))", leavesPassword: true)
        }
        guard now.isEnabled else { return }
        if now.isFrozen {
            throw FirmwareFailure(
                "our password is set, and it is frozen: take its power away and give it back", leavesPassword: true)
        }
        if now.isLocked { try? write(0xf2, Self.page(password), "SECURITY UNLOCK") }
        try? write(0xf6, Self.page(password), "SECURITY DISABLE PASSWORD")
        if (try? identity().isEnabled) != false {
            throw FirmwareFailure("the password that was set could not be taken away", leavesPassword: true)
        }
    }

    func state(of technique: FirmwareTechnique) throws -> FirmwareState {
        if technique.setsPassword { return .done }
        let registers = try sanitizeRegisters()
        // COUNT: 15 came to a good end, 14 goes on.
        if registers.count & 1 << 14 != 0 { return .running(UInt16(truncatingIfNeeded: registers.address)) }
        if registers.count & 1 << 15 != 0 { return .done }
        return .idle
    }

    // MARK: Commands

    struct Registers: Hashable {
        var status: UInt8
        var count: UInt16
        var address: UInt64
    }

    private enum Direction: UInt8 {
        // Protocol and flags: no data, and the registers come back (CK_COND); or one block, in or out.
        case none = 0x03
        case reads = 0x04
        case writes = 0x05
        var flags: UInt8 { self == .none ? 0x20 : self == .reads ? 0x0e : 0x06 }
    }

    private static func block(
        command: UInt8, feature: UInt16 = 0, count: UInt16 = 0, address: UInt64 = 0, direction: Direction = .none
    ) -> [UInt8] {
        let isExtended = command == 0xb4
        func part(_ value: some BinaryInteger, _ shift: Int) -> UInt8 { UInt8(truncatingIfNeeded: value >> shift) }
        let blocks = direction == .none ? count : 1
        return [
            0x85, direction.rawValue << 1 | (isExtended ? 1 : 0), direction.flags, part(feature, 8), part(feature, 0),
            part(blocks, 8), part(blocks, 0), part(address, 24), part(address, 0), part(address, 32), part(address, 8),
            part(address, 40), part(address, 16), 0x40, command, 0,
        ]
    }

    /// A password of 32 bytes for the user's identity, as SECURITY commands have it.
    private static func page(_ password: [UInt8], isEnhanced: Bool = false) -> [UInt8] {
        [isEnhanced ? 2 : 0, 0] + password.prefix(32) + [UInt8](repeating: 0, count: 510 - min(32, password.count))
    }

    private func write(_ command: UInt8, _ page: [UInt8], _ name: String, seconds: Int = 20) throws {
        let reply = try channel.send(
            .scsi(Self.block(command: command, direction: .writes), writes: page), seconds: seconds)
        guard reply.status == 0 else { throw rejected(name, reply) }
    }

    /// Runs a command without data. Only registers that say so are a success.
    private func registers(_ block: [UInt8], _ name: String) throws -> Registers {
        let reply = try channel.send(.scsi(block))
        guard let registers = Self.registers(in: reply.sense) else {
            throw FirmwareFailure("\(name): the drive does not say what came of it")
        }
        guard registers.status & 0x21 == 0 else { throw rejected(name, reply) }
        return registers
    }

    private func sanitizeRegisters() throws -> Registers {
        try registers(Self.block(command: 0xb4), "SANITIZE STATUS")
    }

    private func rejected(_ name: String, _ reply: FirmwareReply) -> FirmwareFailure {
        let isDescriptor = (reply.sense.first ?? 0) & 0x7f >= 0x72
        let key = reply.sense.dropFirst(isDescriptor ? 1 : 2).first
        return FirmwareFailure("\(name) was rejected" + (key.map { " (sense key \($0 & 0x0f))" } ?? ""))
    }

    /// The registers after a command, from the descriptor that holds all of them; the fixed format leaves out what tells how a sanitize
    /// goes, and kernels differ in where they put the rest.
    static func registers(in sense: [UInt8]) -> Registers? {
        guard sense.count >= 8, sense[0] & 0x7f == 0x72 || sense[0] & 0x7f == 0x73 else { return nil }
        var position = 8
        while position + 14 <= sense.count {
            let part = Array(sense[position...])
            if part[0] == 0x09, part[1] >= 12 {
                let address = [7, 9, 11, 6, 8, 10].enumerated()
                    .reduce(UInt64(0)) { $0 | UInt64(part[$1.element]) << (8 * $1.offset) }
                return Registers(
                    status: part[13], count: UInt16(part[4]) << 8 | UInt16(part[5]), address: address)
            }
            position += Int(part[1]) + 2
        }
        return nil
    }
}
