// A key on paper: the identity as text, in groups that can be checked one by one, and as a QR code; whose it is, what to do with it, and where it
// is kept. The text is what the menu takes that asks for a key, and what a file of keys may hold.

internal import AuditLog
public import Cryptography
internal import Platform

public struct KeySheet {
    /// The fingerprints of the stores that it opens, each with the name by which people know it.
    public var stores: [(name: String, fingerprint: String)] = []
    /// Where it will be kept; nil: written by hand.
    public var place: String?
    public var tool: String
    private let date = Timestamp.now().text

    public init(tool: String) { self.tool = tool }

    /// The page, which its caller erases.
    public func page(of identities: [AgeIdentity]) throws -> [UInt8] {
        var page: [UInt8] = []
        // All the room at once: growing would leave copies of the keys behind.
        page.reserveCapacity(identities.count * (1 << 17) + stores.count * 1024 + (1 << 14))
        page += Array(beginning.utf8)
        for (number, identity) in identities.enumerated() {
            page += Array("<section><h2>Key\(identities.count > 1 ? " \(number + 1)" : "")</h2>\n".utf8)
            let text = identity.encoded()
            try text.withUnsafeBytes { text in
                var code = try QRCode.svg(of: text)
                defer { erase(&code) }
                page += Array("<div class=\"both\"><div class=\"code\">".utf8)
                page += code
                page += Array("</div>\n<p class=\"key\">".utf8)
                for group in PaperGroups.ranges(count: text.count) {
                    page += Array("<span>".utf8)
                    page += text[group]
                    page += Array("<i>/\(PaperGroups.check(text[group], at: group.lowerBound))</i>".utf8)
                    page += Array("<small>\(group.lowerBound + 1)–\(group.upperBound)</small></span> ".utf8)
                }
            }
            page += Array(
                "</p></div>\n<table>\(row("Opens what is encrypted for", identity.recipient.string))</table></section>\n"
                    .utf8
            )
        }
        page += Array(end.utf8)
        return page
    }

    private func row(_ name: String, _ value: String) -> String {
        "<tr><th>\(escaped(name))</th><td><code>\(escaped(value))</code></td></tr>\n"
    }

    private func escaped(_ text: String) -> String { SignedPage.escaped(text) }

    private var beginning: String {
        """
        <!DOCTYPE html>
        <html lang="en"><head><meta charset="utf-8"><title>Key sheet</title>
        <meta name="viewport" content="width=device-width">
        <style>
        :root { color-scheme: light } body { font: 11pt/1.4 sans-serif; max-width: 46em; margin: 2em auto; padding: 0 1em; color: #000; background: #fff }
        h1 { font-size: 18pt; margin-bottom: 0 } h2 { font-size: 12pt; margin: 1.4em 0 .3em; border-bottom: 1px solid #888 } section { break-inside: avoid }
        .warning { font-weight: bold } .both { display: flex; gap: 1em; align-items: center; flex-wrap: wrap } .code svg { width: 5cm; height: 5cm; display: block }
        .both .key { flex: 1; min-width: 16em; margin: 0 }
        .key { font: bold 15pt/1.2 monospace } .key span { display: inline-block; margin: .2em .8em .2em 0 } .key i { font-style: normal; font-weight: normal; color: #444 }
        .key small { display: block; font: 8pt sans-serif; color: #444 }
        table { border-collapse: collapse; width: 100% } th { text-align: left; width: 15em; font-weight: normal; color: #444; vertical-align: top }
        td, th { padding: .1em .5em .1em 0 } .blank td { height: 2.2em; border-bottom: 1px solid #000 } td code { word-break: break-all }
        @media print { body { margin: 0; font-size: 10pt } }
        </style></head><body>
        <h1>Key sheet</h1>
        <p class="warning">Whoever has this page can read every image that it opens. Keep it as you keep the key of the safe, away from the machine and the store.</p>

        """
    }

    private var end: String {
        let known = stores.map { row($0.name, $0.fingerprint) }.joined()
        return """
            <section><h2>Stores</h2>
            <table>
            \(known.isEmpty ? row("Fingerprint", "write it down here: `holdfast store info STORE` shows it") : known)</table>
            <p>A store that shows another fingerprint is not the one that was backed up to.</p></section>
            <section><h2>What to do</h2>
            <ol>
            <li>Start the machine from the rescue stick, or take any machine that has Holdfast.</li>
            <li>In the menu choose to restore, then the key that is typed. On a command line, put the text into a file, or what the QR code says, and give
            that with <code>--identity FILE</code>; <code>holdfast drill latest --from STORE --paper-key</code> asks for it.</li>
            <li>Type the groups in their order. Small letters and blanks do no harm. What stands behind a slash checks its group; it may be typed or left out. In a key there is no B, I and O, and no 1
            behind the first one: what looks like one is an 8, an L or a 0.</li>
            <li>Compare the fingerprint of the store before anything is restored.</li>
            <li>Try it once a year: a key that nobody has tried is a hope.</li>
            </ol></section>
            <section><h2>Keeping</h2>
            <table class="blank">
            <tr><th>Printed</th><td>\(escaped(date)), \(escaped(tool)), \(escaped(HostFacts.hostName))</td></tr>
            <tr><th>Place of keeping</th><td>\(escaped(place ?? ""))</td></tr>
            <tr><th>Kept by</th><td></td></tr>
            <tr><th>Last tried on</th><td></td></tr>
            </table></section>
            </body></html>

            """
    }
}
