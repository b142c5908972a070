// What somebody wants done before and after a point or a snapshot is made, such as to flush a database.

public import Platform
public import Reporting

/// Programs that stand around the making of a state.
public struct Hooks: Sendable {
    /// Brings what writes to rest. Where it fails, nothing is made.
    public var before: BytePath?
    /// Lets it go on. Runs whenever the other one was started.
    public var after: BytePath?

    public init(before: BytePath? = nil, after: BytePath? = nil) {
        self.before = before
        self.after = after
    }

    /// Runs `body` between the two, each of which is told the verb and the tree.
    /// - Parameter findings: gets what went wrong afterwards: what was made by then stays.
    /// - Throws: `PointError.hookFailed` where the first one failed.
    public func around<Result>(
        _ verb: String, _ root: BytePath, _ progress: Progress, _ findings: Findings, _ body: () throws -> Result
    ) throws -> Result {
        defer {
            if let after {
                do { try Self.run(after, verb, root, Progress()) } catch {
                    findings.add(Finding(.inconsistent, after, "the hook that lets programs go on failed: \(error)"))
                }
            }
        }
        guard let before else { return try body() }
        // What the first one has brought to rest waits for the second one, and no longer than it has to.
        return try progress.stop.withoutRest {
            try Self.run(before, verb, root, progress)
            return try body()
        }
    }

    /// One that is still not done then is ended.
    private static let limit = 600
    /// Bytes. What it prints is held in memory; one that prints more is ended.
    private static let outputLimit: UInt64 = 4 << 20

    private static func run(_ program: BytePath, _ verb: String, _ root: BytePath, _ progress: Progress) throws {
        if let problem = ProgramOwner.problem(program) {
            throw PointError.hookFailed(program: program, verb: verb, reason: "it is not run: \(problem)")
        }
        let result: ProgramResult
        do throws(SystemError) {
            result = try runProgram(
                [ProgramWord(program), ProgramWord(verb), ProgramWord(root)], isHook: true, limit: limit,
                outputLimit: outputLimit, stop: progress.stop)
        } catch {
            throw PointError.hookFailed(program: program, verb: verb, reason: error.reason)
        }
        try progress.checkStop()
        if result.status != 0 {
            throw PointError.hookFailed(
                program: program, verb: verb, reason: "it ended with \(result.status): \(result.complaint)")
        }
    }
}
