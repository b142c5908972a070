// What a store in a folder has to do beyond what every store does: tell the system's errors apart, be durable in the right order, and live
// with what people leave in the folder.

import Glibc
import Platform
import Stores
import Synchronization
import TestSupport
import Testing

@Suite("A store in a folder") struct FolderTests {
    // MARK: Errors

    /// The reasons of all calls on a store that has `v/one`, each in words.
    private static func reasons(_ store: any ObjectStore, folder: String = "v", name: String = "v/one") -> [String] {
        func word(_ call: () throws -> Void) -> String { reason(call).map { "\($0)" } ?? "done" }
        return [
            "list \(word { _ = try store.list(folder) })",
            "read \(word { _ = try store.open(name, length: nil).read(at: 0, count: 1) })",
            "put \(word { try store.put("\(folder)/new", bytes("new")) })",
            "put there \(word { try store.put(name, bytes("new")) })",
            "remove \(word { try store.remove(name) })",
        ]
    }

    @Test("Says refused, and not absent, to whom the folder does not belong", arguments: [0o000, 0o111, 0o555, 0o711])
    func rights(mode: Int) throws {
        let place = StorePlace(try ScratchFolder())
        shell("chmod 755 '\(place.scratch.path)'")
        try place.store.put("v/one", bytes("one"))
        shell("chmod \(String(mode, radix: 8)) '\(place.folder)/v'; chmod 600 '\(place.folder)/v/one'")
        let found = Mutex<[String]>([])
        // The place itself must not end in that thread, which could not remove it.
        let folder = place.folder
        asNobody {
            let reasons = Self.reasons(FolderStore(folder))
            found.withLock { $0 = reasons }
        }
        let list = mode == 0o555 ? "done" : "refused"
        let there = mode == 0 ? "refused" : "exists"
        // Without the right to look into a folder it cannot even be opened for listing; with 111 and 711, names that are known can be used.
        let expected = [
            "list \(list)", "read refused", "put refused", "put there \(mode == 0o555 ? there : "refused")",
            "remove refused",
        ]
        #expect(found.withLock { $0 } == expected)
        #expect(try place.store.read("v/one", limit: 3) == bytes("one"))
    }

    @Test("Says refused of a medium that is mounted read-only, and how that is mended")
    func readOnly() throws {
        let place = StorePlace(try ScratchFolder(tmpfs: "1m"))
        try place.store.put("v/one", bytes("one"))
        shell("mount -o remount,ro '\(place.scratch.path)'")
        #expect(
            Self.reasons(place.store) == [
                "list done", "read done", "put refused", "put there exists", "remove refused",
            ])
        do throws(StoreError) {
            try place.store.put("w/one", [])
            Issue.record("written to a read-only medium")
        } catch {
            #expect(error.reason == .refused)
            #expect(error.mend == "mount it so that it can be written, or use another one")
            #expect(error.exitStatus == 4)
        }
    }

    @Test("What is full is told by its mount and its size, with what did not fit; inodes that are used up, too")
    func fullMount() throws {
        func sentence(_ call: () throws(StoreError) -> Void) -> String {
            do throws(StoreError) {
                try call()
                return "done"
            } catch { return error.description }
        }
        let place = StorePlace(try ScratchFolder(tmpfs: "4m"))
        let mount = "\(place.scratch.path) (holdfast-test, 4 MB)"
        try place.store.put("v/one", [UInt8](repeating: 1, count: 1 << 20))
        let large = [UInt8](repeating: 1, count: 5_000_000)
        let said = sentence { () throws(StoreError) in try place.store.put("v/two", large) }
        #expect(said.hasPrefix("\(mount) is full") && !said.contains("v/two"), "\(said)")
        shell("mount -o remount,nr_inodes=5 '\(place.scratch.path)'")
        let inodes = sentence { () throws(StoreError) in
            for name in 0..<8 { try place.store.put("w/\(name)", bytes("x")) }
        }
        #expect(inodes == "the table of files of \(mount) is full", "\(inodes)")
    }

    @Test("Says full of a full medium, and leaves nothing half there")
    func full() throws {
        let place = StorePlace(try ScratchFolder(tmpfs: "256k"))
        try place.store.put("v/one", bytes("one"))
        #expect(reason { try place.store.put("v/two", [UInt8](repeating: 1, count: 300_000)) } == .full)
        #expect(try place.store.list("v").map(\.name) == ["v/one"])
        try place.store.put("v/three", bytes("three"))
        // What could not be written whole cannot be committed, whoever tries.
        let upload = try place.store.create("v/four")
        #expect(reason { try upload.append([UInt8](repeating: 1, count: 300_000)) } == .full)
        #expect(reason { try upload.append(bytes("x")) } == .full)
        #expect(reason { try upload.commit() } == .full)
        upload.abandon()
    }

    @Test("Says failed of a medium that does not read or list, and neither absent nor ended", .enabled(if: hasFUSE))
    func failing() throws {
        let place = StorePlace(try ScratchFolder(pauseOfFUSE: 0))
        try place.store.put("v/unreadable", bytes("one"))
        try place.store.put("unlisted/one", bytes("one"))
        try place.store.put("w/unlisted/one", bytes("one"))
        #expect(reason { _ = try place.store.read("v/unreadable", limit: 10) } == .failed)
        #expect(reason { _ = try place.store.list("unlisted") } == .failed)
        #expect(reason { _ = try place.store.list("w") } == .failed, "a part that cannot be listed")
        #expect(try place.store.list("v").count == 1)
        #expect(reason { try place.store.put("v/unsynced", bytes("one")) } == .notDurable)
        #expect(try place.store.list("v").count == 1)
    }

    @Test(
        "An error at any system call is an error of the call, and never an answer",
        arguments: [EIO, EACCES, ENOMEM, ENODEV])
    func everyFailure(code: CInt) throws {
        let calls: [(String, @Sendable (any ObjectStore) throws -> Void)] = [
            ("list", { _ = try $0.list("v") }),
            ("open", { _ = try $0.open("v/a/one", length: nil).read(at: 0, count: 3) }),
            ("put", { try $0.put("v/b/new", bytes("new")) }), ("remove", { try $0.remove("v/a/one") }),
        ]
        let scratch = try ScratchFolder()
        for (name, call) in calls {
            var failing = 1
            while true {
                let place = StorePlace(scratch, name: "\(name)-\(failing)")
                for folder in ["", "v", "v/a"] { plantFolder(place.folder.appending(folder)) }
                try plant(place.folder.appending("v/a/one"), "one")
                let outcome = Mutex<StoreError.Reason?>(nil)
                let count = stopping(at: nameCalls + ["fsync", "write", "pread64"]) { call in
                    call.number == failing ? code : 0
                } during: {
                    let failed = reason { try call(FolderStore(place.folder)) }
                    outcome.withLock { $0 = failed }
                }
                if count < failing { break }
                let found = outcome.withLock { $0 }
                #expect(found != nil && ![.absent, .ended, .exists].contains(found), "\(name), call \(failing)")
                // What was there before is there still, or was removed as it should be.
                let after = FolderStore(place.folder)
                #expect(
                    try after.read("v/a/one", limit: 3) == bytes("one") || name == "remove", "\(name), call \(failing)")
                failing += 1
            }
            #expect(failing > 3, "\(name)")
        }
    }

    // MARK: Durability

    /// The writing calls of `body`, with the folder or file of each.
    private func writingCalls(_ place: StorePlace, _ body: @escaping @Sendable () -> Void) -> [String] {
        var told: [String] = []
        stopping(at: ["mkdirat", "unlinkat", "write", "fsync"]) { call in
            let path = BytePath(call.path)
            told.append(
                "\(call.name) \(path == place.folder ? "." : "\(place.folder.remainder(of: path).map { Character(.init($0)) }.map(String.init).joined())")"
            )
            return 0
        } during: {
            body()
        }
        return told
    }

    @Test("Makes an object durable before its name, and each folder in the one above; a removal is durable, too")
    func durability() throws {
        let place = StorePlace(try ScratchFolder())
        try place.store.put("other", [])
        let failures = Mutex<[String]>([])
        let note: @Sendable (() throws -> Void) -> Void = { call in
            if let failed = reason(call) { failures.withLock { $0.append("\(failed)") } }
        }
        #expect(
            writingCalls(place) { note { try place.store.put("v/ab/one", bytes("1")) } } == [
                "mkdirat .", "fsync .", "mkdirat v", "fsync v", "write v/ab/one", "fsync v/ab/one", "fsync v/ab",
            ])
        // Once per folder and process.
        #expect(
            writingCalls(place) { note { try place.store.put("v/ab/two", bytes("2")) } } == [
                "write v/ab/two", "fsync v/ab/two", "fsync v/ab",
            ])
        // Another process does not know whether who made the folder has lived to sync it.
        #expect(
            writingCalls(place) { note { try FolderStore(place.folder).put("v/ab/three", []) } } == [
                "mkdirat .", "fsync .", "mkdirat v", "fsync v", "fsync v/ab/three", "fsync v/ab",
            ])
        #expect(writingCalls(place) { note { try place.store.remove("v/ab/one") } } == ["unlinkat v/ab", "fsync v/ab"])
        #expect(failures.withLock { $0 } == [])
    }

    @Test("Puts a small object with few system calls, and opens one with few")
    func fewCalls() throws {
        let place = StorePlace(try ScratchFolder())
        try place.store.put("v/ab/one", bytes("1"))
        let names = Mutex<[String]>([])
        let all = ["openat", "openat2", "mkdirat", "unlinkat", "statx", "newfstatat", "write", "pread64", "fsync"]
        func count(_ call: @escaping @Sendable () throws -> Void) -> [String] {
            names.withLock { $0 = [] }
            stopping(at: all) { call in
                names.withLock { $0.append(call.name) }
                return 0
            } during: {
                _ = reason { try call() }
            }
            return names.withLock { $0 }
        }
        #expect(
            count { try place.store.put("v/ab/two", bytes("2")) } == ["openat2", "openat", "write", "fsync", "fsync"])
        #expect(
            count { _ = try place.store.read("v/ab/two", limit: 1) } == [
                "openat2", "statx", "openat", "statx", "pread64",
            ])
        #expect(count { try place.store.remove("v/ab/two") } == ["openat2", "unlinkat", "fsync"])
    }

    @Test("A folder that is removed or replaced while the store is in use is made anew, or used as it is now")
    func replacedFolder() throws {
        let place = StorePlace(try ScratchFolder())
        try place.store.put("v/ab/one", bytes("1"))
        shell("rm -r '\(place.folder)/v'")
        try place.store.put("v/ab/two", bytes("2"))
        shell("mv '\(place.folder)/v' '\(place.folder)/w'; mkdir -p '\(place.folder)/v/ab'")
        try place.store.put("v/ab/three", bytes("3"))
        #expect(try place.store.list("v").map(\.name) == ["v/ab/three"])
        #expect(try place.store.list("w").map(\.name) == ["w/ab/two"])
    }

    // MARK: What people leave there

    @Test("What people and their programs leave in the folder disturbs nothing")
    func leftThere() throws {
        let place = StorePlace(try ScratchFolder())
        try place.store.put("v/ab/one", bytes("1"))
        shell(
            """
            cd '\(place.folder)/v'
            touch .DS_Store ab/._one $'ab/no utf8 \\xff' 'Thumbs.db'; mkdir -p .Trash-0/files $'\\xfe'; touch .Trash-0/files/x $'\\xfe/x'
            ln -s /etc/passwd ab/link; ln -s /etc etc; ln -s nowhere ab/broken; mkfifo ab/fifo; mknod ab/null c 1 3
            ln -s loop loop
            """)
        #expect(try place.store.list("v").map(\.name) == ["v/Thumbs.db", "v/ab/one"])
        #expect(try place.store.read("v/ab/one", limit: 1) == bytes("1"))
    }

    @Test("A depth or length that no object can have does not end the listing, nor take long")
    func depth() throws {
        let place = StorePlace(try ScratchFolder())
        try place.store.put("v/one", bytes("1"))
        shell(
            """
            cd '\(place.folder)/v' && /usr/bin/python3 -c "
            import os
            for i in range(600): os.mkdir('deep'); os.chdir('deep'); open('x', 'w').close()
            "
            """)
        let listed = try place.store.list("v")
        #expect(listed.last?.name == "v/one")
        #expect(listed.count < 300)
    }

    @Test(
        "What has an object's name and is no file is no object, and holds nobody up",
        arguments: [
            "mkfifo X", "mknod X c 1 3", "mkdir X", "ln -s two X", "ln -s /etc/passwd X", "ln -s nowhere X",
            "/usr/bin/python3 -c 'import socket; socket.socket(socket.AF_UNIX).bind(\"X\")'",
        ])
    func noFile(making: String) throws {
        let place = StorePlace(try ScratchFolder())
        try place.store.put("v/two", bytes("2"))
        shell("cd '\(place.folder)/v' && \(making) && mkdir ../w && ln -s ../v/two ../w/link")
        let begin = Timestamp.now()
        #expect(reason { _ = try place.store.open("v/X", length: nil) } == .absent)
        #expect(reason { _ = try place.store.open("v/X", length: 1) } == .absent)
        #expect(reason { try place.store.put("v/X", bytes("x")) } == .exists)
        #expect(try place.store.list("v").map(\.name) == ["v/two"])
        try place.store.remove("v/X")
        #expect(Timestamp.now().seconds - begin.seconds <= 1)
        #expect(try place.store.list("v").map(\.name) == ["v/two"])
        if making != "mkdir X" { try place.store.put("v/X", bytes("x")) }
        #expect(try place.store.read("v/two", limit: 1) == bytes("2"))
    }

    @Test("No device is opened, even one whose opening has an effect")
    func device() throws {
        let place = StorePlace(try ScratchFolder())
        try place.store.put("v/two", bytes("2"))
        shell("mkfifo '\(place.folder)/v/X'")
        var opened: [String] = []
        stopping(at: ["openat", "openat2"]) { call in
            opened.append(call.path)
            return 0
        } during: {
            _ = reason { _ = try place.store.open("v/X", length: nil) }
        }
        #expect(opened.count == 1, "the folder, and nothing in it: \(opened)")
    }

    @Test(
        "A folder that is a link is refused, and a file in a folder's place is no folder: neither is followed nor taken for empty"
    )
    func linkedFolder() throws {
        let place = StorePlace(try ScratchFolder())
        try place.store.put("v/one", bytes("1"))
        shell(
            "cd '\(place.folder)' && mkdir ../outside && echo 1 > ../outside/one && ln -s ../outside l && ln -s v m && mkdir n && ln -s ../../outside n/l"
        )
        for link in ["l", "m", "n/l"] {
            #expect(
                Self.reasons(place.store, folder: link, name: "\(link)/one") == [
                    "list refused", "read refused", "put refused", "put there refused", "remove refused",
                ], "\(link)")
        }
        #expect(try place.store.list("n") == [])
        #expect(
            Self.reasons(place.store, folder: "v/one", name: "v/one/x") == [
                "list refused", "read absent", "put refused", "put there refused", "remove done",
            ])
        #expect(shell("cd '\(place.scratch.path)/outside' && ls && cat one") == "one\n1\n")
    }
}
