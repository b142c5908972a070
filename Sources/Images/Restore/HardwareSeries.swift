// Which models of machines are of one series, so that a whole system of one may be restored on another.

internal import Glibc
internal import Machine
public import Platform

/// The rules of a file: a series a line, its models between `|`, each as `holdfast images` shows it; a `*` at the end of a model
/// stands for any ending, and what follows a `#` is a remark.
///
///     Beckhoff Automation / C6015-* | Beckhoff Automation / C6017-0010
public struct HardwareSeries: Sendable {
    public static let standardPath = Places.standardConfiguration.appending("series")
    private var rules: [[String]] = []

    public init() {}

    public init(_ text: String) {
        rules = text.split(separator: "\n").compactMap { line in
            let models = line.prefix { $0 != "#" }.split(separator: "|").map(Self.trimmed).filter { !$0.isEmpty }
            return models.isEmpty ? nil : models
        }
    }

    /// Reads a file; one that does not exist has no rules.
    /// - Throws: `SystemError`
    public init(file: BytePath) throws(SystemError) {
        do throws(SystemError) {
            self.init(String(decoding: try readWhole(file, limit: 1 << 20), as: UTF8.self))
        } catch {
            guard error.code == ENOENT else { throw error }
            self.init()
        }
    }

    /// Whether two models are the same, or of one series.
    public func isSame(_ one: String, _ other: String) -> Bool {
        one == other || rules.contains { models in matches(one, models) && matches(other, models) }
    }

    private func matches(_ model: String, _ patterns: [String]) -> Bool {
        patterns.contains { $0.last == "*" ? model.hasPrefix($0.dropLast()) : model == $0 }
    }

    private static func trimmed(_ text: Substring) -> String {
        let front = text.drop { $0 == " " || $0 == "\t" || $0 == "\r" }
        return String(front.reversed().drop { $0 == " " || $0 == "\t" || $0 == "\r" }.reversed())
    }
}
