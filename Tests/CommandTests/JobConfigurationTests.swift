// A mistake in a job is told with its place and with what is allowed, before anything is done by half.

import Platform
import Stewardship
import TestSupport
import Testing

@testable import HoldfastCommands

@Suite struct JobConfigurationTests {
    /// A job that is right up to its last line, which is line 5.
    private func message(_ line: String, _ rest: String = "") throws -> String {
        let text = "[stores]\nnas = '/mnt/nas'\n[jobs.plant]\nto = ['nas']\n\(line)\n\(rest)"
        do {
            _ = try Configuration(text, path: "/etc/passwd")
            return "it was taken"
        } catch { return Problem(error).message }
    }

    private static let lines: [(String, String)] = [
        (
            "source = ['/a']",
            "line 5, column 1: there is no setting source in [jobs.NAME]; there are sources, disk, point,"
        ),
        ("sources = '/a'", "line 5, column 11: sources wants an array of paths"),
        ("sources = []", "line 5, column 11: sources wants an array of paths"),
        ("sources = ['a']", "line 5, column 12: the path of sources is not absolute"),
        ("sources = ['/a', 5]", "line 5, column 18: sources wants a path as a string"),
        ("point = 5", "line 5, column 9: point wants the name of a restore point, or \"new\" as a string"),
        ("point = 'a b'", "line 5, column 9: point wants the name of a restore point, or \"new\": "),
        ("excludes = '*.tmp'", "line 5, column 12: excludes wants an array of patterns"),
        ("excludes = [1]", "line 5, column 13: excludes wants patterns as strings"),
        ("excludes = ['/']", "line 5, column 13: a pattern of excludes would leave everything out"),
        ("name = ''", "line 5, column 8: name wants a name as a string"),
        ("name = 'latest'", "line 5, column 8: an image cannot be named latest"),
        ("series = 1", "line 5, column 10: series wants a name as a string"),
        ("copy_to = []", "line 5, column 11: copy_to names no store"),
        ("copy_to = 'x'", "line 5, column 11: copy_to wants an array of stores"),
        ("copy_to = ['/a', '/a']", "line 5, column 18: copy_to names the store /a twice"),
        ("every = 1", "line 5, column 9: every wants a span as a string, such as \"4h\", \"1d\" or \"1w\""),
        ("every = '1 day'", "line 5, column 9: every wants a span"),
        ("every = '0d'", "line 5, column 9: every wants a span"),
        ("every = '-1d'", "line 5, column 9: every wants a span"),
        ("every = '99999999999999999999d'", "line 5, column 9: every wants a span"),
        ("every = '9223372036854775807y'", "line 5, column 9: every wants a span"),
        ("every = '5m'", "line 5, column 9: every is less than 15 minutes"),
        ("window = 22", "line 5, column 10: window wants days, hours or both"),
        ("window = '22-5'", "line 5, column 10: window wants days, hours or both"),
        ("window = '22:00-22:10'", "line 5, column 10: window is open for less than 15 minutes"),
        ("reread = 'monthly'", "line 5, column 10: reread wants a span"),
        ("rate = 5", "line 5, column 8: rate wants a size as a string, such as \"2MB\""),
        ("class = 'vital'", "line 5, column 9: class wants \"high\", \"normal\" or \"low\""),
        ("verify = 5", "line 5, column 10: verify wants a share from \"1%\" to \"100%\" as a string"),
        ("verify = '0%'", "line 5, column 10: verify wants a share"),
        ("verify = '101%'", "line 5, column 10: verify wants"),
        ("keep = 3", "line 5, column 8: keep wants a table with last, hourly, daily,"),
        ("keep = {}", "line 5, column 8: keep has no rule: nothing would be kept"),
        ("keep = { daily = 0 }", "line 5, column 8: keep has no rule: nothing would be kept"),
        ("keep = { dayly = 3 }", "line 5, column 10: there is no dayly in keep; there are last, hourly,"),
        ("keep = { tag = 'x' }", "line 5, column 10: there is no tag in keep; there are last, hourly,"),
        ("keep = { daily = -1 }", "line 5, column 18: daily: -1 is no number of states to keep; give a whole number"),
        ("keep = { daily = true }", "line 5, column 18: daily wants a number or a string"),
        ("keep = { within = 7 }", "line 5, column 19: within: 7 is no span of time"),
        ("hooks = '/x'", "line 5, column 9: hooks wants a table with before and after"),
        ("hooks = { befor = '/x' }", "line 5, column 11: there is no befor in hooks; there are before and after"),
        ("hooks = { before = 'x' }", "line 5, column 20: the path of before is not absolute"),
    ]

    @Test("Each mistake in a job is told with line, column and what would be right", arguments: lines)
    func setting(line: String, expected: String) throws {
        let message = try message(line)
        #expect(message.hasPrefix("/etc/passwd, \(expected)"), "\(message)")
    }

    private static let pairs: [(String, String)] = [
        ("", "line 3, column 7: the job plant has neither sources, disk nor point"),
        (
            "sources = ['/a']\npoint = 'new'",
            "line 3, column 7: the job plant has more than one of sources, disk and point"
        ),
        (
            "disk = '/dev/sda'\nexcludes = ['*.tmp']",
            "line 6, column 1: excludes goes with sources: of a disk nothing is left out"
        ),
        (
            "sources = ['/a']\nwindow = '22:00-05:00'",
            "line 3, column 7: the job plant has a window and is never due: set every"
        ),
        (
            "sources = ['/a']\nreread = '4w'",
            "line 3, column 7: the job plant has reread and is never due: set every"
        ),
        (
            "sources = ['/a']\nevery = '1w'\nreread = '1d'",
            "line 3, column 7: the job plant is to be read anew more often"
        ),
        ("sources = ['/a']\ncopy_to = ['nas']", "line 6, column 12: the store nas is written to and copied to"),
        (
            "sources = ['/a']\ncopy_to = ['offsite']",
            "line 6, column 12: there is no store offsite; [stores] names nas"
        ),
        ("sources = ['/a']\ncopy_to = ['s3:/x']", "line 6, column 12: "),
        (
            "sources = ['/a']\n[jobs.two]\nsources = ['/a']",
            "line 6, column 7: the job two has no store to write to: set to"
        ),
        (
            "sources = ['/a']\n[jobs.'a b']\nsources = ['/a']\nto = ['nas']",
            "line 6, column 7: a b is no name of a job"
        ),
        (
            "sources = ['/a']\n[jobs]\nevery = '1d'",
            "line 7, column 1: every stands below [jobs], where each job has a table"
        ),
        ("sources = ['/a']\n[schedule]\nholds = '/x'", "line 7, column 1: there is no setting holds in [schedule]"),
        ("sources = ['/a']\n[schedule]\nhold = 'x'", "line 7, column 8: the path of hold is not absolute"),
        (
            "sources = ['/a']\n[schedule]\nhold = ['x']",
            "line 7, column 8: the first word of hold is not an absolute path"
        ),
        (
            "sources = ['/a']\n[schedule]\nhold = []",
            "line 7, column 8: the first word of hold is not an absolute path"
        ),
        (
            "sources = ['/a']\n[schedule]\ncores = 2",
            "line 7, column 9: cores wants numbers of processors as a string"
        ),
        ("sources = ['/a']\n[schedule]\ncores = '3-1'", "line 7, column 9: cores wants numbers of processors"),
        (
            "sources = ['/a']\n[schedule]\nmemory = '1MB'",
            "line 7, column 10: memory wants a size from \"128MB\" on"
        ),
    ]

    @Test("What does not go together is told of the job", arguments: pairs)
    func together(lines: String, expected: String) throws {
        let message = try message(lines)
        #expect(message.hasPrefix("/etc/passwd, \(expected)"), "\(message)")
    }

    @Test("A job may stand above the stores that it names, and jobs keep the order of the text")
    func order() throws {
        let configuration = try Configuration(
            """
            [jobs.b]
            sources = ["/b"]
            to = ["nas", "s3://plant/b?endpoint=https://s3.example.com"]
            every = "1w"
            [jobs.a]
            point = "new"
            to = ["/mnt/usb"]
            [stores]
            nas = "/mnt/nas"
            """, path: "/etc/passwd")
        #expect(configuration.jobs.map(\.name) == ["b", "a"])
        #expect(configuration.jobs[0].timing == Timing(every: 604_800) && configuration.jobs[1].timing == nil)
        #expect(configuration.jobs[1].source == .newPoint)
    }
}
