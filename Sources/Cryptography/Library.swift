// The rim towards OpenSSL: how its errors become ours, how its algorithms are fetched once and for all, and how
// parameters are handed to it. Nothing outside this target sees these.

internal import CCrypto
internal import CSodium

/// Names and versions of the libraries that this target rests on, as they were loaded.
public let libraryVersions: [(name: String, version: String)] = [
    ("OpenSSL", String(cString: OpenSSL_version(OPENSSL_VERSION_STRING))),
    ("libsodium", String(cString: sodium_version_string())),
]

/// Runs an OpenSSL call that reports success as 1, and turns anything else into `CryptographyError.library`.
@inline(__always)
func check(_ status: CInt, _ call: StaticString) throws(CryptographyError) {
    if status != 1 { throw libraryError(call) }
}

/// Unwraps a pointer that OpenSSL returned.
@inline(__always)
func check(_ pointer: OpaquePointer?, _ call: StaticString) throws(CryptographyError) -> OpaquePointer {
    guard let pointer else { throw libraryError(call) }
    return pointer
}

/// The error of the failed `call`, with the text of OpenSSL's error queue of this thread, which is emptied.
///
/// An entry that stayed behind would be blamed on some later, innocent call.
@inline(never)
func libraryError(_ call: StaticString) -> CryptographyError {
    let code = ERR_peek_last_error()
    ERR_clear_error()
    guard code != 0 else { return .library("\(call) gave no reason") }
    var text = [CChar](repeating: 0, count: 256)
    ERR_error_string_n(code, &text, text.count)
    let bytes = text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }
    return .library("\(call): \(String(decoding: bytes, as: UTF8.self))")
}

/// An algorithm fetched from OpenSSL's providers, kept until the process ends.
///
/// A fetch walks the providers under a lock; done implicitly in each call it costs more than hashing a small chunk.
/// `@unchecked Sendable`: OpenSSL's method objects are immutable and counted atomically.
struct Algorithm: @unchecked Sendable {
    private let pointer: OpaquePointer?
    private let name: StaticString

    private init(_ name: StaticString, _ fetch: (UnsafePointer<CChar>) -> OpaquePointer?) {
        self.name = name
        pointer = fetch(name.cString)
        if pointer == nil { ERR_clear_error() }
    }

    /// The method object; throws `unsupported` if this OpenSSL was built or configured without the algorithm.
    func method() throws(CryptographyError) -> OpaquePointer {
        guard let pointer else { throw .unsupported("this OpenSSL offers no \(name)") }
        return pointer
    }

    static let sha256 = Algorithm("SHA256") { EVP_MD_fetch(nil, $0, nil) }
    static let md5 = Algorithm("MD5") { EVP_MD_fetch(nil, $0, nil) }
    static let hmac = Algorithm("HMAC") { EVP_MAC_fetch(nil, $0, nil) }
    static let hkdf = Algorithm("HKDF") { EVP_KDF_fetch(nil, $0, nil) }
    static let scrypt = Algorithm("SCRYPT") { EVP_KDF_fetch(nil, $0, nil) }
    static let aes256GCM = Algorithm("AES-256-GCM") { EVP_CIPHER_fetch(nil, $0, nil) }
    static let chaCha20Poly1305 = Algorithm("ChaCha20-Poly1305") { EVP_CIPHER_fetch(nil, $0, nil) }
}

/// The parameters of one OpenSSL call, ended by the entry that OpenSSL looks for.
///
/// An `OSSL_PARAM` points at its key and its data, so keys are static strings, and the data must outlive the call.
struct Parameters {
    private(set) var list = [OSSL_PARAM_construct_end()]

    mutating func add(_ key: StaticString, _ bytes: UnsafeRawBufferPointer) {
        let data = UnsafeMutableRawPointer(mutating: bytes.bytePointer)
        insert(OSSL_PARAM_construct_octet_string(key.cString, data, bytes.count))
    }

    mutating func add(_ key: StaticString, _ text: StaticString) {
        insert(OSSL_PARAM_construct_utf8_string(key.cString, UnsafeMutablePointer(mutating: text.cString), 0))
    }

    mutating func add(_ key: StaticString, _ value: UnsafeMutablePointer<CInt>) {
        insert(OSSL_PARAM_construct_int(key.cString, value))
    }

    mutating func add(_ key: StaticString, _ value: UnsafeMutablePointer<UInt32>) {
        insert(OSSL_PARAM_construct_uint32(key.cString, value))
    }

    mutating func add(_ key: StaticString, _ value: UnsafeMutablePointer<UInt64>) {
        insert(OSSL_PARAM_construct_uint64(key.cString, value))
    }

    mutating func add(_ key: StaticString, _ value: UnsafeMutablePointer<Int>) {
        insert(OSSL_PARAM_construct_size_t(key.cString, value))
    }

    private mutating func insert(_ parameter: OSSL_PARAM) {
        list.insert(parameter, at: list.count - 1)
    }
}

extension StaticString {
    /// The text as a C string that lives as long as the process.
    var cString: UnsafePointer<CChar> { UnsafeRawPointer(utf8Start).assumingMemoryBound(to: CChar.self) }
}
