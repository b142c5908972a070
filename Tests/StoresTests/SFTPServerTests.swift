// What real servers say, and what is made of it: a sentence with its mend for each way in which ssh can fail, and the limits of a server.

import Glibc
import Platform
import Reporting
import Stores
import Synchronization
import TestSupport
import Testing

@Suite("An SFTP server", .enabled(if: hasSSHD)) struct SFTPServerTests {
    private func failure(_ call: () throws -> Void) -> StoreError? {
        do {
            try call()
            return nil
        } catch { return error as? StoreError }
    }

    private func failure(
        client: String = "client", _ account: SSHServer.Account = .plain
    ) throws -> StoreError? {
        let store = try SSHServer.shared.get().store("/dev/shm/holdfast-none", account, client: client)
        return failure { _ = try store.list("v") }
    }

    @Test("A host key that is not known is refused, with what to compare")
    func unknownKey() throws {
        let server = try SSHServer.shared.get()
        try server.writeClient("unknown", key: "user", knownHosts: "none")
        let error = try #require(try failure(client: "unknown"))
        #expect(error.reason == .refused)
        #expect(error.description.contains("host key is not known"))
        #expect(error.mend?.contains("ssh -p \(server.port(.plain)) nobody@127.0.0.1") ?? false)
    }

    @Test("A host key that has changed is refused, with what it may mean")
    func changedKey() throws {
        let server = try SSHServer.shared.get()
        let other = shell("cut -d' ' -f1,2 '\(server.scratch.path)/other.pub'")
        try plant(
            server.scratch.path.appending("changed"), "[127.0.0.1]:\(server.port(.plain)) \(other)")
        try server.writeClient("changed-client", key: "user", knownHosts: "changed")
        let error = try #require(try failure(client: "changed-client"))
        #expect(error.reason == .refused)
        #expect(error.description.contains("another one than before"))
        #expect(error.mend?.contains("ssh-keygen -R '[127.0.0.1]:\(server.port(.plain))'") ?? false)
    }

    @Test("A key that the account does not accept is refused")
    func wrongKey() throws {
        let server = try SSHServer.shared.get()
        try server.writeClient("wrong", key: "other", knownHosts: "known")
        let error = try #require(try failure(client: "wrong"))
        #expect(error.reason == .refused)
        #expect(error.description.contains("none of the keys"))
        #expect(error.mend?.contains("ssh-add -l") ?? false)
    }

    @Test("An account that has no SFTP is of no use, with what it says instead")
    func noSFTP() throws {
        let error = try #require(try failure(.withoutSFTP))
        #expect(error.reason == .unusable)
        #expect(error.description.contains("This account is currently not available"))
        #expect(error.mend?.contains("internal-sftp") ?? false)
    }

    @Test("A server that is not there is unreachable, in ssh's own words")
    func nobodyThere() throws {
        let closed = SFTPStore(try SFTPLocation(bytes("sftp://nobody@127.0.0.1:\(try freePort())/srv/store")))
        let refused = failure { _ = try closed.list("v") }
        #expect(refused?.reason == .unreachable)
        #expect(refused?.description.contains("Connection refused") ?? false, "\(String(describing: refused))")
        let unknown = SFTPStore(try SFTPLocation(bytes("sftp://no-such-host.invalid/srv/store")))
        let error = failure { _ = try unknown.open("v/one", length: nil) }
        #expect(error?.reason == .unreachable)
        #expect(error?.description.contains("no-such-host.invalid") ?? false)
    }

    @Test("What may be read only is refused when it is written, and read")
    func readOnly() throws {
        let scratch = try placeOfNobody()
        let server = try SSHServer.shared.get()
        let folder = scratch.path.appending("store")
        try server.store(folder).put("v/one", bytes("one"))
        let store = try server.store(folder, .readOnly)
        #expect(try store.read("v/one", limit: 10) == bytes("one"))
        let error = failure { try store.put("v/two", bytes("two")) }
        #expect(error?.reason == .refused)
        #expect(error?.mend?.contains("account") ?? false)
        #expect(reason { try store.remove("v/one") } == .refused)
        #expect(try store.time(in: "v") == nil)
    }

    @Test("A folder that the account may not make is named, with who makes it")
    func missingFolder() throws {
        let scratch = try placeOfNobody()
        let server = try SSHServer.shared.get()
        let folder = scratch.path.appending("store")
        let store = try server.store(folder, .createOnly)
        let error = failure { try store.put("v/one", bytes("one")) }
        #expect(error?.reason == .refused)
        #expect(error?.mend?.contains("store init") ?? false)
        // Made by an account that may.
        try server.store(folder).makeFolder("v")
        try store.put("v/one", bytes("one"))
        #expect(try store.read("v/one", limit: 10) == bytes("one"))
        // Born so that nobody writes it a second time.
        #expect(shell("stat -c %a '\(folder)/v/one'") == "444\n")
    }

    @Test("A folder that may be read and not entered is an error, and never an empty one")
    func unsearchable() throws {
        let scratch = try placeOfNobody()
        let folder = scratch.path.appending("store")
        let store = try SSHServer.shared.get().store(folder)
        try store.put("v/ab/one", bytes("one"))
        for (mode, path) in [("444", "v/ab"), ("000", "v/ab"), ("444", "v")] {
            shell("chmod \(mode) '\(folder)/\(path)'")
            #expect(reason { _ = try store.list("v") } == .refused, "\(mode) \(path)")
            shell("chmod 755 '\(folder)/\(path)'")
        }
        #expect(try store.list("v").count == 1)
        #expect(reason { try store.put("../x", []) } == .refused)
        shell("chown root '\(folder)/v/ab'; chmod 755 '\(folder)/v/ab'")
        #expect(reason { try store.put("v/ab/two", []) } == .refused)
        #expect(reason { try store.remove("v/ab/one") } == .refused)
    }

    @Test("A medium that is full is said to be, and what did not fit is gone")
    func full() throws {
        let scratch = try ScratchFolder(tmpfs: "2m")
        let place = try StorePlace(sftp: scratch)
        try place.store.put("v/one", bytes("one"))
        for _ in 0..<2 {
            let error = failure { try place.store.put("v/two", [UInt8](repeating: 1, count: 8 << 20)) }
            #expect(error?.reason == .full, "\(String(describing: error))")
        }
        #expect(try place.store.list("v").map(\.name) == ["v/one"])
        // No room for a name either.
        shell("mount -o remount,nr_inodes=5 '\(scratch.path)'; touch '\(scratch.path)'/{1..9}")
        #expect(failure { try place.store.put("v/three", []) }?.reason == .full)
        shell("rm -f '\(scratch.path)'/[1-9]; mount -o remount,ro '\(scratch.path)'")
        let error = failure { try place.store.put("v/three", []) }
        #expect(error?.reason == .refused)
        #expect(error?.description.contains("read-only") ?? false)
        #expect(reason { try place.store.remove("v/one") } == .refused)
    }

    @Test(
        "What is no file is no object, and holds nobody up",
        arguments: ["mkfifo X", "mkdir X", "ln -s two X", "ln -s nowhere X"])
    func noFile(making: String) throws {
        let place = try StorePlace(sftp: ScratchFolder(in: "/dev/shm"), deadline: 20_000)
        try place.store.put("v/two", bytes("2"))
        shell("cd '\(place.folder)/v' && \(making)")
        let begin = Timestamp.now().seconds
        #expect(reason { _ = try place.store.open("v/X", length: nil) } == .absent)
        #expect(reason { _ = try place.store.open("v/X", length: 1) } == .absent)
        #expect(reason { try place.store.put("v/X", bytes("x")) } == .exists)
        #expect(try place.store.list("v").map(\.name) == ["v/two"])
        try place.store.remove("v/X")
        #expect(Timestamp.now().seconds - begin < 5)
        #expect(try place.store.read("v/two", limit: 1) == bytes("2"))
    }

    @Test("A file where a folder should be is no empty folder")
    func fileForFolder() throws {
        let place = try StorePlace(sftp: ScratchFolder(in: "/dev/shm"))
        try place.store.put("v/one", bytes("1"))
        #expect(reason { _ = try place.store.list("v/one") } == .refused)
        #expect(reason { try place.store.put("v/one/x", []) } == .refused)
        shell("ln -s nowhere '\(place.folder)/l'; ln -s '\(place.folder)' '\(place.scratch.path)/m'")
        #expect(reason { _ = try place.store.list("l") } == .refused)
        let through = try StorePlace(
            place.scratch, place.folder,
            store: SFTPStore(
                SFTPLocation(bytes("sftp://server\(place.scratch.path)/m")), program: [ProgramWord(sftpServer)]))
        #expect(try through.store.list("v").count == 1)
    }

    @Test("More sources than a server keeps files open for are read all the same, by several threads")
    func manySources() throws {
        let place = try StorePlace(
            sftp: ScratchFolder(in: "/dev/shm"), program: ["/bin/bash", "-c", "ulimit -n 40; exec \(sftpServer)"])
        try place.store.put("v/0", bytes("0"))
        for number in 1..<150 { try plant(place.folder.appending("v/\(number)"), "content \(number)") }
        let sources = try (1..<150).map { try place.store.open("v/\($0)", length: nil) }
        let wrong = Mutex<[String]>([])
        let read: @Sendable () -> Void = {
            for _ in 0..<3 {
                for (index, source) in sources.enumerated() {
                    let found = try? source.read(at: 0, count: Int(source.length))
                    if found != bytes("content \(index + 1)") { wrong.withLock { $0.append("\(index + 1)") } }
                }
            }
        }
        together(read, read, read)
        #expect(wrong.withLock { $0 } == [])
        #expect(try place.store.list("v").count == 150)
    }

    @Test(
        "Several conversations are begun where calls overlap, at most as many as there may be, and all end with the store"
    )
    func conversations() throws {
        let marker = "holdfast-sftp-\(UInt32.random(in: 0...UInt32.max))"
        try converse(marker)
        for _ in 0..<100 where shell("pgrep -cf '^\(marker)'") != "0\n" { usleep(20_000) }
        #expect(shell("pgrep -cf '^\(marker)'") == "0\n")
    }

    private func converse(_ marker: String) throws {
        let scratch = try ScratchFolder(in: "/dev/shm")
        let store = SFTPStore(
            try SFTPLocation(bytes("sftp://server\(scratch.path)/store")),
            program: ["/bin/bash", "-c", "exec -a \(marker) \(sftpServer)"])
        try store.put("v/one", bytes("1"))
        #expect(store.conversations == 1)
        let work: @Sendable (Int) -> Void = { thread in
            for number in 0..<10 { try? store.put("v/\(thread)-\(number)", [UInt8](repeating: 1, count: 2 << 20)) }
        }
        together({ work(1) }, { work(2) }, { work(3) }, { work(4) }, { work(5) }, { work(6) })
        #expect(try store.list("v").count == 61)
        #expect((2...4).contains(store.conversations))
        #expect(shell("pgrep -cf '^\(marker)'") == "\(store.conversations)\n")
    }

    @Test("A server without extensions is used as it is, and people are told what it lacks")
    func oldServer() throws {
        // OpenSSH's own, with its extensions taken out of its greeting.
        let place = try StorePlace(
            sftp: ScratchFolder(in: "/dev/shm"),
            program: [
                "/usr/bin/python3", "-c",
                """
                import os, struct, subprocess, sys, threading
                child = subprocess.Popen(['\(ProgramWord(sftpServer).shown)'], stdout=subprocess.PIPE)
                head = child.stdout.read(4); child.stdout.read(struct.unpack('>I', head)[0])
                os.write(1, struct.pack('>IBI', 5, 2, 3))
                while b := os.read(child.stdout.fileno(), 65536): os.write(1, b)
                """,
            ])
        let store = try #require(place.store as? SFTPStore)
        try store.put("v/one", content)
        #expect(try store.read("v/one", limit: 1 << 20) == content)
        #expect(store.notes.count == 1)
        #expect(store.notes.first?.contains("fsync") ?? false)
        #expect(reason { try store.put("v/one", content) } == .exists)
        let plain = try StorePlace(sftp: ScratchFolder(in: "/dev/shm"))
        try plain.store.put("v/one", content)
        #expect((plain.store as? SFTPStore)?.notes == [])
    }

    private var content: [UInt8] { (0..<300_000).map { UInt8(truncatingIfNeeded: $0 &* 7) } }

    @Test("A program that is talked to gets a session of its own, three descriptors, and no secrets of the environment")
    func child() throws {
        setenv("HOLDFAST_TEST_SECRET", "hidden", 1)
        defer { unsetenv("HOLDFAST_TEST_SECRET") }
        let program = try ChildProgram(
            ["bash", "-c", "ls -l /proc/$$/fd | grep -c socket; ps -o sid= -p $$; echo $$; env; pwd"],
            variables: ["HOME"])
        var text = ""
        var buffer = [UInt8](repeating: 0, count: 4096)
        while try program.wait(milliseconds: 5000).stream {
            let count = try buffer.withUnsafeMutableBytes { try program.receive(into: $0) } ?? 0
            if count == 0 { break }
            text += String(decoding: buffer[..<count], as: UTF8.self)
        }
        let lines = text.split(separator: "\n").map { $0.trimmingPrefix(" ") }
        #expect(lines.count > 3)
        #expect(lines[0] == "3")
        #expect(lines[1] == lines[2])
        #expect(!text.contains("hidden"))
        #expect(lines.last == "/")
        program.end(within: 1000)
        program.end(within: 1000)
    }
}
