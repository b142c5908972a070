// Wiping: what is left, what is refused, what an interruption costs, and what is found when something is not as it was written.

import Glibc
import Machine
import Platform
import Reporting
import Sanitization
import TestSupport
import Testing

@Suite(.serialized, .enabled(if: HostFacts.isRoot, "devices are root's"))
struct WipeTests {
    private func request(
        _ pattern: WipePattern = .random, _ verification: WipeRequest.Verification = .full, passes: Int = 1
    ) -> WipeRequest {
        var request = WipeRequest()
        request.pattern = pattern
        request.verification = verification
        request.passes = passes
        return request
    }

    @Test(
        "Nothing of what was there is left, to the last sector, whatever is written",
        arguments: [WipePattern.zero, .byte(0xa5), .random], [20_971_520, 20_971_520 + 512 * 7])
    func overwrites(_ pattern: WipePattern, _ bytes: Int) throws {
        let loop = try LoopDevice(bytes)
        shell("cp \(loop.file) \(loop.scratch)/before")
        let report = try Wipe(loop.path, request(pattern, passes: 2), state: loop.state).run(Progress())
        #expect(report.isAchieved && report.verified == UInt64(bytes))
        shell("sync \(loop.file)")
        let left = shell(
            """
            cd \(loop.scratch); python3 -c 'a, b = open("before", "rb").read(), open("disk", "rb").read(); \
            print(len(a) == len(b), sum(a[i:i + 16] == b[i:i + 16] for i in range(0, len(a), 16)))'
            """)
        #expect(left == "True 0\n")
        switch pattern {
        case .byte(let byte):
            #expect(shell("tr -d '\\\(String(byte, radix: 8))' < \(loop.file) | wc -c") == "0\n")
        case .random: #expect(shell("gzip -1 < \(loop.file) | wc -c").dropLast().count >= 8)
        }
        #expect(shell("ls \(loop.state)/journal") == "", "what was known of the job goes with it")
    }

    @Test("A device that came into use after its wipe was planned is left as it is, and the plan is stale")
    func stale() throws {
        let uses = [
            ("mkfs.ext4 -q $d; mount $d $m", "umount $m"), ("mkswap -q $d; swapon $d", "swapoff $d"),
            ("losetup -f --show $d > $m/../loop", "losetup -d $(cat $m/../loop)"),
        ]
        for (use, undo) in uses {
            let loop = try LoopDevice(20 << 20)
            let wipe = try Wipe(loop.path, request(), state: loop.state)
            let words = "d=\(loop.path); m=\(loop.scratch)/mount; "
            shell("\(words)\(use); sync; cp \(loop.file) \(loop.scratch)/before")
            #expect(throws: StalePlan.self, "\(use)") { try wipe.run(Progress()) }
            shell("\(words)\(undo); sync")
            #expect(
                shell("cmp -i 12M -n 4M \(loop.file) \(loop.scratch)/before; ls \(loop.state)/journal 2>/dev/null")
                    == "")
            #expect(try Wipe(loop.path, request(), state: loop.state).run(Progress()).isAchieved)
        }
    }

    @Test("Another device that was attached by the same name is not the one that was planned, and is left as it is")
    func reattached() throws {
        let loop = try LoopDevice(20 << 20, number: 4073)
        let wipe = try Wipe(loop.path, request(), state: loop.state)
        let id = wipe.id
        shell(
            "cd \(loop.scratch); head -c \(20 << 20) /dev/urandom > other; cp other copy; losetup -d \(loop.path); losetup \(loop.path) other"
        )
        #expect(throws: WipeError.self) { try wipe.run(Progress()) }
        #expect(try Wipe(loop.path, request(), state: loop.state).id != id)
        shell("losetup -d \(loop.path); sync; losetup \(loop.path) \(loop.file)")
        #expect(shell("cd \(loop.scratch); cmp other copy") == "")
    }

    @Test("What is no file in the place of a wipe's record is refused, and not waited for")
    func oddRecord() throws {
        let loop = try LoopDevice(20 << 20)
        shell(
            "mkdir -p \(loop.state)/journal; mkfifo \(loop.state)/journal/wipe-$(printf \(loop.name) | od -An -tx1 | tr -d ' \n').json"
        )
        #expect(throws: WipeError.self) { try Wipe(loop.path, request(), state: loop.state).run(Progress()) }
    }

    @Test("What is in use is refused, with the reason, and nothing is written")
    func refusals() throws {
        struct Case { let name, use, undo, reason: String }
        let cases = [
            Case(name: "mounted", use: "$ext4 $d; mount $d $m", undo: "umount $m", reason: "is mounted at"),
            Case(
                name: "mounted elsewhere",
                use: "$ext4 $d; unshare -m bash -c \"mount $d $m; sleep 4060\" >/dev/null 2>&1 & sleep 1",
                undo: "pkill -f 'sleep 4060'; sleep 0.3", reason: "is mounted at"),
            Case(
                name: "lazily unmounted",
                use: "$ext4 $d; mount $d $m; (cd $m; exec sleep 4061) >/dev/null 2>&1 & sleep 0.5; umount -l $m",
                undo: "pkill -f 'sleep 4061'; sleep 0.3", reason: "EBUSY"),
            Case(name: "swap", use: "mkswap -q $d; swapon $d", undo: "swapoff $d", reason: "is swap space"),
            Case(
                name: "second of a btrfs",
                use: "truncate -s 200M $s/other; o=$(losetup -f --show $s/other); mkfs.btrfs -q $o $d; mount $o $m",
                undo: "umount $m; losetup -d $(losetup -j $s/other -O NAME -n)", reason: "belongs to the mounted btrfs"),
            Case(
                name: "a loop stands on it", use: "losetup -f $d",
                undo: "losetup -d $(losetup -l -n -O NAME,BACK-FILE | awk -v d=$d '$2==d {print $1}')",
                reason: "stands on"),
            Case(
                name: "open in a program", use: "(exec 7<>$d; exec sleep 4062) >/dev/null 2>&1 & sleep 0.3",
                undo: "pkill -f 'sleep 4062'; sleep 0.3", reason: "is open in sleep"),
        ]
        for one in cases {
            let loop = try LoopDevice(200 << 20)
            // Nothing of what is written late belongs to what is looked for.
            let words =
                "ext4='mkfs.ext4 -q -E lazy_itable_init=0,lazy_journal_init=0'; d=\(loop.path); s=\(loop.scratch); m=\(loop.scratch)/mount; "
            shell(words + one.use + "\nsync")
            defer { shell(words + one.undo) }
            let before = shell("md5sum < \(loop.file)")
            do {
                _ = try Wipe(loop.path, request(), state: loop.state).run(Progress())
                Issue.record("\(one.name): accepted")
            } catch let error as WipeError {
                #expect(error.description.contains(one.reason), "\(one.name): \(error)")
                #expect(error.exitStatus == 4 && error.mend != nil)
            }
            #expect(shell("md5sum < \(loop.file)") == before, "\(one.name)")
        }
    }

    /// Whether this kernel shows partitions of loop devices.
    private static let hasPartitions =
        (try? LoopDevice(64 << 20, partitioned: true)).map { exists(BytePath("\($0.path)p1")) } ?? false

    @Test(
        "A disk of which a partition is in use is refused, and so is its other partition",
        .enabled(
            if: hasPartitions,
            "this kernel shows no partitions of loop devices; Tests/Lab/inside runs it where one does"))
    func partitions() throws {
        let loop = try LoopDevice(64 << 20, partitioned: true)
        shell("mkfs.ext4 -q \(loop.path)p1; mount \(loop.path)p1 \(loop.scratch)/mount")
        for path in [loop.path, BytePath("\(loop.path)p1"), BytePath("\(loop.path)p2")] {
            #expect(throws: WipeError.self, "\(path)") { try Wipe(path, request(), state: loop.state) }
        }
        shell("umount \(loop.scratch)/mount")
        #expect(try Wipe(BytePath("\(loop.path)p2"), request(.zero), state: loop.state).run(Progress()).isAchieved)
        #expect(shell("tr -d '\\0' < \(loop.path)p2 | wc -c") == "0\n")
        #expect(shell("blkid -p -o value -s TYPE \(loop.path)p1") == "ext4\n", "the other one is as it was")
    }

    @Test("The disk that the machine runs from is refused, and so is what is no device")
    func others() throws {
        let number = try #require(try Mount.holding(Descriptor.open("/", .directory))).device
        if let root = BlockDevice(number: number) {
            #expect(throws: WipeError.self) { try Wipe(root.path, request(), state: "/nowhere") }
        }
        for path: BytePath in ["/etc/passwd", "/dev/null", "/nowhere"] {
            #expect(throws: WipeError.self) { try Wipe(path, request(), state: "/nowhere") }
        }
    }

    @Test("One altered block of 4 KiB is found by full verification, every time")
    func altered() throws {
        let loop = try LoopDevice(32 << 20)
        for number in 0..<(runsAll ? 100 : 20) {
            let wipe = try Wipe(loop.path, request(), state: loop.state)
            let place = number * 7919 % 8192
            let wasAltered = Flag()
            // As soon as all has been written, and before it is read back.
            let report = try wipe.run(
                Progress(),
                beforeVerification: {
                    shell(
                        "printf 'x%.0s' {1..4096} | dd of=\(loop.path) bs=4096 seek=\(place) conv=notrunc oflag=direct status=none"
                    )
                    wasAltered.isSet = true
                })
            #expect(wasAltered.isSet)
            #expect(!report.isAchieved)
            #expect(report.different == [DeviceRange(start: UInt64(place * 4096), length: 4096)], "\(place)")
        }
    }

    private final class Flag: @unchecked Sendable { var isSet = false }

    @Test("A sample reads a tenth and both ends, elsewhere each time, and finds what is there")
    func sample() throws {
        let loop = try LoopDevice(128 << 20)
        var seeds: Set<UInt64> = []
        for _ in 0..<3 {
            let report = try Wipe(loop.path, request(.zero, .sample), state: loop.state).run(Progress())
            #expect(report.isAchieved && report.verified >= 12 << 20 && report.verified < 20 << 20)
            seeds.insert(try #require(report.sampleSeed))
        }
        #expect(seeds.count == 3)
        let report = try Wipe(loop.path, request(.zero, .sample), state: loop.state)
            .run(Progress(), beforeVerification: { shell("head -c 134217728 /dev/urandom > \(loop.path)") })
        #expect(!report.isAchieved && report.different.count > 1000)
    }

    @Test("A wipe that is killed anywhere goes on, does at most 64 MiB again, and is verified")
    func resumes() throws {
        let loop = try LoopDevice(400 << 20)
        let command =
            "env HOME=\(loop.scratch) HOLDFAST_CONFIG= \(builtProgram) wipe \(loop.path) --confirm \(loop.name) --state \(loop.state) --json"
        shell("cp \(loop.file) \(loop.scratch)/before")
        // Where the last byte is that is not as it was.
        let last = """
            python3 -c 'a, b = open("\(loop.scratch)/before", "rb").read(), open("\(loop.file)", "rb").read()
            print(next((i + (1 << 20) for i in range(len(a) - (1 << 20), -1, -(1 << 20)) if a[i:i + (1 << 20)] != b[i:i + (1 << 20)]), 0))'
            """
        var interruptions = 0
        for round in 0..<(runsAll ? 20 : 6) {
            let delay = 0.15 + Double(round % 7) * 0.2
            shell("timeout -s KILL \(delay) \(command) >/dev/null 2>&1")
            if let (pass, position) = try Wipe(loop.path, request(), state: loop.state).interrupted {
                interruptions += 1
                let written = Int(shell("sync \(loop.file); \(last)").dropLast()) ?? .max
                #expect(pass == 1 || written <= Int(position) + (64 << 20), "\(written) written, \(position) noted")
            } else {
                // It came to its end; another one begins.
                shell("cp \(loop.file) \(loop.scratch)/before")
            }
        }
        #expect(interruptions > 2)
        let end = shell("\(command)")
        #expect(end.contains("\"achieved\":\"clear\"") && end.contains("\"verified\":419430400"), "\(end)")
        // Other options are another job.
        shell("timeout -s KILL 0.3 \(command) >/dev/null 2>&1")
        if try Wipe(loop.path, request(), state: loop.state).interrupted != nil {
            #expect(throws: WipeError.self) { try Wipe(loop.path, request(.zero), state: loop.state).run(Progress()) }
            var anew = request(.zero)
            anew.isRestart = true
            #expect(try Wipe(loop.path, anew, state: loop.state).run(Progress()).isAchieved)
        }
    }

    @Test("A stop that is asked for leaves a job that goes on")
    func stops() throws {
        let loop = try LoopDevice(64 << 20)
        let progress = Progress()
        progress.requestStop()
        #expect(throws: Interrupted(mend: "the same command goes on where it was")) {
            try Wipe(loop.path, request(), state: loop.state).run(progress)
        }
        let report = try Wipe(loop.path, request(), state: loop.state).run(Progress())
        // Nothing had been written, so nothing says that it is the same device.
        #expect(report.isAchieved && report.interruptions == 0)
    }

    @Test(
        "Without a serial number, an interrupted wipe goes on where its own writing is, and begins anew on another device of the name"
    )
    func otherDevice() throws {
        let loop = try LoopDevice(256 << 20)
        #expect(try Wipe(loop.path, request(), state: loop.state).device.serial.isEmpty)
        shell("cp \(loop.file) \(loop.scratch)/other")
        var slow = request()
        slow.bytesPerSecond = 200 << 20
        let progress = Progress()
        let stopper = Stopper(progress, after: 700_000)
        #expect(throws: Interrupted.self) { try Wipe(loop.path, slow, state: loop.state).run(progress) }
        stopper.wait()
        let interrupted = try #require(try Wipe(loop.path, request(), state: loop.state).interrupted)
        #expect(interrupted.position > 0)
        let job = shell("cat \(loop.state)/journal/wipe-*.json")
        #expect(try Wipe(loop.path, request(), state: loop.state).run(Progress()).interruptions == 1)
        // Another one of the same size has the name now.
        shell(
            "cat > \(loop.state)/journal/wipe-$(printf \(loop.name) | od -An -tx1 | tr -d ' \n').json <<'E'\n\(job)\nE\ncat \(loop.scratch)/other >\(loop.path); sync"
        )
        #expect(try Wipe(loop.path, request(), state: loop.state).interrupted == nil)
        let report = try Wipe(loop.path, request(), state: loop.state).run(Progress())
        #expect(report.isAchieved && report.interruptions == 0, "\(report.different)")
    }
}

/// Asks for a stop after a while.
private final class Stopper: Sendable {
    private let thread: WorkerThread

    init(_ progress: Progress, after microseconds: UInt32) {
        thread = WorkerThread {
            usleep(microseconds)
            progress.requestStop()
        }
    }

    func wait() { thread.join() }
}
