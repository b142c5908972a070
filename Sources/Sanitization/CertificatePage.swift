// The certificate as a page to print and to sign by hand. It is made from the certificate alone, so that it can be made again and compared.

internal import AuditLog
internal import Cryptography
internal import Platform

extension Certificate {
    /// - Parameter bytes: of the file: what is printed names them.
    func page(signedBy key: VerifyingKey, of bytes: [UInt8]) -> String {
        SignedPage(
            title: "Certificate of sanitization",
            subtitle: "according to NIST SP 800-88 Rev. 2 · number \(SignedPage.escaped(number ?? Self.notRecorded))",
            verdict: verdict,
            sections: [
                SignedPage.section(
                    "Medium",
                    [
                        ("Manufacturer", medium.manufacturer), ("Model", medium.model),
                        ("Serial number", medium.serialNumber),
                        ("Property number", medium.propertyNumber), ("Media type", medium.mediaType),
                        ("Media source", medium.mediaSource),
                        ("Bytes", "\(medium.bytes)"), ("Name in the system", medium.kernelName),
                        ("Confidentiality before", medium.confidentialityBefore),
                        ("Confidentiality after", medium.confidentialityAfter),
                        ("Destination", medium.destination),
                    ]),
                SignedPage.section(
                    "Sanitization",
                    [
                        ("Method requested", sanitization.methodRequested),
                        ("Method achieved", sanitization.methodAchieved),
                        ("Technique", sanitization.technique), ("Passes", "\(sanitization.passes)"),
                        ("Tool", sanitization.tool),
                        ("Started", sanitization.started), ("Ended", sanitization.ended),
                        ("Interruptions", "\(sanitization.interruptions)"),
                        ("Not reached", ranges(sanitization.unreachable)), ("Witness", sanitization.witness),
                        ("Remarks", sanitization.remarks),
                    ] + (ticket.map { [("Ticket", $0)] } ?? [])
                        + (approvedBy.map { [("Plan signed by, and verified", $0)] } ?? [])),
                SignedPage.section(
                    "Verification",
                    [
                        ("Method", verification.method), ("Bytes read back", "\(verification.bytes)"),
                        ("Seed of the sample", verification.sampleSeed),
                        ("An altered 4 KiB block is found with", verification.probability),
                        ("Different from what was written", ranges(verification.different)),
                    ]),
                stated.map {
                    SignedPage.section(
                        "As stated by people, not measured", $0.sorted { $0.key < $1.key }.map { ($0.key, $0.value) })
                } ?? "",
                section("Sanitized by", sanitizedBy), section("Validated by", validatedBy),
                section("Concurrence", concurredBy),
                SignedPage.evidence(
                    "certificate", bytes, host: host, account: account ?? Self.notRecorded, logHead: logHead, key: key),
            ]
        ).html
    }

    /// The result in a sentence.
    public var verdict: String {
        let known = [medium.model, medium.serialNumber].filter { $0 != Self.notRecorded }
        let what = known.isEmpty ? medium.kernelName : known.joined(separator: ", serial number ")
        if sanitization.methodAchieved == "not achieved" {
            return "Incomplete: \(what) may still hold what it held. Destroy the medium."
        }
        return "\(what): \(sanitization.methodAchieved)"
    }

    private func section(_ title: String, _ person: Person) -> String {
        SignedPage.section(
            title,
            [
                ("Name", person.name), ("Position", person.position), ("Date", person.date),
                ("Location", person.location), ("Contact", person.contact), ("Signature", ""),
            ])
    }

    private func ranges(_ ranges: [DeviceRange]) -> String {
        if ranges.isEmpty { return "none" }
        let bytes = ranges.saturatingSum(of: \.length)
        let shown = ranges.prefix(50).map { "\($0.start)–\($0.start.adding(saturating: max(1, $0.length) - 1))" }
            .joined(separator: ", ")
        return "\(bytes) bytes in \(ranges.count) places: \(shown)" + (ranges.count > 50 ? ", …" : "")
    }
}
