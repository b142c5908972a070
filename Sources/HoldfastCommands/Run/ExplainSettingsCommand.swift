// `holdfast explain-settings`: the configuration file of the package, and what its manual page is made of.

internal import ArgumentParser
internal import Machine

struct ExplainSettingsCommand: HoldfastCommand {
    static let configuration = CommandConfiguration(
        commandName: "explain-settings", abstract: "Print a configuration that explains each setting and sets none.",
        shouldDisplay: false)

    @OptionGroup(title: "Everywhere") var global: GlobalOptions

    /// It helps whose configuration has a mistake.
    var goesOnRegardless: Bool { true }

    func perform(_ session: Session) throws -> Outcome {
        if session.console.isJSON {
            session.console.document(
                .object([
                    ("file", .text("\(Places.standardConfigurationFile)")),
                    ("tables", .list(Settings.tables.map(document))),
                ]))
        } else {
            session.console.result(text)
        }
        return .done
    }

    private func document(_ table: SettingTable) -> JSON {
        .object([
            ("name", table.name.map(JSON.text)), ("explanation", .text(table.explanation.joined(separator: " "))),
            (
                "settings",
                .list(
                    table.settings.map { setting in
                        .object([
                            ("name", .text(setting.name)), ("wants", .text(setting.wants)),
                            ("explanation", .text(setting.explanation.joined(separator: " "))),
                            ("default", .text(setting.standard)), ("example", .text(setting.example)),
                        ])
                    })
            ),
        ])
    }

    /// What begins with # and a blank explains; what begins with # alone is a setting.
    private var text: String {
        var lines =
            remark(
                "The configuration of Holdfast. Everything in it is optional. A setting stands here with a # before it; "
                    + "without that it holds, and so must the line in brackets above it. holdfast.toml(5) says the same."
            )
        for table in Settings.tables {
            if let name = table.name {
                lines += [""] + remark(table.explanation.joined(separator: " ")) + ["#[\(name)]"]
            }
            for setting in table.settings {
                lines += [""] + remark(setting.explanation.joined(separator: " "))
                lines += remark("It wants \(setting.wants). Default: \(setting.standard).") + ["#" + setting.example]
            }
        }
        return lines.joined(separator: "\n") + "\n"
    }

    /// Broken into lines of at most 80 columns.
    private func remark(_ text: String) -> [String] {
        var lines = ["#"]
        for word in text.split(separator: " ") {
            if lines[lines.count - 1].count + 1 + word.count > 80 { lines.append("#") }
            lines[lines.count - 1] += " " + word
        }
        return lines
    }
}
