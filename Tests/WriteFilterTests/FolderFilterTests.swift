// A filtered folder: what is written is forgotten, what is excepted stays, what is committed stays, and nothing else.

import Glibc
import Machine
import Platform
import Reporting
import RestorePoints
import TestSupport
import Testing
import WriteFilter

@Suite(.serialized, .enabled(if: HostFacts.isRoot, "filters are mounted by root"))
struct FolderFilterTests {
    private func fill(_ place: FilteredPlace) {
        shell(
            """
            cd \(place.root) && mkdir -p conf/deep log data/sub && echo 1 > conf/a && echo 2 > b && echo l > log/l && ln -s b link
            setfattr -n user.k -v v conf/a; setfacl -m u:1000:r b; chmod 700 conf/deep; chown 5:6 data; mkfifo pipe
            for i in 1 2 3 4 5; do echo $i > data/$i; echo $i > data/sub/$i; done; chmod 750 .
            """)
    }

    private func spoil(_ place: FilteredPlace) {
        shell(
            """
            cd \(place.root) && echo bad > conf/a; rm b; ln -sf conf/a link; mkdir new new/deep; echo n > new/deep/n; chmod 4755 data/1
            rm -r data/sub; mkdir data/sub; echo other > data/sub/other; mv data/2 data/two; rm -r conf/deep; echo f > conf/deep
            setfattr -n user.k -v w conf/a; touch -d 2001-01-01 data; rm pipe; mkdir pipe
            """)
    }

    @Test(
        "A commit that is damaged is named and set aside: nothing of it is brought, the filter starts, a rollback is free again",
        arguments: [
            "rm list", "sed -i '$d' list", "echo what >> list", "rm list; mkfifo list", "rm identity",
            "truncate -s 200 parts.hf",
            "dd if=/dev/zero of=parts.hf bs=1 seek=200 count=$(($(stat -c %s parts.hf) - 400)) conv=notrunc",
            "rm -r $PWD; mkfifo $PWD",
            "rm -r $PWD; echo > $PWD",
        ])
    func damagedCommit(_ damage: String) throws {
        let place = try FilteredPlace()
        fill(place)
        try place.setUp()
        try place.enable()
        let before = place.look(place.lower)
        shell("cd \(place.root); rm conf/a; echo kept > kept; exec 9<kept; sleep 4074 >/dev/null 2>&1 & sleep 0.3")
        #expect(try !place.commit(nil).isApplied)
        shell("pkill -f 'sleep 407[4]'; cd \(place.state)/journal/commit-*-1; \(damage)")
        place.leave()
        let findings = Findings()
        #expect(try place.start(findings: findings) == [] && findings.count > 0)
        #expect(try place.status.session.mode == .overlay && place.status.waitingCommits == 0)
        #expect(place.look(place.lower) == before)
        #expect(shell("ls \(place.state)/journal | grep -c damaged-commit") == "1\n")
    }

    @Test("What the first program had under way, in the places that it had then, is brought to its end")
    func formerPlaces() throws {
        let place = try FilteredPlace()
        fill(place)
        try place.setUp()
        try place.enable()
        shell("echo kept > \(place.root)/kept; exec 9<\(place.root)/kept; sleep 4072 >/dev/null 2>&1 & sleep 0.3")
        #expect(try !place.commit(nil).isApplied)
        shell("pkill -f 'sleep 407[2]'; cd \(place.state); mv journal/commit-* filter/")
        #expect(try place.status.waitingCommits == 1)
        let tree = try ProtectedTree.open(state: place.state, progress: Progress(), findings: Findings())
        let point = try #require(try tree.points().last)
        #expect(throws: PointError.self) { try tree.check(tree.planRollback(to: point, discardNewer: false)) }
        place.leave()
        #expect(try place.start() == [])
        #expect(shell("cat \(place.lower)/kept") == "kept\n")
        #expect(shell("ls \(place.state)/filter \(place.state)/journal | grep commit-") == "")
    }

    @Test("A commit keeps names with a backslash and names that are no text, and hooks are told them, byte for byte")
    func slash() throws {
        let place = try FilteredPlace()
        shell(
            """
            cd \(place.root) && echo 1 >'system-systemd\\x2dcryptsetup.slice' && mkdir 'dir\\x2d' && echo 1 >'dir\\x2d/a'
            echo 1 >$'raw\\xff'; echo 1 >$'gone\\xfe'
            """)
        try place.setUp()
        try place.enable()
        shell(
            """
            cd \(place.root) && rm 'system-systemd\\x2dcryptsetup.slice' $'gone\\xfe' && rm -r 'dir\\x2d' && echo f >'dir\\x2d'
            echo 2 >$'raw\\xff'; mkdir $'new\\xfd'; echo n >$'new\\xfd/n\\\\'
            """)
        let view = place.look(times: false)
        #expect(try place.commit(nil).isApplied)
        _ = try place.filter.disable(place.root, holding: place.filter.lock())
        #expect(place.look(times: false) == view)
        #expect(shell("cd \(place.root); cat 'dir\\x2d' $'raw\\xff' $'new\\xfd/n\\\\'; ls | wc -l") == "f\n2\nn\n3\n")
    }

    @Test(
        "What is written is forgotten by discard and by disable, byte for byte, and the point before-filter holds what is protected"
    )
    func forgets() throws {
        let place = try FilteredPlace()
        fill(place)
        try place.setUp()
        let before = place.look()
        let enabled = try place.enable()
        #expect(enabled.isActive && enabled.point?.name.hasPrefix("before-filter.") == true)
        #expect(place.look() == before)
        #expect(shell("stat -c %a \(place.root)") == "750\n")
        spoil(place)
        #expect(place.look() != before)
        #expect(place.look(place.lower) == before)
        #expect(try place.filter.discard(nil, holding: place.filter.lock()).now == [place.root])
        #expect(place.look() == before)
        spoil(place)
        let (isWritable, _) = try place.filter.disable(place.root, holding: place.filter.lock())
        #expect(isWritable && place.look() == before)
        spoil(place)
        #expect(try place.status.session.mode == .writable)
        #expect(shell("cat \(place.root)/conf/a") == "bad\n")
    }

    @Test(
        "A folder with the longest path that an overlay takes is filtered, a longer one refused; nothing stays of what is disabled"
    )
    func longPaths() throws {
        let place = try FilteredPlace()
        try place.setUp()
        let rest = FilterMounts.longestPath - place.root.bytes.count - 1
        for length in [rest, rest + 1] {
            var request = WriteFilter.Request()
            request.path = place.root.appending(String(repeating: "x", count: length))
            request.size = 64 << 20
            try makeFolders(request.path, mode: 0o755)
            func enable() throws {
                _ = try place.filter.enable(
                    request, user: "test", progress: Progress(), findings: Findings(), holding: place.filter.lock())
            }
            if length > rest {
                #expect { try enable() } throws: { "\($0)".contains("has more than 110 bytes") }
            } else {
                try enable()
                shell("touch \(request.path)/forgotten")
                #expect(try place.filter.disable(request.path, holding: place.filter.lock()).isWritable)
                shell("rm -r \(place.state)/filter")
            }
            #expect(shell("ls \(request.path)") == "" && !exists(FilterMounts.base(of: request.path)))
            #expect(try place.filter.status().isEmpty)
        }
    }

    @Test("A filter that the kernel refuses is not decided for every start to come")
    func refusedByKernel() throws {
        let place = try FilteredPlace()
        try place.setUp()
        // An overlay over overlays of overlays is one too many.
        shell(
            """
            cd \(place.root) && mkdir 0 1 2 && mount -t tmpfs none 0 && cd 0 && mkdir l u w u2 w2
            mount -t overlay none -o lowerdir=l,upperdir=u,workdir=w ../1 && mount -t overlay none -o lowerdir=../1,upperdir=u2,workdir=w2 ../2
            """)
        var request = WriteFilter.Request()
        request.path = place.root.appending("2")
        request.size = 64 << 20
        #expect(throws: (any Error).self) {
            try place.filter.enable(
                request, user: "test", progress: Progress(), findings: Findings(), holding: place.filter.lock())
        }
        #expect(try place.filter.status().isEmpty && place.start() == [])
    }

    @Test("Exceptions stay, also one that was not there, and atomic saves inside of them; the rest is forgotten")
    func exceptions() throws {
        let place = try FilteredPlace()
        fill(place)
        try place.setUp()
        try place.enable()
        _ = try place.filter.addExceptions(
            [place.root.appending("log"), place.root.appending("recipes/today")], nil, to: place.root,
            holding: place.filter.lock())
        _ = try place.filter.discard(nil, holding: place.filter.lock())
        #expect(try place.status.session.exceptions.map(\.isPersistent) == [true, true])
        shell(
            """
            cd \(place.root) && echo more >> log/l && echo new > log/x.tmp && mv log/x.tmp log/x && echo r > recipes/today/r && echo bad > conf/a
            """)
        #expect(
            shell("cd \(place.root) && mv conf/a log/ && echo moved") == "moved\n", "across the border it is a copy")
        _ = try place.filter.discard(nil, holding: place.filter.lock())
        #expect(
            shell("cd \(place.root) && cat log/l log/x log/a recipes/today/r conf/a") == "l\nmore\nnew\nbad\nr\n1\n")
        // Taken out, it is protected again with what it holds.
        _ = try place.filter.removeExceptions(
            [place.root.appending("log")], from: place.root, holding: place.filter.lock())
        _ = try place.filter.discard(nil, holding: place.filter.lock())
        shell("echo gone >> \(place.root)/log/l")
        _ = try place.filter.discard(nil, holding: place.filter.lock())
        #expect(shell("cat \(place.root)/log/l") == "l\nmore\n")
    }

    @Test("An exception that is gone is read-only and named, and the rest is protected")
    func missingException() throws {
        let place = try FilteredPlace()
        fill(place)
        try place.setUp()
        try place.enable()
        _ = try place.filter.addExceptions(
            [place.root.appending("log")], nil, to: place.root, holding: place.filter.lock())
        _ = try place.filter.disable(place.root, holding: place.filter.lock())
        shell("rm -r \(place.root)/log")
        try place.enable()
        let status = try place.status
        #expect(status.alarms == ["the exception \(place.root)/log is not there: it is read-only now"])
        #expect(status.session.exceptions.map(\.isPersistent) == [false])
        #expect(shell("touch \(place.root)/log/x 2>&1").contains("Read-only file system"))
        #expect(shell("touch \(place.root)/conf/x 2>&1") == "")
    }

    @Test("Everything that a session changed is on the disk after commit --all, and the view of it stays as it is")
    func commitAll() throws {
        let place = try FilteredPlace()
        fill(place)
        try place.setUp()
        try place.enable()
        _ = try place.filter.addExceptions(
            [place.root.appending("log")], nil, to: place.root, holding: place.filter.lock())
        _ = try place.filter.discard(nil, holding: place.filter.lock())
        spoil(place)
        shell("echo e >> \(place.root)/log/l")
        let now = place.look()
        let committed = try place.commit(nil)
        #expect(committed.isApplied && committed.changes > 8)
        #expect(place.look() == now)
        #expect(place.look(place.lower) == now)
        #expect(try place.commit(nil).changes >= 0)
        _ = try place.filter.disable(place.root, holding: place.filter.lock())
        #expect(place.look() == now)
        #expect(shell("ls -A \(place.state)/filter | grep -c commit") == "0\n")
    }

    @Test("A commit keeps the paths that it names, with the folders on the way, deletions too, and nothing else")
    func commitPaths() throws {
        let place = try FilteredPlace()
        fill(place)
        try place.setUp()
        try place.enable()
        spoil(place)
        let paths = ["conf/a", "b", "new/deep/n", "data/sub"].map { place.root.appending($0) }
        #expect(try place.commit(paths).isApplied)
        _ = try place.filter.disable(place.root, holding: place.filter.lock())
        #expect(
            shell("cd \(place.root) && cat conf/a new/deep/n data/sub/other; readlink link") == "bad\nn\nother\nb\n")
        #expect(
            shell("cd \(place.root) && ls data data/sub; ls -d conf/*")
                == "data:\n1\n2\n3\n4\n5\nsub\n\ndata/sub:\nother\nconf/a\nconf/deep\n")
        #expect(!exists(place.root.appending("b")))
        #expect(shell("getfattr --only-values -n user.k \(place.root)/conf/a") == "w")
    }

    @Test(
        "Whatever a session did at random, a commit of everything brings exactly that",
        arguments: 0..<(runsAll ? 40 : 6))
    func random(_ seed: Int) throws {
        let place = try FilteredPlace()
        shell(
            "cd \(place.root); for i in 1 2 3 4; do mkdir -p d$i/e$i; for j in 1 2 3; do echo $i$j > d$i/f$j; echo $j > d$i/e$i/g$j; done; done"
        )
        try place.setUp()
        try place.enable()
        // Names repeat, so that what was a file becomes a folder, and what was removed comes back.
        shell(
            """
            cd \(place.root); RANDOM=\(seed + 1); name() { echo "d$((RANDOM % 5))/$(echo e f g h | cut -d' ' -f$((RANDOM % 4 + 1)))$((RANDOM % 4))"; }
            for i in $(seq 60); do a=$(name); b=$(name)
            case $((RANDOM % 9)) in
            0) mkdir -p "$a" ;; 1) rm -rf "$a" ;; 2) mkdir -p "${a%/*}"; echo $i > "$a" ;; 3) mv "$a" "$b" ;; 4) chmod $((RANDOM % 8))$((RANDOM % 8))5 "$a" ;;
            5) ln -s "$b" "$a" ;; 6) touch -d @$((RANDOM * 1000)) "$a" ;; 7) rm -rf "${a%/*}" ;; 8) cp -a "${a%/*}" "d$((RANDOM % 5))/" ;; esac 2>/dev/null; done
            """)
        let now = place.look()
        _ = try place.commit(nil)
        #expect(place.look(place.lower) == now)
        #expect(place.look() == now)
    }

    @Test("Programs at work in it put off what would pull it away from under them, and are named")
    func busy() throws {
        let place = try FilteredPlace()
        fill(place)
        try place.setUp()
        try place.enable()
        let tree = try ProtectedTree.open(state: place.state, progress: Progress(), findings: Findings())
        let plan = try tree.planRollback(to: #require(tree.points().last), discardNewer: false)
        echoInto(place, "conf/a")
        let child = shell("cd \(place.root); sleep 4000 >/dev/null 2>&1 & echo -n $!")
        defer { shell("kill \(child)") }
        let (isWritable, users) = try place.filter.disable(place.root, holding: place.filter.lock())
        #expect(!isWritable && users.map(\.description) == ["sleep (\(child))"])
        #expect(try place.filter.discard(nil, holding: place.filter.lock()).later.map(\.path) == [place.root])
        #expect(shell("cat \(place.root)/conf/a") == "bad\n")
        let committed = try place.commit([place.root.appending("conf/a")])
        #expect(!committed.isApplied && committed.changes == 1)
        #expect(try place.status.waitingCommits == 1)
        // The state that it belongs to is not left meanwhile, whoever asks, and though the plan was made before.
        let refused = try #require(throws: PointError.self) {
            try tree.carryOut(plan, user: "test", holding: tree.lock())
        }
        #expect(refused.exitStatus == 4 && "\(refused)".contains("waits for the next start"))
        // What waits is brought at the next start.
        shell("kill \(child); sleep 0.2; umount \(place.root) \(FilterMounts.base(of: place.root))/*")
        #expect(try place.start() == [])
        #expect(shell("cat \(place.root)/conf/a") == "bad\n")
        #expect(try place.status.session.mode == .writable && place.status.waitingCommits == 0)
    }

    private func echoInto(_ place: FilteredPlace, _ name: String) { shell("echo bad > \(place.root)/\(name)") }

    @Test("An overlay that is full refuses writes, names what fills it and who, calls the hooks once, and goes on")
    func full() throws {
        let place = try FilteredPlace()
        fill(place)
        try place.setUp()
        try place.enable(size: 16 << 20)
        let hooks = place.scratch.appending("hooks")
        shell(
            """
            mkdir \(hooks); printf '#!/bin/sh\\necho "$1 $2" >>\(place.scratch)/called\\n' >\(hooks)/10-tell; chmod +x \(hooks)/10-tell
            printf '#!/bin/sh\\nexit 1\\n' >\(hooks)/00-fails; chmod +x \(hooks)/00-fails
            """)
        #expect(try place.filter.watch(hooks: hooks) == .normal)
        let child = shell(
            "mkdir \(place.root)/new; (head -c 30000000 /dev/zero; sleep 4000) 2>/dev/null >\(place.root)/new/big & sleep 0.5; echo -n $!"
        )
        defer { shell("pkill -P \(child); kill \(child)") }
        #expect(shell("echo x 2>&1 >\(place.root)/conf/y").contains("No space left"))
        let status = try place.status
        #expect(status.isWarning && status.consumption.map { $0.percent >= 95 } == true)
        #expect(status.consumers.first?.folder == place.root.appending("new"))
        #expect(status.consumers.first?.programs.isEmpty == false)
        #expect(try place.filter.watch(hooks: hooks) == .critical)
        #expect(try place.filter.watch(hooks: hooks) == .critical)
        shell("pkill -P \(child); kill \(child); sleep 0.2; rm \(place.root)/new/big")
        #expect(try place.filter.watch(hooks: hooks) == .normal)
        #expect(shell("cat \(place.scratch)/called") == "critical \(place.root)\nnormal \(place.root)\n")
        #expect(shell("cat \(place.root)/conf/a") == "1\n")
    }

    @Test("What fills the overlay is found below as many folders as somebody may make, one in the other")
    func deepConsumer() throws {
        let place = try FilteredPlace()
        try place.setUp()
        try place.enable()
        shell(
            """
            python3 -c 'import os
            os.chdir("\(place.root)")
            for _ in range(20000):
                os.mkdir("d"); os.chdir("d")
            open("file", "wb").write(bytes(1 << 20))'
            """)
        let consumer = try #require(place.status.consumers.first)
        #expect(consumer.folder.bytes.count > 40_000 && consumer.bytes >= 1 << 20 && consumer.files == 1)
    }

    @Test("A service start is writable once, and the next one protects again")
    func service() throws {
        let place = try FilteredPlace()
        fill(place)
        try place.setUp()
        try place.enable()
        try place.filter.service(holding: place.filter.lock())
        #expect(try place.status.isServiceNext)
        func restart() throws {
            shell(
                "umount \(place.root) \(FilterMounts.base(of: place.root))/overlay \(FilterMounts.base(of: place.root))/lower"
            )
            #expect(try place.start() == [])
        }
        try restart()
        #expect(try place.status.session.mode == .writable)
        #expect(try !place.status.isServiceNext, "the token is spent before anything runs")
        shell("echo 3 > \(place.root)/conf/a")
        try restart()
        #expect(try place.status.session.mode == .overlay)
        #expect(shell("cat \(place.root)/conf/a") == "3\n")
    }

    @Test("A point and a backup under a filter hold what is protected and the exceptions, never the overlay")
    func points() throws {
        let place = try FilteredPlace()
        fill(place)
        try place.setUp()
        let before = try #require(try place.enable().point)
        _ = try place.filter.addExceptions(
            [place.root.appending("log")], nil, to: place.root, holding: place.filter.lock())
        _ = try place.filter.discard(nil, holding: place.filter.lock())
        spoil(place)
        shell("echo more >> \(place.root)/log/l")
        let tree = try ProtectedTree.open(state: place.state, progress: Progress(), findings: Findings())
        let created = try tree.create(PointRequest(name: "under"), user: "test", holding: tree.lock())
        #expect(created.preflight.map(\.code) == ["filter-active"])
        let differences = try tree.diff(from: before, to: created.point, content: true)
        #expect(differences.filter { !$0.path.bytes.isEmpty }.map(\.path.description) == ["log/l"])
    }
}
