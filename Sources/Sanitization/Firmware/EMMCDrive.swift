// eMMC: everything is erased, and then what was ever unmapped is made unreadable (JEDEC JESD84-B51, 6.6.9 and 6.6.12).

internal import Platform

struct EMMCDrive: FirmwareDrive {
    let channel: any FirmwareChannel

    /// How an answer is read: present, with checksum and opcode (R1); with the wait for the card (R1b); with data.
    private static let answer: UInt32 = 0x15
    private static let waiting: UInt32 = 0x1d
    private static let data: UInt32 = 0x35
    /// Errors that a status can tell (R1), apart from what says how the card is.
    private static let errors: UInt32 = 0xfdf9_a080

    private func registers() throws -> [UInt8] {
        let reply = try channel.send(.mmc(8, argument: 0, flags: Self.data, reads: 512))
        guard reply.status & Self.errors == 0, reply.data.count == 512, reply.data.contains(where: { $0 != 0 }) else {
            throw FirmwareFailure("the card does not tell its registers")
        }
        return reply.data
    }

    func abilities() throws -> [FirmwareAbility] {
        // SEC_FEATURE_SUPPORT, SEC_SANITIZE.
        let registers = try registers()
        guard registers[231] & 1 << 6 != 0 else { return [] }
        let isSmall = Firmware.number(registers, at: 212, count: 4) <= 1 << 22
        return [
            FirmwareAbility(
                technique: .sanitizeBlock, level: .purge,
                hindrance: isSmall ? "a card of 2 GiB or less counts in bytes, which is not supported" : nil)
        ]
    }

    func start(_ ability: FirmwareAbility, password: [UInt8]) throws {
        let sectors = Firmware.number(try registers(), at: 212, count: 4)
        guard sectors > 0 else { throw FirmwareFailure("the card does not tell its size in sectors") }
        try run(35, argument: 0, flags: Self.answer, "ERASE_GROUP_START")
        try run(36, argument: UInt32(sectors - 1), flags: Self.answer, "ERASE_GROUP_END")
        try run(38, argument: 0, flags: Self.waiting, "ERASE", seconds: 3600)
        // SWITCH, write a byte: SANITIZE_START.
        try run(6, argument: 3 << 24 | 165 << 16 | 1 << 8 | 1, flags: Self.waiting, "SANITIZE", seconds: 4 * 3600)
        // What came of it is told by the status after it.
        try run(13, argument: 1 << 16, flags: Self.answer, "SANITIZE", isChange: false)
    }

    private func run(
        _ opcode: UInt32, argument: UInt32, flags: UInt32, _ name: String, seconds: Int = 20, isChange: Bool = true
    ) throws {
        let reply = try channel.send(
            .mmc(opcode, argument: argument, flags: flags, isChange: isChange), seconds: seconds)
        guard reply.status & Self.errors == 0 else {
            throw FirmwareFailure("\(name) was rejected (status 0x\(String(reply.status, radix: 16)))")
        }
    }

    func state(of technique: FirmwareTechnique) throws -> FirmwareState { .done }
}
