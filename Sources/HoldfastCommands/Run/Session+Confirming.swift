// A device is confirmed by what is printed on it: nobody types that of another one by mistake.

internal import Disks
internal import Platform

extension Session {
    /// How often it may be mistyped.
    private static let attempts = 3

    /// Has the serial number typed of a device whose content is about to go.
    /// - Parameters:
    ///   - path: all that is on it will be gone.
    ///   - device: nil: a file stands for it.
    ///   - wanted: what is to be typed; nil: nothing would be lost.
    ///   - given: what was said beforehand.
    /// - Throws: `DiskError.notConfirmed`
    func confirm(losing path: BytePath, device: BlockDevice?, wanted: String?, given: String?) throws {
        guard let wanted else {
            let name = printable(path.lastComponent)
            // Who names another one does not mean this one.
            guard given.map({ $0 == name }) ?? true else { throw DiskError.notConfirmed(path, wanted: name) }
            return
        }
        func isMeant(_ text: String) -> Bool { text.split(separator: " ").joined(separator: " ") == wanted }
        if let given {
            if isMeant(given) { return }
        } else {
            let question =
                device.map { $0.serial.isEmpty ? "its name, \($0.name)" : "its serial number" } ?? "its name, \(wanted)"
            var line = "Everything on \(path) will be gone. To go on type \(question)"
            for _ in 0..<Self.attempts {
                let answer = try typed(line)
                if isMeant(answer) { return }
                // Who types nothing does not want it.
                if answer.isEmpty { break }
                line = "That is not \(question). Type it again, or nothing to end this"
            }
        }
        throw DiskError.notConfirmed(path, wanted: wanted)
    }
}
