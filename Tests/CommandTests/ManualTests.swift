// The manual pages, which are made of what the program says of itself.

import TestSupport
import Testing

@testable import HoldfastCommands

@Suite struct ManualTests {
    private static let maker =
        "SOURCE_DATE_EPOCH=1790000000 '\(packageFolder)/Sources/Packaging/manual' \(builtProgram)"

    @Test("Every command that help shows has a manual page with all that the tools for pages look for")
    func pages() {
        let place = Workplace()
        let made = place.shell("\(Self.maker) pages && ls pages")
        #expect(made.status == 0, "\(made)")
        let names = Set(made.output.split(separator: "\n").map(String.init))
        let wanted = ExampleTests.Shown.all.map { $0.words.joined(separator: "-") + ".1" } + ["holdfast.toml.5"]
        #expect(names == Set(wanted), "\(names.symmetricDifference(wanted))")
        for command in ExampleTests.Shown.all {
            let name = command.words.joined(separator: "-")
            let page = place.shell("cat pages/\(name).1").output
            for section in ["NAME", "SYNOPSIS", "DESCRIPTION", "OPTIONS", "EXAMPLES", "EXIT STATUS", "SEE ALSO"] {
                #expect(page.contains("\n.SH \(section)\n"), "\(name) has no \(section)")
            }
            let shown = name.replacing("-", with: "\\-")
            #expect(page.contains("\n.SH NAME\n\(shown) \\- "), "\(name)")
            #expect(page.hasPrefix(".TH \(shown.uppercased()) 1 2026-09-21 \"\(Version.tool)\" "), "\(name)")
            for status in [0, 1, 2, 3, 4, 130] { #expect(page.contains("\n\\fB\(status)\\fR\n"), "\(name)") }
        }
    }

    @Test("The pages are the same each time, without a warning of what shows them")
    func sound() {
        let place = Workplace()
        let outcome = place.shell(
            """
            \(Self.maker) a && \(Self.maker) b && diff -r a b && cd a || exit
            if command -v mandoc > /dev/null; then mandoc -T lint -W warning *; fi
            if command -v lexgrog > /dev/null; then for page in *; do lexgrog "$page" > /dev/null || echo "$page"; done; fi
            if command -v groff > /dev/null; then for page in *; do groff -ww -mandoc -z "$page"; done; fi
            """)
        #expect(outcome.output.isEmpty && outcome.status == 0, "\(outcome)")
    }
}
