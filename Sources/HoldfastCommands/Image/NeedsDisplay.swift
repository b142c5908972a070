// What is needed to restore a machine, as people read it in 80 columns. All of it came out of an image: none of it is shown unescaped.

internal import Stewardship

struct NeedsDisplay {
    let needs: MachineNeeds
    /// Whether packages and enabled units are named, not only counted.
    let isVerbose: Bool

    private static let columns = 80

    var text: String {
        var lines: [String] = []
        func section(_ title: String, _ content: [String]) {
            if content.isEmpty { return }
            lines += (lines.isEmpty ? [] : [""]) + [title] + content
        }
        section("SYSTEM", system)
        section("DISKS", (needs.disks ?? []).flatMap(disk))
        section("NETWORK", network)
        section("UNITS", units)
        section("PACKAGES", packages)
        section("NOT IN THE IMAGE", (needs.notCovered ?? []).flatMap { entry("\($0.what): \($0.why)") })
        section("NOT KNOWN", (needs.notAsked ?? []).flatMap { entry($0) })
        return lines.isEmpty ? "" : lines.joined(separator: "\n") + "\n"
    }

    private var system: [String] {
        guard let system = needs.system else { return [] }
        return [
            ("distribution", system.distribution), ("kernel", system.kernel), ("architecture", system.architecture),
            ("firmware", system.firmware), ("hardware", system.hardware),
        ].flatMap { name, value in value.map { entry("\(name): \($0)") } ?? [] }
    }

    private func disk(_ disk: MachineNeeds.Disk) -> [String] {
        let start = disk.start.map { "from byte \(Text.number($0))" }
        let on = disk.on.map { "on \($0.joined(separator: ", "))" }
        let what = [
            Text.size(disk.size), disk.kind, disk.model, disk.serial.map { "serial \($0)" },
            disk.table.map { "table \($0)\(of(disk.tableID))" }, on, start,
            disk.content.map { "\($0)\(of(disk.contentID))" }, disk.label.map { "\"\($0)\"" },
            disk.partitionType.map { "type \($0)" }, disk.partitionID.map { "partition \($0)" },
            disk.mounts.map { "at \($0.joined(separator: ", "))" },
        ].compactMap { $0 }
        return entry("\(disk.name): \(what.joined(separator: ", "))", indent: disk.disk == nil ? 2 : 4)
    }

    private func of(_ id: String?) -> String { id.map { " \($0)" } ?? "" }

    private var network: [String] {
        guard let network = needs.network else { return [] }
        let interfaces = network.interfaces.flatMap { interface in
            entry(
                "\(interface.name): "
                    + ([interface.hardwareAddress].compactMap { $0 } + interface.addresses).joined(separator: ", "))
        }
        return interfaces + (network.routes + network.resolver).flatMap { entry($0) }
    }

    private var units: [String] {
        guard let units = needs.units else { return [] }
        var lines: [String] = []
        for (name, list) in [("failed", units.failed ?? []), ("masked", units.masked)] where !list.isEmpty {
            lines += entry("\(name): \(list.joined(separator: ", "))")
        }
        let enabled = units.enabled
        if isVerbose {
            lines += entry("enabled: \(enabled.joined(separator: ", "))")
        } else if !enabled.isEmpty {
            lines += entry("enabled: \(enabled.count), which --verbose names")
        }
        return lines
    }

    private var packages: [String] {
        guard let packages = needs.packages else { return [] }
        let count = packages.count ?? packages.list.count
        if !isVerbose || packages.list.isEmpty {
            let more = packages.list.isEmpty ? "" : ", which --verbose names"
            return entry("\(count) of \(packages.manager)\(more)")
        }
        // As apt-get takes them.
        return entry("\(count) of \(packages.manager):")
            + packages.list.flatMap { package in
                let architecture = package.count > 2 && package[2] != "all" ? ":\(package[2])" : ""
                return entry("\(package.first ?? "")\(architecture)=\(package.count > 1 ? package[1] : "")", indent: 4)
            }
    }

    /// One thing, broken where it is longer than a line; what is one word is never cut.
    private func entry(_ text: String, indent: Int = 2) -> [String] {
        var lines: [String] = []
        var line = String(repeating: " ", count: indent)
        var isEmpty = true
        for word in Text.safe(text).split(separator: " ") {
            if !isEmpty, Text.width(line) + 1 + Text.width(String(word)) > Self.columns {
                lines.append(line)
                (line, isEmpty) = (String(repeating: " ", count: indent + 4), true)
            }
            line += (isEmpty ? "" : " ") + word
            isEmpty = false
        }
        return lines + [line]
    }
}
