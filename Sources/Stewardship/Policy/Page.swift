// Pages for people: one file each, with nothing from elsewhere, readable on a desk, a phone and paper. All text in them may be somebody else's.

internal import Platform

struct Page {
    private var html: String

    /// - Parameter title: of the window, and the heading.
    init(_ title: String, subtitle: String) {
        let title = Self.escaped(title)
        html = """
            <!DOCTYPE html>
            <html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1">
            <meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
            <title>\(title)</title><style>\(Self.style)</style></head><body>
            <h1>\(title)</h1><p class="soft">\(Self.escaped(subtitle))</p>

            """
    }

    /// Adds markup of our own, in which all that is somebody else's is escaped.
    mutating func add(_ markup: String) { html += markup }

    var bytes: [UInt8] { Array((html + "</body></html>\n").utf8) }

    /// Text that is shown as it is: neither markup, nor what turns the direction of a line or hides in it. What is longer than anybody reads is cut.
    static func escaped(_ text: String, most: Int = 1000) -> String {
        if text.utf8.count > most, text.count > most { return escaped(String(text.prefix(most)), most: .max) + "…" }
        if text.utf8.allSatisfy({ $0 >= 0x20 && $0 < 0x7f && !special.contains($0) }) { return text }
        var result = ""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "&": result += "&amp;"
            case "<": result += "&lt;"
            case ">": result += "&gt;"
            case "\"": result += "&quot;"
            case "'": result += "&#39;"
            default:
                switch scalar.properties.generalCategory {
                case .control, .format, .lineSeparator, .paragraphSeparator, .privateUse, .unassigned, .surrogate:
                    result += "\\u{\(String(scalar.value, radix: 16))}"
                default: result.unicodeScalars.append(scalar)
                }
            }
        }
        return result
    }

    private static let special: Set<UInt8> = [0x22, 0x26, 0x27, 0x3c, 0x3e]

    /// `2026-11-20 08:56 UTC`
    static func time(_ seconds: Int64?) -> String {
        guard let seconds else { return "–" }
        let text = Timestamp(seconds: seconds, nanoseconds: 0).text
        return text.hasPrefix("@") ? text : "\(text.prefix(10)) \(text.dropFirst(11).prefix(5)) UTC"
    }

    /// `1.31 GB`, three digits in powers of 1000.
    static func size(_ bytes: UInt64) -> String {
        var value = Double(bytes)
        var unit = 0
        let units = ["B", "kB", "MB", "GB", "TB", "PB", "EB"]
        while value >= 999.5, unit < units.count - 1 {
            value /= 1000
            unit += 1
        }
        if unit == 0 { return "\(bytes) B" }
        let scale = value < 9.995 ? 100.0 : value < 99.95 ? 10.0 : 1.0
        let digits = "\((value * scale).rounded() / scale)"
        return "\(digits.hasSuffix(".0") ? String(digits.dropLast(2)) : digits) \(units[unit])"
    }

    private static let style = """
        :root{color-scheme:light dark;--ink:#1b1d21;--paper:#fff;--soft:#5c6370;--line:#d7dae0;--bad:#a8201a;--badback:#fdeeec;--doubt:#7d5000;--doubtback:#fff4dc;--good:#1c6636;--goodback:#e9f6ed}
        @media(prefers-color-scheme:dark){:root{--ink:#e6e7ea;--paper:#15171a;--soft:#9aa1ad;--line:#353a42;--bad:#ff8f86;--badback:#3a1a18;--doubt:#f2c069;--doubtback:#372a10;--good:#7fd49b;--goodback:#14301e}}
        *{box-sizing:border-box}body{font:15px/1.45 system-ui,sans-serif;color:var(--ink);background:var(--paper);max-width:84rem;margin:0 auto;padding:1.2rem;overflow-wrap:anywhere}
        h1{font-size:1.5rem;margin:0}h2{font-size:1.1rem;margin:1.8rem 0 .4rem}.soft{color:var(--soft);margin:.1rem 0}
        .verdict{font-size:1.2rem;font-weight:600;border-left:.4rem solid;padding:.5rem .8rem;margin:1rem 0}
        .fails{color:var(--bad)}.unknown{color:var(--doubt)}.holds{color:var(--good)}
        .verdict.fails{background:var(--badback)}.verdict.unknown{background:var(--doubtback)}.verdict.holds{background:var(--goodback)}
        table{border-collapse:collapse;width:100%}th,td{text-align:left;vertical-align:top;padding:.35rem .6rem .35rem 0;border-bottom:1px solid var(--line)}
        th{font-weight:600;color:var(--soft);font-size:.85rem;overflow-wrap:normal}b{font-weight:600}td.state{white-space:nowrap;font-weight:600}ul{padding-left:1.2rem}
        svg{width:90px;height:24px;display:block}polyline{fill:none;stroke:currentColor;stroke-width:1.5}
        @media screen and (max-width:46rem){body{padding:.8rem}thead{display:none}tr{display:block;border-bottom:1px solid var(--line);padding:.5rem 0}td{display:block;border:0;padding:.1rem 0}td[data-l]::before{content:attr(data-l) ": ";color:var(--soft)}td:empty{display:none}}
        @media print{:root{--ink:#000;--paper:#fff;--soft:#444;--line:#bbb;--bad:#8d130e;--doubt:#5d3c00;--good:#0e4a24;--badback:#fff;--doubtback:#fff;--goodback:#fff}body{font-size:9pt;max-width:none;padding:0}th{font-size:8pt}svg{width:60px}tr,li,.verdict{break-inside:avoid}thead{display:table-header-group}h2{break-after:avoid}@page{margin:14mm}}
        """
}

extension PolicyLine.Verdict {
    /// The class of a page's markup.
    var mark: String {
        switch self {
        case .holds: "holds"
        case .fails: "fails"
        case .unknown: "unknown"
        }
    }
}
