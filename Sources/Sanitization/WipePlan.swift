// What a wipe is going to do, as a plan: of a device, of files, of free space.

public import Machine
internal import Platform
internal import Reporting

extension Wipe: Plan {
    public var verb: String { "wipe" }

    public var basis: [String] {
        let kind: String
        switch method {
        case .overwrite: kind = "overwrite"
        case .firmware(let ability): kind = ability.technique.rawValue
        }
        // What an interrupted one has written, this one goes on with. Where its record cannot be read, the wipe itself refuses.
        let begun = (try? interrupted).map { "\($0.pass) \($0.position)" } ?? ""
        return [
            device.name, "\(device.sequence ?? 0)", begun, device.serial, device.model, "\(device.size)", kind,
            request.level.rawValue,
            "\(request.pattern)", "\(request.passes)", request.verification.rawValue,
            "\(request.isDiscarded) \(request.isRestart)",
        ]
    }

    /// - Throws: `StalePlan`, where something uses the device by now.
    func checkStill() throws {
        do { try Self.refuseUse(of: device) } catch let error as WipeError {
            throw StalePlan(id: id, reason: error.sentence)
        }
    }
}

extension PathWipe: Plan {
    public var verb: String { "wipe" }
    public var basis: [String] {
        ["\(identity)", hexadecimal(path.bytes), "\(files) \(linked) \(content)"] + reach.reasons
    }
}

extension FreeSpaceWipe: Plan {
    public var verb: String { "wipe" }
    public var basis: [String] { ["free space", "\(identity)", hexadecimal(path.bytes), "\(reserve)"] + reach.reasons }
}
