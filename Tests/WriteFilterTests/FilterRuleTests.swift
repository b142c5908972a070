// What a filter refuses, and what it makes of a plan that is not whole.

import Machine
import Platform
import Reporting
import RestorePoints
import TestSupport
import Testing
import WriteFilter

@Suite(.serialized, .enabled(if: HostFacts.isRoot, "filters are mounted by root"))
struct FilterRuleTests {
    private func refusal(_ body: () throws -> some Any) -> (status: Int32, mend: String?)? {
        do {
            _ = try body()
            return nil
        } catch let error as FilterError { return (error.exitStatus, error.mend) } catch { return (-1, nil) }
    }

    @Test("A commit of a plan keeps what the plan lists; once something else has changed, it is stale")
    func staleCommit() throws {
        let place = try FilteredPlace()
        shell("cd \(place.root); mkdir in; echo 1 > in/a; echo 1 > in/b; echo 1 > in/c")
        try place.setUp()
        try place.enable()
        shell("cd \(place.root)/in; echo 2 > a; rm b; chmod 700 .; mkdir d; touch d/e")
        let plan = try place.filter.planCommit(nil, in: place.root)
        #expect(
            plan.changes.map {
                "\($0.kind.rawValue) \(String(decoding: place.root.remainder(of: $0.path), as: UTF8.self))"
            } == [
                "attributes in", "written in/a", "deleted in/b", "written in/d",
            ])
        #expect(try place.filter.planCommit(nil, in: place.root).id == plan.id)
        shell("cd \(place.root)/in; echo 2 > c")
        func commit() throws -> WriteFilter.Committed {
            try place.filter.commit(
                nil, in: place.root, asked: plan.id, progress: Progress(), findings: Findings(),
                holding: place.filter.lock())
        }
        #expect(throws: StalePlan.self) { try commit() }
        #expect(shell("cat \(place.lower)/in/a") == "1\n")
        shell("cd \(place.root)/in; rm c")
        #expect(throws: StalePlan.self) { try commit() }
    }

    @Test(
        "A commit of a plan keeps each entry as it was listed: another content, owner, mode or kind is another plan",
        arguments: [
            "echo 3 > new", "chmod 4777 new", "chown 7 new", "ln -sfn /etc/shadow new", "touch folder/b",
            "echo 2 > folder/a", "chmod 700 folder", "rm -r folder; echo x > folder",
        ])
    func staleEntries(_ change: String) throws {
        let place = try FilteredPlace()
        shell("echo 1 > \(place.root)/old")
        try place.setUp()
        try place.enable()
        shell("cd \(place.root); echo 2 > new; mkdir folder; echo 1 > folder/a; ln -s a folder/link")
        let plan = try place.filter.planCommit(nil, in: place.root)
        #expect(plan.changes.map(\.entries) == [3, 1])
        #expect(try place.filter.planCommit(nil, in: place.root).id == plan.id)
        shell("cd \(place.root); \(change)")
        #expect(throws: StalePlan.self) {
            try place.filter.commit(
                nil, in: place.root, asked: plan.id, progress: Progress(), findings: Findings(),
                holding: place.filter.lock())
        }
        #expect(shell("ls \(place.lower)") == "old\n")
    }

    @Test(
        "What was committed, or only copied up, is not listed among what the session changed; what differs in anything is"
    )
    func listed() throws {
        let place = try FilteredPlace()
        shell(
            "cd \(place.root); for i in 1 2 3 4 5 6; do head -c 300000 /dev/urandom > $i; done; ln -s 1 link; touch -d 2001-01-01 5 6"
        )
        try place.setUp()
        try place.enable()
        func listed() throws -> [String] {
            try place.filter.planCommit(nil, in: place.root).changes.map {
                "\($0.kind.rawValue) \(String(decoding: $0.path.lastComponent, as: UTF8.self))"
            }
        }
        #expect(try listed() == [])
        // Copied up and back as it was; with another content of the same size and time; with an attribute.
        shell(
            """
            cd \(place.root); chmod 600 1; chmod 644 1; echo new > 2; ln -sfn 2 link; chown 5 3
            printf x | dd of=5 bs=1 seek=299999 conv=notrunc 2>/dev/null; touch -d 2001-01-01 5; setfattr -n user.k -v v 6 2>/dev/null || chmod 600 6
            """)
        #expect(try listed() == ["written 2", "written 3", "written 5", "written 6", "written link"])
        #expect(try place.commit([place.root.appending("2"), place.root.appending("5")]).isApplied)
        #expect(try listed() == ["written 3", "written 6", "written link"])
        #expect(try place.commit(nil).isApplied)
        #expect(try listed() == [])
        #expect(try place.commit(nil).changes == 0)
        // Only the time of a folder differs: nobody counts that, and it waits for nothing.
        shell("mkdir \(place.lower)/folder; mkdir -p \(place.root)/folder; cd \(place.root)/folder; touch x; rm x")
        let committed = try place.commit(nil)
        #expect(committed.changes == 0 && committed.isApplied)
        #expect(try place.status.waitingCommits == 0)
        #expect(shell("cd \(place.lower); cat 2; readlink link; stat -c %u 3") == "new\n2\n5\n")
    }

    @Test("What is discarded is what was planned: a program that came between, or another filter, makes it stale")
    func staleDiscard() throws {
        let place = try FilteredPlace()
        shell("mkdir \(place.root)/in; echo 1 > \(place.root)/in/a")
        try place.setUp()
        try place.enable()
        shell("echo 2 > \(place.root)/in/a")
        for plan in [try place.filter.planDiscard(place.root), try place.filter.planDisable(place.root)] {
            shell("(exec 9<\(place.root)/in/a; exec sleep 4071) >/dev/null 2>&1 & sleep 0.5")
            defer { shell("pkill -f 'sleep 407[1]'; sleep 0.3") }
            #expect(throws: StalePlan.self) {
                if plan.verb == "discard" {
                    _ = try place.filter.discard(plan, findings: Findings(), holding: place.filter.lock())
                } else {
                    _ = try place.filter.disable(plan, findings: Findings(), holding: place.filter.lock())
                }
            }
            #expect(shell("cat \(place.root)/in/a") == "2\n")
            #expect(try place.status.plan.isEnabled)
        }
        // A commit that waits.
        shell("(exec 9<\(place.root)/in/a; exec sleep 4073) >/dev/null 2>&1 & sleep 0.5")
        let disabling = try place.filter.planDisable(place.root)
        #expect(try !place.commit(nil).isApplied)
        #expect(throws: StalePlan.self) {
            try place.filter.disable(disabling, findings: Findings(), holding: place.filter.lock())
        }
        shell("pkill -f 'sleep 407[3]'; sleep 0.3; rm -r \(place.state)/journal/commit-*")
        let plan = try place.filter.planDiscard(nil)
        _ = try place.filter.addExceptions(
            [place.root.appending("in")], nil, to: place.root, holding: place.filter.lock())
        #expect(throws: StalePlan.self) {
            try place.filter.discard(plan, findings: Findings(), holding: place.filter.lock())
        }
        #expect(shell("cat \(place.root)/in/a") == "2\n")
    }

    @Test("What else failed under a filter is told in its own words, with its mend and exit status")
    func underlying() {
        let cause = FilterError.notDecided(path: "/srv")
        let error = FilterError.underlying(cause)
        #expect(error.sentence == cause.sentence && error.mend == cause.mend && error.exitStatus == cause.exitStatus)
        #expect(error.cause is FilterError)
        struct Unknown: Error, CustomStringConvertible { let description = "the disk hums" }
        #expect(FilterError.underlying(Unknown()).sentence == "the disk hums")
        #expect(FilterError.underlying(Unknown()).exitStatus == 1)
    }

    @Test(
        "An exception that cannot be one is refused with its mend, and nothing changes",
        arguments: ["conf/file", "link", "link/in", "../elsewhere", "."])
    func exceptions(_ name: String) throws {
        let place = try FilteredPlace()
        shell("cd \(place.root) && mkdir -p conf && echo 1 > conf/file && ln -s conf link")
        try place.setUp()
        try place.enable()
        let path = name == "." ? place.root : place.root.appending(name).normalized(relativeTo: "/")
        let plan = try place.status.plan
        let refusal = try #require(
            refusal { try place.filter.addExceptions([path], nil, to: place.root, holding: place.filter.lock()) })
        #expect(refusal.status == 4 && refusal.mend != nil)
        #expect(try place.status.plan == plan)
    }

    @Test(
        "A name is bytes: what is no plain text can be filtered, excepted and committed, and starts again",
        arguments: ["with blank", "quote'", "back\\slash", "new\nline", "\u{e4}", "%n$x"])
    func names(_ name: String) throws {
        let place = try FilteredPlace()
        let (folder, kept) = (place.root.appending(name), place.root.appending(name).appending(name))
        try makeFolders(kept, mode: 0o755)
        try replaceFile(folder.appending("file"), [1])
        try place.setUp()
        var request = WriteFilter.Request()
        request.path = folder
        request.size = 32 << 20
        _ = try place.filter.enable(
            request, user: "test", progress: Progress(), findings: Findings(), holding: place.filter.lock())
        _ = try place.filter.addExceptions([kept], nil, to: folder, holding: place.filter.lock())
        let lower = FilterMounts.base(of: folder)
        func leave() {
            for mount in ((try? Mount.all()) ?? []).reversed()
            where mount.point.isBelow(place.root) || mount.point.isBelow(lower) { try? unmountTree(mount.point) }
        }
        defer { leave() }
        leave()
        #expect(try place.start() == [])
        try replaceFile(folder.appending("file"), [2])
        try replaceFile(folder.appending(name + "2"), [3])
        try replaceFile(kept.appending("stays"), [4])
        #expect(
            try place.filter.commit(
                [folder.appending(name + "2")], in: folder, progress: Progress(), findings: Findings(),
                holding: place.filter.lock()
            ).changes == 1)
        leave()
        #expect(try readWhole(folder.appending("file"), limit: 9) == [1])
        #expect(try place.start() == [])
        #expect(try readWhole(folder.appending(name + "2"), limit: 9) == [3])
        #expect(try readWhole(kept.appending("stays"), limit: 9) == [4])
    }

    @Test(
        "Places that cannot be filtered are refused: no folder, the state, one in another, too small, too large"
    )
    func places() throws {
        let place = try FilteredPlace()
        shell("cd \(place.root) && mkdir -p in/side && echo 1 > file")
        try place.setUp()
        func enable(_ path: BytePath, _ size: UInt64? = 32 << 20) -> Int32? {
            var request = WriteFilter.Request()
            request.path = path
            request.size = size
            let asked = request
            return refusal {
                try place.filter.enable(
                    asked, user: "test", progress: Progress(), findings: Findings(), holding: place.filter.lock())
            }?.status
        }
        for path in ["file", "nothing"] { #expect(enable(place.root.appending(path)) == 4, "\(path)") }
        #expect(enable(place.state) == 4)
        #expect(enable(place.scratch) == 4)
        #expect(enable(place.root, 1 << 20) == 2)
        #expect(enable(place.root, 1 << 50) == 2)
        #expect(try place.filter.plans().isEmpty && !shell("mount").contains("\(place.root)"))
        #expect(enable(place.root.appending("in")) == nil)
        #expect(enable(place.root.appending("in/side")) == 4)
        #expect(enable(place.root) == 4)
        _ = try place.filter.disable(place.root.appending("in"), holding: place.filter.lock())
        shell(
            "rmdir \(FilterMounts.base(of: place.root.appending("in")))/* ; rm -r \(FilterMounts.base(of: place.root.appending("in")))"
        )
    }

    @Test("What cannot be committed is refused, and nothing is kept")
    func commits() throws {
        let place = try FilteredPlace()
        shell("cd \(place.root) && mkdir -p log && echo 1 > file")
        try place.setUp()
        #expect(
            refusal { try place.commit(nil) }?.status == 2,
            "no filter is active")
        try place.enable()
        _ = try place.filter.addExceptions(
            [place.root.appending("log")], nil, to: place.root, holding: place.filter.lock())
        _ = try place.filter.discard(nil, holding: place.filter.lock())
        shell("echo 2 > \(place.root)/log/l")
        for path in ["log/l", "log", "../x"] {
            let path = place.root.appending(path).normalized(relativeTo: "/")
            #expect(
                refusal { try place.commit([path]) }?.status == 4,
                "\(path)")
        }
        #expect(
            try place.commit([place.root.appending("file")])
                .changes == 0)
        #expect(try place.status.waitingCommits == 0)
    }

    @Test("A filter that could not start is told by `status` until it does, and stops no other")
    func failedStart() throws {
        let place = try FilteredPlace()
        try place.setUp()
        let folders = ["a", "b", "c"].map { place.root.appending($0) }
        for folder in folders {
            try makeFolders(folder, mode: 0o755)
            var request = WriteFilter.Request()
            request.path = folder
            request.size = 32 << 20
            _ = try place.filter.enable(
                request, user: "test", progress: Progress(), findings: Findings(), holding: place.filter.lock())
        }
        func leave() {
            for mount in ((try? Mount.all()) ?? []).reversed()
            where mount.point.isBelow(place.root)
                || folders.contains(where: { mount.point.isBelow(FilterMounts.base(of: $0)) })
            {
                try? unmountTree(mount.point)
            }
        }
        defer { leave() }
        leave()
        shell("mv \(folders[0]) \(folders[0]).away")
        let alarms = try place.start()
        #expect(alarms.count == 1 && alarms[0].hasPrefix("\(folders[0]) is NOT protected"), "\(alarms)")
        #expect(try place.filter.status().map { $0.alarms.count } == [1, 0, 0])
        #expect(try place.filter.status().map(\.session.mode) == [.writable, .overlay, .overlay])
        shell("mv \(folders[0]).away \(folders[0])")
        #expect(try place.start() == [])
        #expect(try place.filter.status().allSatisfy { $0.alarms.isEmpty && $0.session.mode == .overlay })
        leave()
        let plan = place.state.appending("filter/\(FilterMounts.name(of: folders[0])).plan")
        try replaceFile(plan, Array(try readWhole(plan, limit: 1 << 16).dropLast(4)))
        #expect(throws: FilterError.self) { try place.start() }
        for folder in folders.dropFirst() { #expect(FilterMounts.lower(of: folder) != nil, "\(folder)") }
    }

    @Test("A filter is found from the paths that are given")
    func found() throws {
        let place = try FilteredPlace()
        try place.setUp()
        let folders = ["a", "b"].map { place.root.appending($0) }
        let filter = place.filter
        #expect(try filter.place(of: []) == "/")
        for folder in folders {
            try makeFolders(folder.appending("deep"), mode: 0o755)
            var request = WriteFilter.Request()
            request.path = folder
            request.size = 32 << 20
            _ = try filter.enable(
                request, user: "test", progress: Progress(), findings: Findings(), holding: filter.lock())
            if folder == folders[0] { #expect(try filter.place(of: []) == folder) }
        }
        #expect(try filter.place(of: [folders[1].appending("deep")]) == folders[1])
        #expect(refusal { try filter.place(of: []) }?.mend == "give one with --path")
        #expect(refusal { try filter.place(of: folders) }?.status == 2)
        #expect(refusal { try filter.place(of: ["/etc"]) }?.status == 2)
        for folder in folders { _ = try filter.disable(folder, holding: filter.lock()) }
    }

    @Test("Every plan that is cut or changed is damaged, or another plan: never a plan with an exception less")
    func plans() throws {
        let place = try FilteredPlace()
        shell("mkdir -p \(place.root)/log \(place.root)/data")
        try place.setUp()
        try place.enable()
        let plan = try place.filter.addExceptions(
            ["log", "data"].map { place.root.appending($0) }, nil, to: place.root, holding: place.filter.lock())
        let file = "\(place.state)/filter/\(FilterMounts.name(of: place.root)).plan"
        let whole = try readWhole(BytePath(file), limit: 1 << 16)
        for length in 0..<whole.count {
            try replaceFile(BytePath(file), Array(whole[..<length]))
            #expect(throws: FilterError.self, "cut at \(length)") { try place.filter.plans() }
        }
        try replaceFile(BytePath(file), whole)
        #expect(try place.filter.plans() == [plan])
        for (old, new) in [
            ("enabled yes", "enabled maybe"), ("size ", "size x"), ("except /", "except x/"), ("end\n", "end\nend\n"),
            ("/log", "/log x.mount"), ("/data", "/data 1 2"), ("path /", "path /x y"),
        ] {
            let text = String(decoding: whole, as: UTF8.self).replacing(old, with: new)
            try replaceFile(BytePath(file), Array(text.utf8))
            #expect(throws: FilterError.self, "\(new)") { try place.filter.plans() }
        }
        try replaceFile(BytePath(file), whole)
    }

    @Test("Without a set-up state, and without being decided, there is one sentence and its mend")
    func notSetUp() throws {
        let place = try FilteredPlace()
        #expect(refusal { try place.enable() }?.status == 2)
        try place.setUp()
        #expect(refusal { try place.filter.disable(place.root, holding: place.filter.lock()) }?.status == 2)
        #expect(refusal { try place.filter.service(holding: place.filter.lock()) }?.status == 2)
        #expect(refusal { try place.filter.discard(place.root, holding: place.filter.lock()) }?.status == 2)
    }
}
