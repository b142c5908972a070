// What somebody wants done before and after a point or a snapshot is made, such as to flush a database.

public import Platform

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
    /// - Throws: `PointError.hookFailed`, also where `body` was done and the second one failed.
    public func around<Result>(_ verb: String, _ root: BytePath, _ body: () throws -> Result) throws -> Result {
        let result: Result
        do {
            if let before { try Self.run(before, verb, root) }
            result = try body()
        } catch {
            if let after { try? Self.run(after, verb, root) }
            throw error
        }
        if let after { try Self.run(after, verb, root) }
        return result
    }

    private static func run(_ program: BytePath, _ verb: String, _ root: BytePath) throws {
        let result: ProgramResult
        do throws(SystemError) {
            result = try runProgram([ProgramWord(program), ProgramWord(verb), ProgramWord(root)], isHook: true)
        } catch {
            throw PointError.hookFailed(program: program, verb: verb, reason: error.reason)
        }
        if result.status != 0 {
            throw PointError.hookFailed(
                program: program, verb: verb, reason: "it ended with \(result.status): \(result.complaint)")
        }
    }
}
