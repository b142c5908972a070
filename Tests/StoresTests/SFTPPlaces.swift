// SFTP servers for tests: OpenSSH's, run directly or behind a real sshd on this machine, with an account that may do all or only create.

import Glibc
import Platform
import Stores
import TestSupport
import Testing

let sftpServer = "/usr/lib/openssh/sftp-server"
let hasSFTP = exists(BytePath(sftpServer))
let hasSSHD = hasSFTP && getuid() == 0 && exists("/usr/sbin/sshd") && exists("/usr/bin/ssh")

/// What takes every right but that to create from an account, on OpenSSH.
let createOnlyOptions =
    "-u 0222 -P remove,rmdir,mkdir,rename,posix-rename,symlink,hardlink,setstat,fsetstat,lsetstat,copy-data"

/// An sshd of our own on 127.0.0.1, for the account `nobody`; it ends with the tests.
final class SSHServer: Sendable {
    /// What the account may do there. Each is a port of its own.
    enum Account: Int, CaseIterable { case plain, createOnly, readOnly, withoutSFTP }

    static let shared = Result { try SSHServer() }

    let scratch: ScratchFolder
    private let ports: [Int]
    private let program: ChildProgram

    init() throws {
        scratch = try ScratchFolder(in: "/dev/shm")
        let ports = try Account.allCases.map { _ in try freePort() }
        func port(_ account: Account) -> Int { ports[account.rawValue] }
        self.ports = ports
        let folder = scratch.path
        shell(
            """
            mkdir -p /run/sshd; chmod 755 '\(folder)'; cd '\(folder)'
            for key in host user other; do ssh-keygen -q -t ed25519 -N '' -f $key; done
            cp user.pub authorized; chmod 644 authorized
            """)
        var text = "HostKey \(folder)/host\nPidFile none\nUsePAM no\nStrictModes no\nListenAddress 127.0.0.1\n"
        text += "AuthorizedKeysFile \(folder)/authorized\nMaxStartups 100\nMaxSessions 20\n"
        for account in Account.allCases { text += "Port \(port(account))\n" }
        text += "Subsystem sftp internal-sftp\n"
        text += "Match LocalPort \(port(.plain))\n  ForceCommand internal-sftp\n"
        text += "Match LocalPort \(port(.createOnly))\n  ForceCommand internal-sftp \(createOnlyOptions)\n"
        text += "Match LocalPort \(port(.readOnly))\n  ForceCommand internal-sftp -R\n"
        text += "Match LocalPort \(port(.withoutSFTP))\n  ForceCommand /bin/echo Only people may come in here.\n"
        try plant(folder.appending("sshd_config"), text)
        // It ends when nobody holds the other end of its input any more.
        program = try ChildProgram([
            "bash", "-c", "/usr/sbin/sshd -D -f '\(folder)/sshd_config' -E '\(folder)/log' & read; kill $!",
        ])
        try writeClient("client", key: "user", knownHosts: "known")
        let key = shell("cut -d' ' -f1,2 '\(folder)/host.pub'")
        try plant(folder.appending("known"), ports.map { "[127.0.0.1]:\($0) \(key)" }.joined())
        for _ in 0..<200 where shell("grep -c 'Server listening' '\(folder)/log'") != "\(ports.count)\n" {
            usleep(20_000)
        }
    }

    func port(_ account: Account) -> Int { ports[account.rawValue] }

    /// A configuration for ssh.
    func writeClient(_ name: String, key: String, knownHosts: String) throws {
        try plant(
            scratch.path.appending(name),
            """
            IdentityFile \(scratch.path)/\(key)
            IdentitiesOnly yes
            UserKnownHostsFile \(scratch.path)/\(knownHosts)
            GlobalKnownHostsFile /dev/null

            """)
    }

    func location(_ folder: BytePath, _ account: Account = .plain) throws -> SFTPLocation {
        try SFTPLocation(bytes("sftp://nobody@127.0.0.1:\(port(account))\(folder)"))
    }

    func store(_ folder: BytePath, _ account: Account = .plain, client: String = "client") throws -> SFTPStore {
        SFTPStore(
            try location(folder, account), ssh: ["ssh", "-F", ProgramWord(scratch.path.appending(client))])
    }
}

/// A port that nobody listens on.
func freePort() throws -> Int {
    let descriptor = Descriptor(owning: socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0))
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
    var length = socklen_t(MemoryLayout<sockaddr_in>.size)
    let result = withUnsafeMutablePointer(to: &address) {
        $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
            bind(descriptor.raw, $0, length) == 0 ? getsockname(descriptor.raw, $0, &length) : -1
        }
    }
    try #require(result == 0)
    return Int(UInt16(bigEndian: address.sin_port))
}

/// A place for the account of `SSHServer`.
func placeOfNobody() throws -> ScratchFolder {
    let scratch = try ScratchFolder(in: "/dev/shm")
    shell("chown nobody '\(scratch.path)'")
    return scratch
}

extension StorePlace {
    /// On a server that is run directly.
    convenience init(
        sftp scratch: ScratchFolder, program: [ProgramWord] = [ProgramWord(sftpServer)], connections: Int = 4,
        deadline: Int = 60_000, _ wrap: (any ObjectStore) -> any ObjectStore = { $0 }
    ) throws {
        let folder = scratch.path.appending("store")
        let location = try SFTPLocation(bytes("sftp://server\(folder)"))
        self.init(
            scratch, folder,
            store: wrap(SFTPStore(location, connections: connections, deadline: deadline, program: program)))
    }
}

/// Has the folders of an object made before it is, as whoever sets up an account does that may not make any.
final class PreparedStore: InterposedStore, @unchecked Sendable {
    private let folder: BytePath

    init(_ store: any ObjectStore, _ folder: BytePath) {
        self.folder = folder
        super.init(store)
    }

    override func around<R>(
        _ number: Int, _ call: StoreCall, _ body: () throws(StoreError) -> R
    ) throws(StoreError) -> R {
        if [.create, .put, .time].contains(call.verb) {
            var path = folder
            var parts = call.name.split(separator: "/").map(String.init)
            if call.verb != .time { parts.removeLast() }
            for part in [nil] + parts.map(Optional.some) {
                if let part { path = path.appending(part) }
                plantFolder(path)
                _ = path.withCString { chown($0, 65534, 65534) }
            }
        }
        return try body()
    }
}
