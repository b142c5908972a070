// What can go wrong in this target, in one closed set, so that the layers above can switch over it.

public import Reporting

/// A failure of a cryptographic operation.
///
/// The description is a sentence for people and never contains key material.
public enum CryptographyError: Explained, Hashable {
    /// A call of libcrypto or libsodium failed; the text is the call with the library's own explanation.
    case library(String)
    /// Sealed data was changed, truncated, or sealed under another key, nonce or context.
    case authenticationFailed
    /// The input does not have the form that its format demands; the text names what and why.
    case malformed(String)
    /// None of the given identities is a recipient of the file.
    case noMatchingIdentity
    /// The passphrase does not open the file.
    case wrongPassphrase
    /// The input is well formed, but of a kind that this program does not handle.
    case unsupported(String)

    public var description: String {
        switch self {
        case .library(let text): "The cryptographic library failed: \(text)."
        case .authenticationFailed: "The data is not what was sealed: it was changed, or the key is another one."
        case .malformed(let what): "The input is malformed: \(what)."
        case .noMatchingIdentity: "None of the given identities opens this file."
        case .wrongPassphrase: "The passphrase does not open this file."
        case .unsupported(let what): "Not supported: \(what)."
        }
    }

    public var sentence: String { clause(description) }
}
