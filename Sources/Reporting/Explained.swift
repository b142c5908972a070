// The shape of an error that people read: what happened, what mends it, and what a command ends with. The face asks
// for these and knows no error by name.

/// An error in words. Its description is its sentence, unless it says otherwise.
public protocol Explained: Error, CustomStringConvertible {
    /// What happened, to what, and why; as it stands after `error:`, so without capital and full stop.
    var sentence: String { get }
    /// The command or step that mends it, where there is one.
    var mend: String? { get }
    /// The exit status that a command ends with.
    var exitStatus: Int32 { get }
    /// The error from below that this one is made of.
    var cause: (any Error)? { get }
}

extension Explained {
    public var sentence: String { description }
    public var mend: String? { (cause as? any Explained)?.mend }
    public var exitStatus: Int32 { (cause as? any Explained)?.exitStatus ?? 1 }
    public var cause: (any Error)? { nil }
}

/// Any error as one in words: itself, or one that knows no more than its text.
public func explained(_ error: any Error) -> any Explained { error as? any Explained ?? Unexplained(error: error) }

private struct Unexplained: Explained {
    let error: any Error
    var description: String { "\(error)" }
    var cause: (any Error)? { error }
}

/// A sentence without its capital and its full stop, as messages after `error:` are.
public func clause(_ sentence: String) -> String {
    let text = sentence.hasSuffix(".") ? sentence.dropLast() : sentence[...]
    return text.prefix(1).lowercased() + text.dropFirst()
}
