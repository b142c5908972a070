// Programs of somebody else, with a limit: nothing of them outlives it.

import Glibc
import Platform
import TestSupport
import Testing

@Suite struct ProgramLimitTests {
    /// A script that writes the numbers of whatever it has started, and its own, into a file. A machine under load may
    /// not have come so far within a short limit.
    private func runOut(_ script: String) throws -> (numbers: [Int32], error: SystemError?) {
        let first = try run(script, limit: 1)
        return first.numbers.isEmpty ? try run(script, limit: 60) : first
    }

    private func run(_ script: String, limit: Int) throws -> (numbers: [Int32], error: SystemError?) {
        let file = BytePath("/var/tmp/holdfast-test-\(UInt64.random(in: .min ... .max))")
        defer { unlink(file.description) }
        var failure: SystemError?
        do throws(SystemError) {
            _ = try runProgram(
                ["/bin/sh", "-c", ProgramWord(script.replacing("FILE", with: file.description))], isHook: true,
                limit: limit, grace: 1, outputLimit: 1 << 20)
        } catch { failure = error }
        // It is not there where the script has not come so far.
        let text = String(decoding: (try? readRegular(file, limit: 1 << 12)) ?? [], as: UTF8.self)
        return (text.split(separator: "\n").compactMap { Int32($0) }, failure)
    }

    private func isAtWork(_ number: Int32) -> Bool {
        guard let status = try? readRegular(BytePath("/proc/\(number)/stat"), limit: 1 << 12) else { return false }
        return !String(decoding: status, as: UTF8.self).contains(") Z ")
    }

    @Test(
        "What runs out of time is ended with all that it has started, whether that hears of it or not",
        arguments: [
            // It ends when it is asked to, and what it has started does not.
            "(trap '' TERM; sh -c 'echo $$ >> FILE; sleep 4000') & until [ -s FILE ]; do sleep 0.1; done; echo $$ >> FILE; exec sleep 4000",
            "trap '' TERM; echo $$ >> FILE; sleep 4000",
            // In a session of its own, which no signal to the group reaches.
            "setsid sh -c 'trap \"\" TERM; echo $$ >> FILE; sleep 4000' & until [ -s FILE ]; do sleep 0.1; done; echo $$ >> FILE; sleep 4000; sleep 4000",
        ])
    func timeOut(script: String) throws {
        let (numbers, error) = try runOut(script)
        #expect(error?.code == ETIMEDOUT && !numbers.isEmpty)
        usleep(100_000)
        #expect(numbers.allSatisfy { !isAtWork($0) }, "\(numbers)")
    }

    @Test("A program that prints more than it may is ended with what it has started, also where it has ended itself")
    func tooLong() throws {
        let (numbers, error) = try run(
            "(trap '' TERM; sh -c 'echo $$ >> FILE; sleep 4000') & until [ -s FILE ]; do sleep 0.1; done; "
                + "head -c 2000000 /dev/zero", limit: 600)
        #expect(error?.code == EFBIG && numbers.count == 1)
        usleep(100_000)
        #expect(numbers.allSatisfy { !isAtWork($0) }, "\(numbers)")
    }

    @Test("What a program leaves at work that has come to its end in time stays")
    func left() throws {
        let (numbers, error) = try run("sleep 4000 & echo $! > FILE", limit: 600)
        #expect(error == nil && numbers.count == 1 && numbers.allSatisfy(isAtWork))
        numbers.forEach { kill($0, SIGKILL) }
    }
}
