// The plant's look at what was restored, before it is used: a scanner for malware, or a check of its own. What it does not call clean is not to
// be used, and neither is what it could not be asked about.

internal import Glibc
public import Platform
public import Reporting

/// A program that gets a folder and says by its exit status whether that may be used.
///
/// It promises what a look after the fact can: nothing is called restored that the program did not call clean. It cannot promise that nobody used
/// a file while it was written, which somebody could where the folder was in use already; there, what was in it before is looked at, too.
/// It knows of no command: a drill takes it as `restore` does.
public struct RestoreScan: Sendable {
    public let program: BytePath

    public init(_ program: BytePath) { self.program = program }

    public enum Verdict: Sendable, Hashable {
        case clean
        /// What the program calls a find: any status but 0.
        case found(status: Int32)
        /// Nobody knows: it was not started, was ended, or did not come to its end.
        case failed(reason: String)
    }

    public struct Report: Sendable {
        public let program: BytePath
        public let verdict: Verdict
        /// What the program has said, the first lines of it, as people can be shown them.
        public let lines: [String]

        public var isClean: Bool { verdict == .clean }

        public var sentence: String {
            switch verdict {
            case .clean: "\(program) calls it clean"
            case .found(let status): "\(program) does not call it clean: it ended with \(status)"
            case .failed(let reason): "\(program) could not look at it: \(reason)"
            }
        }
    }

    /// Whether the program could be run, and nobody else can put another folder in the place of the one that it is to look at: asked before
    /// anything is restored.
    public func check(_ folder: BytePath) throws {
        if let problem { throw StewardError.noScan(reason: problem) }
        var above = folder.parent
        while !exists(above), above.parent != above { above = above.parent }
        // What is restored may belong to anybody, who could then move it away in a folder where each moves his own.
        if let problem = ProgramOwner.problem(above, isShared: above == folder.parent) {
            throw StewardError.noScan(
                reason:
                    "\(problem), and could have it look at another folder; restore to one below folders of root's alone"
            )
        }
    }

    private var problem: String? {
        if let problem = ProgramOwner.problem(program) { return problem }
        // Of a folder the system's call says yes.
        let isFile = (try? Descriptor.open(program, .place).status().kind) == .file
        let isProgram = isFile && program.withCString { access($0, X_OK) == 0 }
        return isProgram ? nil : "\(program) is no program"
    }

    /// Has a folder looked at. The program gets the verb and the folder, in `/`, with nothing of this program's environment.
    /// - Throws: `Interrupted`; whatever else goes wrong is a verdict.
    public func look(at folder: BytePath, verb: String, stop: Stop) throws -> Report {
        // It may have been changed since.
        if let problem { return report(.failed(reason: problem)) }
        let result: ProgramResult
        do throws(SystemError) {
            result = try runProgram(
                [ProgramWord(program), ProgramWord(verb), ProgramWord(folder)], isHook: true, limit: Self.limit,
                outputLimit: Self.outputLimit, stop: stop)
        } catch {
            try stop.checkStop(mend: Self.mend)
            return report(.failed(reason: error.reason))
        }
        // Ended because somebody asked for it, it has said nothing.
        try stop.checkStop(mend: Self.mend)
        let verdict: Verdict =
            switch result.status {
            case 0: .clean
            // The system's and the shell's words for what did not run to its end.
            case 126...: .failed(reason: "it ended with \(result.status)")
            default: .found(status: result.status)
            }
        return report(verdict, Self.lines(result.output) + Self.lines(result.errors))
    }

    private func report(_ verdict: Verdict, _ lines: [String] = []) -> Report {
        Report(program: program, verdict: verdict, lines: lines)
    }

    private static let mend = "what was restored was not scanned; repeated, `holdfast restore` scans it"

    /// Seconds. A scan of a large tree is long; one that hangs is to end.
    private static let limit = 86_400
    /// What it may print. A scanner can be told to name only what it finds.
    private static let outputLimit: UInt64 = 16 << 20

    /// The first lines, each cut where nobody reads on.
    private static func lines(_ output: [UInt8]) -> [String] {
        output.split(separator: UInt8(ascii: "\n")).prefix(10).map { printable($0.prefix(300)) }
    }
}
