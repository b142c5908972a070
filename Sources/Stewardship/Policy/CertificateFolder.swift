// The certificates of wiped and destroyed media in a folder. Only what its signature holds for counts; what does not is named with its reason.

internal import Cryptography
public import Platform
internal import Reporting
internal import Sanitization

extension SignedFolder where Item == MediumCertificate {
    /// More than a plant ever wipes; who puts a million files there keeps nobody busy.
    private static var most: Int { 10_000 }

    /// - Parameter signers: the file of the public keys that may have signed them; nil: nobody has said, and nothing is believed.
    public static func certificates(in folder: BytePath, signers: BytePath?) -> SignedFolder {
        do {
            guard let signers else {
                return .failed("nobody has said who may sign them: signers in [policy] names the file of their keys")
            }
            let known = try signingKeys(in: signers)
            let opened = try Descriptor.open(folder, .directory)
            let names = try DirectoryListing(of: opened).filter {
                BytePath($0).bytes.suffix(5).elementsEqual(".json".utf8)
            }
            guard names.count <= most else { return .failed("\(folder) has more than \(most) certificates") }
            var items: [MediumCertificate] = []
            var refused: [String] = []
            for name in names.sorted(by: { $0.lexicographicallyPrecedes($1) }) {
                let file = folder.appending(name)
                // A pipe would be waited for.
                guard try opened.status(of: name).kind == .file else { continue }
                do {
                    let (certificate, signer) = try Certificate.check(file)
                    guard known.contains(signer) else {
                        refused.append(
                            "\(file): it is signed with a key that \(signers) does not have")
                        continue
                    }
                    items.append(
                        MediumCertificate(
                            file: printable(name), serial: certificate.medium.serialNumber,
                            achieved: certificate.sanitization.methodAchieved, ended: certificate.sanitization.ended))
                } catch let error as WipeError { refused.append(error.sentence) }
            }
            return .items(items, refused: refused)
        } catch { return .failed(explained(error).sentence) }
    }
}

/// The public keys in a file, a key a line, as OpenSSH's allowed signers and authorized keys have them.
func signingKeys(in file: BytePath) throws -> Set<VerifyingKey> {
    let text = String(decoding: try readRegular(file, limit: 1 << 20), as: UTF8.self)
    return Set(SSHSignature.keys(ofSigners: text))
}
