// A virtual machine that is started to be asked how it is: without network, emulated where this machine is virtual itself, and gone with its
// folder. A unit of systemd asks, and answers over the second serial line; the first is the console.

internal import Cryptography
internal import Glibc
internal import Platform
internal import Reporting

struct StartedMachine {
    /// The folder that is gone afterwards.
    let scratch: ScratchFolder
    /// Asked of a shell of the machine once it is up.
    let health: String
    /// Seconds within which it has to answer.
    let limit: Int
    /// What is in front of its answers, and of nothing else.
    private let mark: String

    enum Answer: Equatable {
        case answers
        /// It is up, and what it says is not what was wanted.
        case isUnwell(String)
        case neverStarts(String)
    }

    static let standardHealth = "systemctl is-active --quiet multi-user.target"
    static let standardLimit = 600
    /// MiB.
    private static let memory = "1024"
    private static let leastMemory: UInt64 = 1280 << 20

    /// - Parameters:
    ///   - health: nil: whether systemd is at its end.
    ///   - limit: nil: ten minutes.
    init(_ scratch: ScratchFolder, health: String?, limit: Int64?) throws {
        self.scratch = scratch
        self.health = health ?? Self.standardHealth
        self.limit = Int(clamping: limit ?? Int64(Self.standardLimit))
        mark = hexadecimal(try SecureRandom.bytes(8))
    }

    /// Refuses what this machine can start nothing without.
    static func check(programs: [String]) throws {
        guard HostFacts.isRoot else {
            throw DrillError.cannotStart(reason: "only root restores owners as a start wants them")
        }
        for program in ["qemu-system-x86_64"] + programs where programPath(program) == nil {
            throw DrillError.cannotStart(reason: "there is no program \(program)")
        }
        if let limit = HostFacts.memoryLimit, limit < leastMemory {
            throw DrillError.cannotStart(
                reason:
                    "what runs here may have \(limit >> 20) MiB of memory, and the virtual machine alone wants \(memory) MiB: `memory = \"3GiB\"` in [schedule], then `holdfast schedule enable`"
            )
        }
    }

    func make(_ name: String, _ bytes: [UInt8]) throws {
        try scratch.folder.open(Array(name.utf8), [.write, .create, .exclusive]).write(bytes)
    }

    // MARK: The question

    /// Puts a unit of systemd that asks into the root of a system.
    func addQuestion(to root: Descriptor) throws(SystemError) {
        try replace(
            "drill.sh", in: "etc", of: root,
            """
            exec >/dev/ttyS1 2>&1
            echo "\(mark) begins"
            ( \(health)
            )
            echo "\(mark) ended $?"
            sync
            systemctl poweroff --force --force

            """)
        let unit = """
            [Unit]
            Description=Drill of Holdfast
            After=multi-user.target
            [Service]
            Type=oneshot
            TimeoutStartSec=infinity
            ExecStart=/bin/sh /etc/drill.sh

            """
        // In the folder of the target itself no link is needed.
        try replace("holdfast-drill.service", in: "etc/systemd/system", of: root, unit)
        let wants = try root.makeFolders(Array("etc/systemd/system/multi-user.target.wants".utf8))
        try wants.makeSymbolicLink(
            Array("holdfast-drill.service".utf8), target: Array("../holdfast-drill.service".utf8))
    }

    func replace(_ name: String, in folder: String, of root: Descriptor, _ text: String) throws(SystemError) {
        let opened = try root.makeFolders(Array(folder.utf8))
        do throws(SystemError) { try opened.remove(Array(name.utf8)) } catch { if !error.isAbsent { throw error } }
        try opened.open(Array(name.utf8), [.write, .create, .exclusive], mode: 0o644).write(Array(text.utf8))
    }

    // MARK: The start

    /// A word of QEMU's that names a file of the folder.
    func word(_ name: String, after text: String) -> ProgramWord {
        // To QEMU a comma ends a value, and two are one.
        ProgramWord(
            bytes: Array(text.utf8)
                + scratch.path.appending(name).bytes.flatMap { $0 == UInt8(ascii: ",") ? [$0, $0] : [$0] })
    }

    /// How it ended.
    struct End {
        var isInTime: Bool
        /// What QEMU complained of, where that is why.
        var complaint: String?
    }

    /// Starts it, and waits until it is off.
    /// - Parameters:
    ///   - devices: QEMU's words for what it starts from.
    ///   - isEnough: it is ended earlier once that is so.
    func run(_ devices: [ProgramWord], until isEnough: (() -> Bool)? = nil, _ stop: Stop) throws -> End {
        for name in ["console", "answers"] { try make(name, []) }
        // One machine in another hangs on some: there it is emulated, and takes its time.
        let accelerator: [ProgramWord] =
            Self.isVirtual
            ? ["-accel", "tcg,thread=multi", "-cpu", "max"] : ["-accel", "kvm", "-accel", "tcg,thread=multi"]
        let words: [ProgramWord] =
            ["qemu-system-x86_64"] + accelerator + [
                "-m", ProgramWord(Self.memory), "-nodefaults", "-display", "none", "-sandbox", "on", "-no-reboot",
                "-nic", "none", "-serial", word("console", after: "file:"), "-serial",
                word("answers", after: "file:"),
            ] + devices
        let ended: ProgramResult
        do throws(SystemError) {
            ended = try runProgram(words, limit: limit, outputLimit: 1 << 20, stop: stop, isEnough: isEnough)
        } catch {
            try stop.checkStop()
            guard error.code == ETIMEDOUT else { throw error }
            return End(isInTime: false)
        }
        // Ended because somebody asked for it, it has said nothing.
        try stop.checkStop()
        let isOff = ended.status == 0 || isEnough?() == true
        return End(isInTime: true, complaint: isOff ? nil : ended.complaint)
    }

    /// Whether this machine is a virtual one itself.
    private static var isVirtual: Bool {
        // Where it cannot be told, the way is taken that is right anywhere.
        guard let bytes = try? readWhole("/proc/cpuinfo", limit: 1 << 22) else { return true }
        let flags = String(decoding: bytes, as: UTF8.self).split(separator: "\n").first { $0.hasPrefix("flags") }
        return flags.map { $0.split(separator: " ").contains("hypervisor") } ?? true
    }

    // MARK: What it says

    /// What it has answered; nil: nothing.
    func answer(_ end: End) throws -> Answer? {
        let answers = try lines("answers")
        if let place = answers.lastIndex(where: { $0.hasPrefix("\(mark) ended ") }) {
            let ended = answers[place]
            let said = answers[..<place].filter { !$0.hasPrefix(mark) }.suffix(3).joined(separator: "; ")
            return ended == "\(mark) ended 0"
                ? .answers
                : .isUnwell(
                    "its health command ended with \(ended.split(separator: " ").last ?? "")"
                        + (said.isEmpty ? "" : ": \(said)"))
        }
        guard answers.contains("\(mark) begins") else { return nil }
        return .isUnwell("its health command did not answer\(time(end))")
    }

    /// That it did not come up, with the last that is known of it.
    func silence(_ end: End) throws -> String {
        let console = try lines("console")
        let last =
            console.last { $0.contains("Kernel panic") } ?? console.last ?? end.complaint ?? "it has said nothing"
        return "it did not come up\(time(end)); its last words: \(last)"
    }

    private func time(_ end: End) -> String { end.isInTime ? "" : " within \(limit) s" }

    func lines(_ name: String) throws -> [String] {
        let file = try scratch.folder.open(Array(name.utf8), .nonBlocking)
        let bytes = try readWhole(file, limit: 1 << 29, named: name)
        return bytes.split(whereSeparator: { $0 == 0x0a || $0 == 0x0d }).map { printable($0.prefix(300)) }
    }

    /// Whether it asks on its console who wants to log in.
    var isAtLogin: Bool {
        // What cannot be read yet says nothing.
        guard let file = try? scratch.folder.open(Array("console".utf8)), let size = try? file.status().size else {
            return false
        }
        // The kernel may write behind it.
        var end = [UInt8](repeating: 0, count: 4096)
        let place = size - min(size, UInt64(end.count))
        let count = end.withUnsafeMutableBytes { try? file.read(into: $0, at: Int64(clamping: place)) } ?? 0
        return String(decoding: end[..<count], as: UTF8.self).contains(" login:")
    }
}
