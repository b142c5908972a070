// What is made of failures: whether they are damage, and how many of them a sentence names.

internal import Platform
internal import Reporting
internal import Stores

/// What `body` makes of bytes, or nil where they show that they are none of what it wants, or damaged. That they could not be read, or that
/// somebody asked for a stop, shows nothing and is thrown.
func unlessDamaged<R>(_ body: () throws -> R) throws -> R? {
    do { return try body() } catch {
        switch error {
        case is StoreError, is SystemError, is Interrupted: throw error
        case let error as ImageError where error.cause != nil || error.endsReading: throw error
        default: return nil
        }
    }
}

extension [String] {
    /// The first eight of them, as a sentence names them.
    var abridged: String { abridged(by: ", ") }
    func abridged(by separator: String) -> String { prefix(8).joined(separator: separator) + (count > 8 ? " …" : "") }
}
