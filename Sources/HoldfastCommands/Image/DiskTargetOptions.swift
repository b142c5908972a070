// What is said of a disk that an image is restored to: shared by `restore --disk` and `TcRestore.sh`.

internal import ArgumentParser
internal import Disks
internal import Platform

extension PathArgument {
    /// Refuses a bare word that nothing here is called by: as a rule it is the name of a device without its folder.
    /// - Parameter otherwise: what is typed where that is not what is meant.
    func refuseMistypedDisk(otherwise: String) throws {
        if let target = linkToNothing(path) { throw DiskError.deadLink(path, to: target) }
        guard !path.bytes.contains(UInt8(ascii: "/")), !exists(path) else { return }
        let device = BytePath("/dev").appending(path.bytes)
        throw Problem.usage(
            "there is no disk, and no file, \(path) here",
            hint: exists(device)
                ? "did you mean \(device)? \(otherwise)" : "`holdfast disks` lists the disks; \(otherwise)")
    }
}

struct DiskTargetOptions: ParsableArguments {
    @Option(help: ArgumentHelp("The serial number of the disk that is meant, or else its name.", valueName: "serial"))
    var confirm: String?

    @Flag(help: "Do not read back what was written.")
    var noReadBack = false

    @Flag(help: "Change nothing for the new disk, neither what starts it nor how large it is.")
    var exact = false

    @Flag(help: "It will be another machine, beside the one that was imaged.")
    var newIdentity = false

    @Flag(help: "It takes the place of the machine that was imaged.")
    var sameIdentity = false

    @Option(help: ArgumentHelp("With --new-identity: what the new machine is called.", valueName: "name"))
    var hostname: NameArgument?

    @Flag(help: "Do not tell the firmware of it.")
    var noFirmware = false

    @Flag(help: "Restore what is there of an image of which something is missing; the rest is zeros.")
    var incomplete = false

    var areGiven: Bool {
        confirm != nil || noReadBack || exact || newIdentity || sameIdentity || hostname != nil || noFirmware
            || incomplete
    }

    func check() throws {
        if newIdentity && exact { throw ValidationError("--exact changes nothing, and --new-identity does.") }
        if newIdentity && sameIdentity { throw ValidationError("Give --new-identity or --same-identity.") }
        if let hostname {
            guard newIdentity else { throw ValidationError("--hostname goes with --new-identity.") }
            guard Self.isHostName(hostname.text) else {
                throw ValidationError("--hostname is one word of letters, digits and -, at most 63 of them.")
            }
        }
    }

    /// RFC 1123, 2.1.
    private static func isHostName(_ text: String) -> Bool {
        let letters = text.utf8
        let isPlain = letters.allSatisfy {
            (UInt8(ascii: "a")...UInt8(ascii: "z")).contains($0 | 0x20)
                || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0)
                || $0 == UInt8(ascii: "-")
        }
        return isPlain && (1...63).contains(letters.count) && letters.first != UInt8(ascii: "-")
            && letters.last != UInt8(ascii: "-")
    }

    var options: DiskRestoreOptions {
        var options = DiskRestoreOptions()
        options.readsBack = !noReadBack
        options.isExact = exact
        options.tellsFirmware = !noFirmware
        options.takesIncomplete = incomplete
        return options
    }

    /// nil: nobody has said.
    var identity: RestoredIdentity? {
        newIdentity ? .new(hostName: hostname?.text) : sameIdentity ? .same : nil
    }
}
