// Stores on media that are found by their labels: what is found and what is refused, what is written to a medium that is read, and what is left
// when a command has ended. Pulling one out is tried in the lab (Tests/Lab/stick), with what this machine's kernel may not have: FAT.

import Glibc
import Platform
import Stores
import TestSupport
import Testing

@Suite("A location on a medium") struct MediumLocationTests {
    @Test(
        "Says the same label and folder, however it is written",
        arguments: [
            ("usb:RESCUE", "RESCUE", "", "usb:RESCUE"), ("usb:RESCUE/", "RESCUE", "", "usb:RESCUE"),
            ("usb:RESCUE//a/b/", "RESCUE", "a/b", "usb:RESCUE/a/b"),
            ("usb:MY%20STICK/line%203", "MY STICK", "line 3", "usb:MY%20STICK/line%203"),
            ("usb:MY STICK/ü", "MY STICK", "ü", "usb:MY%20STICK/%C3%BC"),
            ("usb:a%2fb/c", "a/b", "c", "usb:a%2Fb/c"), ("usb:%52ESCUE", "RESCUE", "", "usb:RESCUE"),
        ])
    func parsed(url: String, label: String, path: String, text: String) throws {
        let location = try #require(MediumLocation(bytes(url)))
        #expect(location.label == bytes(label) && location.path == BytePath(path) && location.description == text)
        #expect(MediumLocation(bytes(text)) == location)
    }

    @Test(
        "Is none where it leads out of the medium or is malformed",
        arguments: [
            "RESCUE", "usb:", "usb:/x", "usb://RESCUE", "usb:R/..", "usb:R/a/%2e%2e/b", "usb:R/.", "usb:R%", "usb:R%2",
            "usb:R%+1", "usb:R%00", "usb:R/a%2fb", "usb:R/%2F..%2Fetc", "USB:R",
        ])
    func refused(url: String) { #expect(MediumLocation(bytes(url)) == nil) }
}

@Suite("A store on a medium", .enabled(if: HostFacts.isRoot, "devices are root's"))
struct MediumTests {
    private func failure(_ call: () throws -> Void) -> StoreError? {
        do { try call() } catch { return error as? StoreError }
        return nil
    }

    @Test(
        "Is written, found again by its label, and leaves nothing mounted",
        arguments: ["mkfs.ext4 -q -L", "mkfs.xfs -q -L", "mkfs.btrfs -q -L"])
    func roundTrip(making: String) throws {
        let medium = try LoopMedium("Line 3", making: making, bytes: 512 << 20)
        do {
            let store = try medium.open("/deep", writing: true)
            #expect(store.subject == "usb:Line%203/deep")
            #expect(try store.topLevel() == [])
            try store.put("v/one", bytes("one"))
            #expect(try !Mount.all().contains { $0.source == medium.device }, "others can see it")
            #expect(throws: SystemError.self) { try Descriptor.open(medium.device, .exclusive) }
        }
        // Nobody has it any more.
        _ = try Descriptor.open(medium.device, .exclusive)
        let store = try medium.open("/deep", writing: false)
        #expect(try store.read("v/one", limit: 3) == bytes("one"))
        #expect(try store.list("v").map(\.name) == ["v/one"])
    }

    @Test("Nothing on it is run, is a device, or gives rights")
    func attributes() throws {
        let medium = try LoopMedium("flags")
        for writing in [true, false] {
            let found = try #require(try Medium.all(loops: [medium.name]).labelled(medium.label).first)
            let mount = try PrivateMount(found, writing: writing)
            var status = statvfs()
            #expect(fstatvfs(mount.root.raw, &status) == 0)
            // ST_RDONLY, ST_NOSUID, ST_NODEV, ST_NOEXEC, ST_NOATIME
            #expect(status.f_flag & 0x40f == (writing ? 0x40e : 0x40f))
            #expect(mount.answers)
        }
    }

    /// XFS writes a record to its log at each mount, also for reading.
    @Test("Not a byte of it changes where it is read", arguments: ["mkfs.ext4 -q -L", "mkfs.btrfs -q -L"])
    func unchanged(making: String) throws {
        let medium = try LoopMedium("still", making: making, bytes: 512 << 20)
        try medium.open("/s", writing: true).put("v/one", bytes("one"))
        let before = medium.digest
        do {
            let store = try medium.open("/s", writing: false)
            #expect(try store.read("v/one", limit: 3) == bytes("one"))
            #expect(try store.topLevel() == ["v"])
            #expect(reason { try store.put("v/two", bytes("two")) } == .refused)
            #expect(reason { try store.remove("v/one") } == .refused)
        }
        #expect(medium.digest == before)
    }

    @Test("Two of one label are refused, and both are named")
    func two() throws {
        let (one, other) = (try LoopMedium("twin"), try LoopMedium("twin"))
        let error = try #require(failure { _ = try one.open(writing: true, beside: [other]) })
        #expect(error.reason == .refused && error.exitStatus == 4)
        for medium in [one, other] { #expect(error.description.contains("\(medium.name) (")) }
        #expect(error.description.contains("33 MB, ext4"), "\(error)")
        #expect(error.description.contains("without a serial number"))
    }

    @Test("One that is not there is unreachable and no store that is absent, and the labels that are there are told")
    func none() throws {
        let medium = try LoopMedium("here")
        let location = try #require(MediumLocation(bytes("usb:nowhere")))
        let error = try #require(
            failure { _ = try MediumStore.open(location, writing: false, loops: [medium.name]) })
        #expect(error.reason == .unreachable && error.exitStatus == 1)
        #expect(error.description.contains("here on \(medium.name)"), "\(error)")
        // A label that is alike is another one.
        for label in ["HERE", "here ", "her"] {
            let location = try #require(MediumLocation(bytes("usb:\(label)")))
            #expect(failure { _ = try MediumStore.open(location, writing: false, loops: [medium.name]) } != nil)
        }
    }

    @Test(
        "A label is what its bytes are, and plays no tricks where it is shown",
        arguments: ["a b\\ü'x\"$`", "\u{1b}[31m\nx", "\\x41"])
    func oddLabel(label: String) throws {
        let medium = try LoopMedium(label)
        try medium.open(writing: true).put("v/one", bytes("one"))
        #expect(try medium.open(writing: false).read("v/one", limit: 3) == bytes("one"))
        let location = try #require(MediumLocation(bytes("usb:other")))
        let error = try #require(
            failure { _ = try MediumStore.open(location, writing: false, loops: [medium.name]) })
        #expect(error.description.contains(printable(medium.label)))
        #expect(!error.description.unicodeScalars.contains { $0.value < 0x20 })
    }

    @Test("One that is mounted for writing is read beside that, and is written by both")
    func mountedElsewhere() throws {
        let medium = try LoopMedium("shared")
        let scratch = try ScratchFolder(mounting: medium)
        try medium.open("/s", writing: true).put("v/one", bytes("one"))
        #expect(shell("cat '\(scratch.path)/s/v/one'") == "one")
        let reading = try medium.open("/s", writing: false)
        #expect(try reading.read("v/one", limit: 3) == bytes("one"))
        #expect(reason { try reading.put("v/two", bytes("two")) } == .refused)
        // It has not become read-only for whom it was mounted.
        #expect(shell("touch '\(scratch.path)/mine' && echo yes") == "yes\n")
    }

    @Test("One that another process writes, where no path leads, is read beside that")
    func writtenElsewhere() throws {
        let medium = try LoopMedium("beside")
        let writing = try medium.open(writing: true)
        try writing.put("v/one", bytes("one"))
        let reading = try medium.open(writing: false)
        #expect(try reading.read("v/one", limit: 3) == bytes("one"))
        #expect(reason { try reading.put("v/two", bytes("two")) } == .refused)
    }

    @Test("One that is mounted for reading is not written, and it is said where it is mounted")
    func readElsewhere() throws {
        let medium = try LoopMedium("fixed")
        let folder = medium.folder.appending("mounted")
        shell("mkdir '\(folder)' && mount -o ro '\(medium.device)' '\(folder)'")
        defer { shell("umount '\(folder)'") }
        let error = try #require(failure { _ = try medium.open(writing: true) })
        #expect(error.reason == .refused && error.description.contains("is mounted at \(folder)"), "\(error)")
        #expect(try medium.open(writing: false).topLevel() == ["lost+found"])
    }

    @Test("One that is write-protected is read, and refuses to be written")
    func protected() throws {
        let medium = try LoopMedium("locked", readOnly: true)
        let error = try #require(failure { _ = try medium.open(writing: true) })
        #expect(error.reason == .refused && error.mend?.contains("write protection") == true, "\(error)")
        #expect(try medium.open(writing: false).topLevel() == ["lost+found"])
    }

    @Test("A folder of it that is missing is made, but none above it, and no link leads out")
    func folders() throws {
        let medium = try LoopMedium("paths")
        let store = try medium.open("/a", writing: true)
        #expect(reason { _ = try store.open("v/one", length: nil) } == .absent)
        try store.put("v/one", bytes("one"))
        #expect(reason { try medium.open("/b/c", writing: true).put("v/one", bytes("one")) } == .absent)
        #expect(try medium.open(writing: false).topLevel().sorted() == ["a", "lost+found"])
        let scratch = try ScratchFolder(mounting: medium)
        plantLink(scratch.path.appending("out"), to: "/etc")
        plantLink(scratch.path.appending("in"), to: "a")
        for path in ["/out", "/in", "/out/cron.d"] {
            #expect(reason { try medium.open(path, writing: true).put("v/two", bytes("two")) } == .refused)
        }
    }

    @Test("One that is full is told by its own name")
    func full() throws {
        let medium = try LoopMedium("full")
        let upload = try medium.open("/s", writing: true).create("v/large")
        let error = try #require(
            failure {
                for _ in 0..<40 { try upload.append([UInt8](repeating: 1, count: 1 << 20)) }
                try upload.commit()
            })
        #expect(error.reason == .full && error.description.hasPrefix("usb:full/s ("), "\(error)")
    }

    @Test(
        "A file system without a journal says that it was cut off, and is put in order",
        .enabled(if: hasFATPrograms, "mkfs.vfat and mkfs.exfat are not there"),
        arguments: [
            ("mkfs.vfat -F 32 -n", 64 << 20, 0x41, 1), ("mkfs.vfat -F 16 -n", 32 << 20, 0x25, 1),
            ("mkfs.vfat -F 12 -n", 2 << 20, 0x25, 1), ("mkfs.exfat -L", 32 << 20, 0x6a, 2),
        ])
    func putInOrder(making: String, bytes: Int, state: Int, bit: UInt8) throws {
        let medium = try LoopMedium("MY STICK", making: making, bytes: bytes)
        func found() throws -> Medium {
            try #require(try Medium.all(loops: [medium.name]).labelled(medium.label).first)
        }
        #expect(try !found().wasCutOff())
        let device = try Descriptor.open(medium.device, .readWrite)
        try [bit].withUnsafeBytes { try device.write($0, at: Int64(state)) }
        try device.synchronize()
        #expect(try found().wasCutOff())
        try found().putInOrder()
        #expect(try !found().wasCutOff())
    }

    @Test("That it was cut off is told, and what its journal held is there")
    func cutOff() throws {
        let medium = try LoopMedium("cut")
        let copy: LoopMedium
        do {
            let store = try medium.open(writing: true)
            try store.put("v/one", bytes("one"))
            // What a medium holds that is pulled now.
            shell("sync '\(medium.file)'")
            copy = try LoopMedium("cut", copying: medium.file)
            var told: [String] = []
            _ = try medium.open(writing: false) { told.append($0) }
            #expect(told == [], "one that is mounted was not cut off")
        }
        var told: [String] = []
        let store = try copy.open(writing: false) { told.append($0) }
        #expect(told.count == 1 && told[0].contains("\(copy.name) ("), "\(told)")
        #expect(try store.read("v/one", limit: 3) == bytes("one"))
    }
}
