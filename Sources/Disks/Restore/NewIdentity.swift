// What makes a machine another than the one whose disk it has: taken out of the restored system before its first start, so that two machines
// from one image are not taken for one. Users, their files and logs stay as they are.

internal import Platform

/// Makes a restored system a machine of its own.
/// - Parameter hostName: its new name; nil: as it was.
func giveNewIdentity(_ root: inout SystemRoot, hostName: String?) {
    // systemd makes another at the first start, and takes that for a first start of all.
    root.write("uninitialized\n", to: "etc/machine-id", "machine id")
    root.remove("var/lib/dbus/machine-id", "machine id")
    // Two machines with one seed would make the same keys.
    root.remove("var/lib/systemd/random-seed", "random seed")
    root.remove("var/lib/systemd/credential.secret", "credential key")
    root.remove(in: "etc/ssh", "SSH host keys") {
        $0.hasPrefix("ssh_host_") && ($0.hasSuffix("_key") || $0.hasSuffix("_key.pub"))
    }
    if root.exists("usr/bin/ssh-keygen") {
        root.write(sshKeysUnit, to: "etc/systemd/system/holdfast-ssh-keys.service", "SSH host keys")
        root.link(
            "etc/systemd/system/multi-user.target.wants/holdfast-ssh-keys.service", to: "../holdfast-ssh-keys.service",
            "SSH host keys")
    }
    root.remove(in: "var/lib/dhcp", "DHCP leases") { $0.hasSuffix(".leases") }
    for name in ["duid", "secret"] { root.remove("var/lib/dhcpcd/\(name)", "DHCP identity") }
    root.remove(in: "var/lib/dhcpcd", "DHCP leases") { $0.hasSuffix(".lease") || $0.hasSuffix(".lease6") }
    root.remove("etc/dhcpcd.duid", "DHCP identity")
    root.remove(in: "var/lib/NetworkManager", "DHCP leases") { $0.hasSuffix(".lease") || $0 == "secret_key" }
    // Who a machine is to its stores, and what it has done: the copy joins again, and its log begins anew.
    for path in ["stores", "known-stores", "jobs", "log"] {
        root.removeAll("var/lib/holdfast/\(path)", "Holdfast")
    }
    root.removeAll("var/cache/holdfast", "Holdfast")
    if let hostName { rename(&root, hostName) }
}

/// The host's name where it stands as a word of its own.
private func rename(_ root: inout SystemRoot, _ name: String) {
    let old = root.text(of: "etc/hostname")?.split(separator: "\n").first.map(String.init) ?? ""
    root.write(name + "\n", to: "etc/hostname", "host name")
    guard !old.isEmpty, let hosts = root.text(of: "etc/hosts") else { return }
    let lines = hosts.split(separator: "\n", omittingEmptySubsequences: false).map { line -> String in
        guard line.hasPrefix("127.") else { return String(line) }
        return line.split(separator: " ", omittingEmptySubsequences: false).map { word in
            word.split(separator: "\t", omittingEmptySubsequences: false).map { part -> String in
                if part == old { return name }
                return part.hasPrefix(old + ".") ? name + part.dropFirst(old.count) : String(part)
            }.joined(separator: "\t")
        }.joined(separator: " ")
    }
    root.write(lines.joined(separator: "\n"), to: "etc/hosts", "host name")
}

private let sshKeysUnit = """
    [Unit]
    Description=Host keys of SSH, which a copy of another machine makes anew
    Before=ssh.service sshd.service
    ConditionPathExistsGlob=!/etc/ssh/ssh_host_*_key

    [Service]
    Type=oneshot
    ExecStart=/usr/bin/ssh-keygen -A

    [Install]
    WantedBy=multi-user.target

    """
