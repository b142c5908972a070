// The certificate as a page to print and to sign by hand. It is made from the certificate alone, so that it can be made again and compared.

internal import Cryptography
internal import Platform

extension Certificate {
    /// - Parameter bytes: of the file: what is printed names them.
    func page(signedBy key: VerifyingKey, of bytes: [UInt8]) -> String {
        """
        <!DOCTYPE html>
        <html lang="en"><head><meta charset="utf-8"><title>Certificate of sanitization</title>
        <style>
        body { font: 11pt/1.4 sans-serif; max-width: 46em; margin: 2em auto; padding: 0 1em }
        h1 { font-size: 18pt; margin-bottom: 0 } .standard { margin-top: 0 } section { break-inside: avoid } .sign td { height: 3em; border-bottom: 1px solid #000 }
        h2 { font-size: 12pt; margin: 1.4em 0 .3em; border-bottom: 1px solid #888 }
        table { border-collapse: collapse; width: 100% } th { text-align: left; width: 15em; font-weight: normal; color: #444; vertical-align: top }
        td, th { padding: .1em .5em .1em 0 } .verdict { font-size: 14pt; font-weight: bold } code { word-break: break-all }
        @media print { body { margin: 0 } }
        </style></head><body>
        <h1>Certificate of sanitization</h1>
        <p class="standard">according to NIST SP 800-88 Rev. 2 · number \(escaped(number ?? Self.notRecorded))</p>
        <p class="verdict">\(escaped(verdict))</p>
        \(section("Medium", [
            ("Manufacturer", medium.manufacturer), ("Model", medium.model), ("Serial number", medium.serialNumber),
            ("Property number", medium.propertyNumber), ("Media type", medium.mediaType), ("Media source", medium.mediaSource),
            ("Bytes", "\(medium.bytes)"), ("Name in the system", medium.kernelName),
            ("Confidentiality before", medium.confidentialityBefore), ("Confidentiality after", medium.confidentialityAfter),
            ("Destination", medium.destination),
        ]))
        \(section("Sanitization", [
            ("Method requested", sanitization.methodRequested), ("Method achieved", sanitization.methodAchieved),
            ("Technique", sanitization.technique), ("Passes", "\(sanitization.passes)"), ("Tool", sanitization.tool),
            ("Started", sanitization.started), ("Ended", sanitization.ended), ("Interruptions", "\(sanitization.interruptions)"),
            ("Not reached", ranges(sanitization.unreachable)), ("Witness", sanitization.witness), ("Remarks", sanitization.remarks),
        ]))
        \(section("Verification", [
            ("Method", verification.method), ("Bytes read back", "\(verification.bytes)"), ("Seed of the sample", verification.sampleSeed),
            ("An altered 4 KiB block is found with", verification.probability), ("Different from what was written", ranges(verification.different)),
        ]))
        \(stated.map { section("As stated by people, not measured", $0.sorted { $0.key < $1.key }.map { ($0.key, $0.value) }) } ?? "")
        \(section("Sanitized by", sanitizedBy))
        \(section("Validated by", validatedBy))
        \(section("Concurrence", concurredBy))
        <section><h2>Evidence</h2>
        <table>
        <tr><th>SHA-256 of the certificate's file</th><td><code>\(digest(of: bytes))</code></td></tr>
        <tr><th>Host</th><td>\(escaped(host))</td></tr>
        <tr><th>Account</th><td>\(escaped(account ?? Self.notRecorded))</td></tr>
        <tr><th>Ticket</th><td>\(escaped(ticket ?? Self.notRecorded))</td></tr>
        <tr><th>Head of the audit log</th><td><code>\(escaped(logHead))</code></td></tr>
        <tr><th>Signed with</th><td><code>\(escaped(SSHSignature.line(of: key)))</code></td></tr>
        </table></section>
        </body></html>

        """
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

    private func section(_ title: String, _ rows: [(String, String)]) -> String {
        "<section><h2>\(title)</h2>\n<table>\n"
            + rows.map { name, value in
                "<tr\(name == "Signature" ? " class=\"sign\"" : "")><th>\(escaped(name))</th><td>\(escaped(value))</td></tr>\n"
            }.joined() + "</table></section>"
    }

    private func section(_ title: String, _ person: Person) -> String {
        section(
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

    private func digest(of bytes: [UInt8]) -> String {
        // libcrypto refuses this only where it cannot work at all.
        (try? bytes.withUnsafeBytes { try SHA256.digest(of: $0) })?.hex ?? Self.notRecorded
    }

    private func escaped(_ text: String) -> String {
        text.replacing("&", with: "&amp;").replacing("<", with: "&lt;").replacing(">", with: "&gt;")
    }
}
