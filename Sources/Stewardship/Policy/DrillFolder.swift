// The reports of drills in a folder, as the policy goes by them. Only what its signature holds for counts.

internal import Cryptography
public import Platform
internal import Reporting

extension SignedFolder where Item == DrillEvidence {
    /// - Parameter signers: the file of the public keys that may have signed them; nil: nobody has said, and nothing is believed.
    public static func drills(in folder: BytePath, signers: BytePath?) -> SignedFolder {
        do {
            guard let signers else {
                return .failed("nobody has said who may sign them: signers in [policy] names the file of their keys")
            }
            let known = try signingKeys(in: signers)
            // To whoever reads reports one that is not there holds none; here nobody could look.
            _ = try Descriptor.open(folder, .directory)
            let found = try DrillReportFolder(folder)
            var refused = found.findings.map { "\($0.subject): \($0.reason)" }
            var items: [DrillEvidence] = []
            for one in found.reports {
                guard known.contains(one.signer) else {
                    refused.append(
                        "\(one.file): it is signed with a key that \(signers) does not have")
                    continue
                }
                let report = one.report
                guard let time = Timestamp(text: report.ended) ?? Timestamp(text: report.started) else {
                    refused.append("\(one.file): it does not say when it was")
                    continue
                }
                items.append(
                    DrillEvidence(
                        file: printable(one.file.lastComponent), series: report.image.series,
                        image: report.image.id, time: time.seconds, kind: report.kind.rawValue,
                        hasPassed: report.verdict.isProof, verdict: report.verdict.rawValue, store: report.store.id,
                        unattendedKey: report.identity.isOnMachine.map {
                            DrillEvidence.UnattendedKey(
                                from: report.identity.from, host: report.machine.host, isOnMachine: $0)
                        }))
            }
            return .items(items, refused: refused)
        } catch { return .failed(explained(error).sentence) }
    }
}
