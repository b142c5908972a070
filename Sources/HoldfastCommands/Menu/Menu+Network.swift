// The network of a system that was started from a stick: asked for (DHCP), or typed.

internal import Glibc
internal import Platform

extension Menu {
    func network() throws {
        let names = BlockDevice.names(in: "/sys/class/net").filter { $0 != "lo" }.sorted()
        if names.isEmpty { throw said(.noInterface) }
        let name = names[
            try terminal.choose(
                .whichInterface,
                names.map { name in
                    let facts = ["address", "operstate"].compactMap { BlockDevice.text("/sys/class/net/\(name)/\($0)") }
                    return "\(Text.safe(name))  \(facts.joined(separator: "  "))"
                })]
        if try terminal.choose(.networkHow, [MenuWord.networkAutomatic, .networkByHand]) == 0 {
            try askNetwork(name)
        } else {
            try typeNetwork(name)
        }
        // What it has now, whoever gave it.
        for command: [ProgramWord] in [["ip", "address", "show", "dev", ProgramWord(name)], ["ip", "route"]] {
            _ = try start(command)
        }
        try terminal.waitForEnter()
    }

    private func askNetwork(_ name: String) throws {
        let interface = ProgramWord(name)
        let up: [ProgramWord] = ["ip", "link", "set", "dev", interface, "up"]
        let clients: [(program: String, words: [ProgramWord])] = [
            ("udhcpc", ["udhcpc", "-n", "-q", "-i", interface]), ("dhclient", ["dhclient", "-1", interface]),
            ("busybox", ["busybox", "udhcpc", "-n", "-q", "-i", interface]),
        ]
        let there = clients.first { client in
            ["/usr/sbin", "/usr/bin", "/sbin", "/bin"].contains { exists(BytePath("\($0)/\(client.program)")) }
        }
        guard let client = there else { throw said(.noNetworkClient) }
        try confirm([MenuWord.networkWill.text(terminal.language, [name])], [up, client.words])
        try runAll([up, client.words])
    }

    private func typeNetwork(_ name: String) throws {
        let interface = ProgramWord(name)
        let address = try askAddress(.typeAddress, hasLength: true, allowsNothing: false)
        let gateway = try askAddress(.typeGateway, hasLength: false, allowsNothing: true)
        let server = try askAddress(.typeNameServer, hasLength: false, allowsNothing: true)
        var commands: [[ProgramWord]] = [
            ["ip", "address", "flush", "dev", interface],
            ["ip", "address", "add", ProgramWord(address), "dev", interface],
            ["ip", "link", "set", "dev", interface, "up"],
        ]
        if !gateway.isEmpty { commands.append(["ip", "route", "replace", "default", "via", ProgramWord(gateway)]) }
        var lines = [MenuWord.networkWill.text(terminal.language, [name])]
        if !server.isEmpty { lines.append(MenuWord.nameServerGoes.text(terminal.language, [server])) }
        try confirm(lines, commands)
        try runAll(commands)
        if !server.isEmpty { try replaceFile("/etc/resolv.conf", Array("nameserver \(server)\n".utf8), mode: 0o644) }
    }

    /// Ends with the first that fails.
    private func runAll(_ commands: [[ProgramWord]]) throws {
        for command in commands {
            let status = try start(command)
            if status != 0 {
                tell(status: status, ofOther: true)
                return
            }
        }
    }

    private func askAddress(_ question: MenuWord, hasLength: Bool, allowsNothing: Bool) throws -> String {
        let typed = try terminal.ask(question, allowsNothing: allowsNothing) { bytes in
            MenuAddress.isOne(String(decoding: bytes, as: UTF8.self), hasLength: hasLength)
                ? nil : MenuWord.noAddress.text(self.terminal.language)
        }
        return String(decoding: typed, as: UTF8.self)
    }
}

enum MenuAddress {
    /// `192.168.0.10`, `fe80::1`; with a length `192.168.0.10/24`.
    static func isOne(_ text: String, hasLength: Bool) -> Bool {
        let parts = text.split(separator: "/", omittingEmptySubsequences: false)
        guard parts.count == (hasLength ? 2 : 1) else { return false }
        var room = in6_addr()
        let (isFour, isSix) = (
            inet_pton(AF_INET, String(parts[0]), &room) == 1, inet_pton(AF_INET6, String(parts[0]), &room) == 1
        )
        guard isFour || isSix else { return false }
        guard hasLength else { return true }
        guard parts[1].allSatisfy({ $0.isASCII && $0.isNumber }), let length = Int(parts[1]) else { return false }
        return (1...(isFour ? 32 : 128)).contains(length)
    }
}
