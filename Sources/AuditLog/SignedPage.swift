// A signed document as a page to print and to sign by hand. It is made from the document alone, so that it can be made again and compared: who
// changes a word here has earlier pages not hold any more.

public import Cryptography
internal import Platform

public struct SignedPage: Sendable {
    public var title: String
    /// What stands below the title, as HTML.
    public var subtitle: String
    public var verdict: String
    /// As HTML.
    public var sections: [String]

    public init(title: String, subtitle: String, verdict: String, sections: [String]) {
        self.title = title
        self.subtitle = subtitle
        self.verdict = verdict
        self.sections = sections
    }

    private static let beginning = "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">"
    private static let mark = "\n<p class=\"standard\">"

    /// Whether bytes are a page of this kind, of whatever document.
    static func isPage(_ bytes: [UInt8]) -> Bool {
        let text = String(decoding: bytes, as: UTF8.self)
        return text.hasPrefix(beginning) && text.contains(mark)
    }

    public var html: String {
        """
        \(Self.beginning)<title>\(title)</title>
        <style>
        body { font: 11pt/1.4 sans-serif; max-width: 46em; margin: 2em auto; padding: 0 1em }
        h1 { font-size: 18pt; margin-bottom: 0 } .standard { margin-top: 0 } section { break-inside: avoid } .sign td { height: 3em; border-bottom: 1px solid #000 }
        h2 { font-size: 12pt; margin: 1.4em 0 .3em; border-bottom: 1px solid #888 }
        table { border-collapse: collapse; width: 100% } th { text-align: left; width: 15em; font-weight: normal; color: #444; vertical-align: top }
        td, th { padding: .1em .5em .1em 0 } .verdict { font-size: 14pt; font-weight: bold } code { word-break: break-all }
        @media print { body { margin: 0 } }
        </style></head><body>
        <h1>\(title)</h1>
        <p class="standard">\(subtitle)</p>
        <p class="verdict">\(Self.escaped(verdict))</p>
        \(sections.joined(separator: "\n"))
        </body></html>

        """
    }

    /// A heading and a table of two columns.
    public static func section(_ title: String, _ rows: [(String, String)]) -> String {
        "<section><h2>\(title)</h2>\n<table>\n"
            + rows.map { name, value in
                "<tr\(name == "Signature" ? " class=\"sign\"" : "")><th>\(escaped(name))</th><td>\(escaped(value))</td></tr>\n"
            }.joined() + "</table></section>"
    }

    /// What the page rests on.
    /// - Parameters:
    ///   - name: of the document, as in "the certificate's file".
    ///   - bytes: of the document's file: what is printed names them.
    public static func evidence(
        _ name: String, _ bytes: [UInt8], host: String, account: String, logHead: String, key: VerifyingKey
    ) -> String {
        """
        <section><h2>Evidence</h2>
        <table>
        <tr><th>SHA-256 of the \(name)'s file</th><td><code>\(digest(of: bytes))</code></td></tr>
        <tr><th>Host</th><td>\(escaped(host))</td></tr>
        <tr><th>Account</th><td>\(escaped(account))</td></tr>
        <tr><th>Head of the audit log</th><td><code>\(escaped(logHead))</code></td></tr>
        <tr><th>Signed with</th><td><code>\(escaped(SSHSignature.line(of: key)))</code></td></tr>
        </table></section>
        """
    }

    public static func digest(of bytes: [UInt8]) -> String {
        // libcrypto refuses this only where it cannot work at all.
        (try? bytes.withUnsafeBytes { try SHA256.digest(of: $0) })?.hex ?? "not recorded"
    }

    public static func escaped(_ text: String) -> String {
        text.replacing("&", with: "&amp;").replacing("<", with: "&lt;").replacing(">", with: "&gt;")
    }
}
