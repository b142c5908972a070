// What is said to the firmware of a drive, and what it answers: one command at a time, as bytes. Everything that judges an answer works on
// these alone, so that answers can be replayed that no drive at hand gives.

internal import CLinux
internal import Glibc
package import Platform

package enum FirmwareCommand: Hashable, Sendable {
    /// A SCSI command block; `writes` goes to the device, else `reads` bytes come from it.
    case scsi([UInt8], writes: [UInt8] = [], reads: Int = 0)
    /// An NVMe admin command.
    case nvme(UInt8, namespace: UInt32, word10: UInt32, word11: UInt32 = 0, reads: Int = 0)
    /// An eMMC command with the flags of its answer; `isChange` is what the kernel calls writing.
    case mmc(UInt32, argument: UInt32, flags: UInt32, isChange: Bool = false, reads: Int = 0)
}

package struct FirmwareReply: Hashable, Sendable {
    /// The status of the SCSI or NVMe command, 0 for success; the first word of an eMMC answer.
    package var status: UInt32
    package var sense: [UInt8]
    package var data: [UInt8]

    package init(status: UInt32, sense: [UInt8] = [], data: [UInt8] = []) {
        self.status = status
        self.sense = sense
        self.data = data
    }
}

package protocol FirmwareChannel {
    /// - Parameter seconds: how long the command may take.
    /// - Throws: where the command did not get through.
    func send(_ command: FirmwareCommand, seconds: Int) throws(SystemError) -> FirmwareReply
    /// The namespace of an NVMe drive that the device is.
    func namespace() throws(SystemError) -> UInt32
    func wait(seconds: Int)
}

extension FirmwareChannel {
    func send(_ command: FirmwareCommand) throws(SystemError) -> FirmwareReply { try send(command, seconds: 20) }
}

/// The device itself, through the kernel.
struct DeviceChannel: FirmwareChannel {
    let device: Descriptor

    func send(_ command: FirmwareCommand, seconds: Int) throws(SystemError) -> FirmwareReply {
        let milliseconds = UInt32(min(seconds, 4_000_000)) * 1000
        var data = [UInt8](repeating: 0, count: command.reads)
        if case .scsi(_, let writes, _) = command, !writes.isEmpty { data = writes }
        var sense = [UInt8](repeating: 0, count: 64)
        var senseLength = UInt8(sense.count)
        var response: UInt32 = 0
        let length = UInt32(data.count)
        let status = try check("send a command to", "the firmware") { () -> CInt in
            switch command {
            case .scsi(let block, let writes, _):
                return clinux_scsi(
                    device.raw, block, UInt8(block.count), writes.isEmpty ? 0 : 1, &data, length, &sense,
                    &senseLength, milliseconds)
            case .nvme(let opcode, let namespace, let word10, let word11, _):
                return clinux_nvme_admin(
                    device.raw, opcode, namespace, word10, word11, &data, length, milliseconds)
            case .mmc(let opcode, let argument, let flags, let isChange, _):
                return clinux_mmc(
                    device.raw, opcode, argument, flags, isChange ? 1 : 0, &data, length, &response, milliseconds)
            }
        }
        if case .mmc = command { return FirmwareReply(status: response, data: data) }
        return FirmwareReply(status: UInt32(status), sense: Array(sense.prefix(Int(senseLength))), data: data)
    }

    func namespace() throws(SystemError) -> UInt32 {
        UInt32(try check("ask for the namespace of", "the device") { clinux_nvme_namespace(device.raw) })
    }

    func wait(seconds: Int) { sleep(UInt32(seconds)) }
}

extension FirmwareCommand {
    var reads: Int {
        switch self {
        case .scsi(_, _, let count), .nvme(_, _, _, _, let count), .mmc(_, _, _, _, let count): count
        }
    }
}
