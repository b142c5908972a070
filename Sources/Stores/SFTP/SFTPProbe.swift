// What an SFTP server keeps to, tried on one small object, and the account that can do no more than create.

internal import Platform

extension SFTPStore: ProbedStore {
    public func promises(_ name: String) throws(StoreError) -> StorePromises {
        var creation = StorePromises.Creation.ignored
        // The first may find what an earlier probe left.
        for _ in 0..<2 {
            do throws(StoreError) { try put(name, Array("probe\n".utf8)) } catch {
                guard error.reason == .exists else { throw error }
                creation = .enforced
                break
            }
        }
        let folder = String(name[..<(name.lastIndex(of: "/") ?? name.startIndex)])
        let time = try time(in: folder)
        var result = StorePromises(creation: creation, canRemove: try removeIfAllowed(name))
        result.clockOffset = time.map { $0 &- Timestamp.now().seconds }
        result.synchronizesFolders = notes.isEmpty
        return result
    }

    /// What takes every right but that to create from an account, on OpenSSH.
    private static let refusals =
        "remove,rmdir,mkdir,rename,posix-rename,symlink,hardlink,setstat,fsetstat,lsetstat,copy-data"

    public func policy(creating: [String], reading: [String], listing: [String], hiding: [String]) -> StorePolicy {
        let user = location.user ?? "ACCOUNT"
        let text = """
            # /etc/ssh/sshd_config of the server: an account for this machine alone.
            Match User \(user)
                ForceCommand internal-sftp -u 0222 -P \(Self.refusals)
                DisableForwarding yes
                PermitTTY no
                ClientAliveInterval 30
                ClientAliveCountMax 4

            """
        let folders = creating.map { $0.hasSuffix("/") ? String($0.dropLast()) : $0 }
        return StorePolicy(
            text: text,
            remarks: [
                "The account creates files, and can neither change, rename nor remove any. It reads what the server's rights let it read; "
                    + "contents are encrypted for others.",
                "Its folders have to be there, since it makes none: \(folders.joined(separator: ", ")). `holdfast store join` with an account that may make folders makes them; "
                    + "the account needs the right to write in these, and in no others.",
                "Where the server keeps snapshots of the store's folder, they outlast whoever has its administrator's rights.",
            ])
    }
}
