// What the tests of several targets need: a shell for tools that know nothing of Holdfast, the program that was built with them, and the
// places where a command can be killed.

internal import Glibc
public import Platform

/// Runs a shell command as root would; returns its standard output.
@discardableResult
public func shell(_ command: String) -> String {
    guard let result = try? runProgram(["bash", "-c", ProgramWord(command)]) else { return "cannot run bash" }
    return String(decoding: result.output, as: UTF8.self)
}

/// Whether the long matrices are asked for (`Tests/run --all`): every place instead of a sample.
public let runsAll = getenv("HOLDFAST_ALL") != nil

/// The folder of this package.
public let packageFolder = BytePath(#filePath).parent.parent.parent

/// The program that was built with these tests: the test runner is in the build folder, or is told where that is.
public let builtProgram: String = {
    var buffer = [CChar](repeating: 0, count: 4096)
    let count = max(0, readlink("/proc/self/exe", &buffer, buffer.count))
    let own = String(decoding: buffer.prefix(count).map { UInt8(bitPattern: $0) }, as: UTF8.self)
    let folders = ([own] + CommandLine.arguments).map { BytePath($0).parent }.flatMap { [$0, $0.parent] }
    let found = folders.first { exists($0.appending("holdfast")) }
    return (found ?? packageFolder.appending(".build/debug")).appending("holdfast").description
}()

/// Places to be killed at, as strace counts them: for each system call its first two, and then every `step`th, until a command comes to
/// its end before the next one.
/// - Parameter body: whether the command came to its end.
/// - Returns: how many places there were.
public func forEachPlace(
    of calls: [String], step: Int, _ body: (_ call: String, _ number: Int) throws -> Bool
) rethrows -> Int {
    var count = 0
    for call in calls {
        var number = 1
        while try !body(call, number) {
            count += 1
            number += number < 3 || runsAll ? 1 : step
            precondition(number < 5000, "no end at \(call)")
        }
    }
    return count
}
