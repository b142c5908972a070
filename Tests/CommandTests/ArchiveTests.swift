// Archives of other tools become images exactly or not at all, and images become archives that other tools read right.

import TestSupport
import Testing

@Suite struct ArchiveTests {
    private static let maker = "python3 \(packageFolder)/Tests/Tools/make-archive.py"

    private func store() -> Workplace {
        let place = Workplace()
        place.shell("mkdir empty; holdfast store init store --quiet; holdfast backup empty --to store --quiet")
        return place
    }

    private func compare(_ place: Workplace, _ a: String, _ b: String, _ options: String = "") -> Outcome {
        runShell(
            "python3 \(packageFolder)/Tests/Tools/compare-trees.py \(place.file(a)) \(place.file(b)) \(options)")
    }

    @Test(
        "An archive that cannot be read as a whole makes no image",
        arguments: [
            ("cut", "the archive is truncated: the mark of its end is missing"),
            ("cpio-cut", "cannot read the archive: it is cut or damaged"),
            ("damaged", "cannot read the archive: Damaged tar archive"),
            ("huge", "the archive's files are longer than an image can be"),
            ("text", "this is no tar or cpio archive"),
            ("program", "this is no tar or cpio archive"),
        ])
    func refused(example: String, text: String) {
        let place = store()
        let before = place.holdfast("images --from store --json").output
        let outcome = place.shell("\(Self.maker) \(example) > in; holdfast import --name x --to store < in")
        #expect(outcome.status == 1 && outcome.output.contains(text), "\(outcome)")
        #expect(place.holdfast("images --from store --json").output == before)
        #expect(place.holdfast("verify --from store --read-data").status == 0)
    }

    @Test("An archive whose entries take more memory than an import may is refused, with the limit, within a gigabyte")
    func memory() {
        let place = store()
        let outcome = place.shell(
            """
            \(Self.maker) memory 2>/dev/null | python3 -c 'import resource, subprocess
            subprocess.run(["holdfast", "import", "--name", "x", "--to", "store"])
            print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)'
            """)
        #expect(outcome.output.contains("keeps in memory (512 MiB): import it in parts"), "\(outcome)")
        let peak = outcome.output.split(separator: "\n").last.flatMap { Int($0) }
        #expect(peak.map { $0 < 1_000_000 } == true, "\(outcome)")
        #expect(place.holdfast("verify --from store").status == 0)
    }

    @Test(
        "What is no archive of a kind that is read exactly is refused",
        arguments: ["cat /dev/null", "cat /etc/passwd", "head -c 100000 /dev/urandom", "cat /bin/sh | gzip"])
    func noArchive(source: String) {
        let place = store()
        let outcome = place.shell("\(source) | holdfast import --name x --to store")
        #expect(outcome.status == 1 && outcome.output.contains("this is no tar or cpio archive"), "\(outcome)")
    }

    @Test("A zip as it comes through a pipe, which tells no sizes beforehand, is refused")
    func zip() {
        let place = store()
        let script = """
            import zipfile,sys
            class Pipe:
                def write(s, b): return sys.stdout.buffer.write(b)
                def flush(s): pass
            z = zipfile.ZipFile(Pipe(), 'w'); z.writestr('a', 'content'); z.close()
            """
        let outcome = place.shell("python3 -c \"\(script)\" | holdfast import --name x --to store")
        #expect(outcome.status == 1 && outcome.output.contains("this is no tar or cpio archive"), "\(outcome)")
    }

    @Test("No program from the path unpacks what libarchive cannot")
    func noPrograms() {
        let place = store()
        place.shell("mkdir bin; printf '#!/bin/sh\\ntouch \(place.path)/started\\n' > bin/grzip; chmod 755 bin/grzip")
        place.shell("\(Self.maker) program > in; PATH=$PWD/bin:$PATH holdfast import --name x --to store < in")
        #expect(place.shell("ls started").status != 0)
    }

    @Test(
        "What tar and its packers write comes back as it was",
        arguments: [
            "--format=pax --acls --xattrs --xattrs-include=*", "--format=pax --xattrs --xattrs-include=* -S --zstd",
            "--format=gnu -z", "--format=gnu -j -S", "--format=ustar -J", "--format=v7", "--format=oldgnu",
        ])
    func dialects(options: String) {
        let place = store()
        let hasAttributes = options.contains("--xattrs")
        place.shell(
            """
            mkdir -p tree/a/b tree/c; for i in $(seq 30); do echo $i > tree/a/b/$i; done; ln tree/a/b/1 tree/a/hard
            ln -s b/2 tree/a/soft; head -c 3000000 /dev/urandom > tree/large; truncate -s 5M tree/hole; mkfifo tree/fifo
            printf 'x' >> tree/hole; touch tree/Größe "$(printf 'tree/b\\377\\374')"; chown 1234:4321 tree/a/b/3; chmod 4711 tree/a/b/4
            chmod 1777 tree/c
            """)
        if hasAttributes {
            place.shell(
                """
                setfattr -n user.x -v y tree/a/b/2; setfacl -m u:1234:rwx,g:daemon:r tree/a/b/5; setfacl -d -m u:daemon:rwx tree/c
                setfacl -n -m u:1234:rwx,g::rwx,m::r tree/a/b/6; setcap cap_net_raw=ep tree/a/b/7
                """)
        }
        if options.contains("v7") { place.shell("rm tree/fifo") }
        if !options.contains("pax") { place.shell("find tree -exec touch -h -d '2020-01-01 00:00:00' {} +") }
        let imported = place.shell("tar c \(options) -C tree . | holdfast import --name x --to store")
        #expect(imported.status == 0, "\(imported)")
        #expect(place.holdfast("restore x --from store --to restored").status == 0)
        // Not every dialect tells where the holes are.
        let compared = compare(place, "tree", "restored")
        let differences = compared.output.split(separator: "\n").filter {
            !$0.contains("differences") && !$0.contains("difference")
                && (options.contains("-S") || !$0.contains("holes"))
        }
        #expect(differences.isEmpty, "\(compared)")
    }

    @Test("Access lists that tar wrote as text alone come back, the mode with the mask in it")
    func listsAsText() {
        let place = store()
        place.shell("mkdir tree; echo 1 > tree/a; chmod 640 tree/a; setfacl -m u:daemon:rwx tree/a")
        let imported = place.shell("tar c --format=pax --acls -C tree . | holdfast import --name x --to store")
        #expect(imported.status == 0, "\(imported)")
        #expect(place.holdfast("restore x --from store --to restored").status == 0)
        #expect(compare(place, "tree", "restored").status == 0)
        #expect(place.shell("getfacl -n restored/a").output.contains("user:1:rwx"))
    }

    @Test("Folders that come after what is in them keep their modes, and links may be far from their files")
    func order() {
        let place = store()
        #expect(place.shell("\(Self.maker) order | holdfast import --name x --to store").status == 0)
        let restored = place.holdfast("restore x --from store --to x")
        #expect(restored.status == 0, "\(restored)")
        let found = place.shell(
            "cd x; find . -printf '%P %m %y %s %n %TY\\n' | sed 's/ d [0-9]* / d /' | sort; cat deep/second")
        #expect(
            found.output == """
                 711 d 3 2020
                deep 2750 d 3 2020
                deep/er 1777 d 2 2020
                deep/er/file 2 640 f 1 1 2020
                deep/er/file 600 f 1 1 2020
                deep/second 644 f 1 2 2020
                other 644 f 1 2 2020
                2
                """, "\(found)")
    }

    @Test(
        "Of a file that comes again the last state counts; absolute names lie below the root; bytes of names are kept")
    func unusual() {
        let place = store()
        for example in ["again", "absolute", "no-text", "owner-names"] {
            let imported = place.shell("\(Self.maker) \(example) | holdfast import --name \(example) --to store")
            #expect(imported.status == 0, "\(imported)")
            #expect(place.holdfast("restore \(example) --from store --to \(example)").status == 0)
        }
        #expect(place.shell("cat again/a; stat -c ' %a' again/a; ls again").output == "new 644\na\nb\n")
        #expect(place.shell("cat absolute/etc/file absolute/etc/other").output == "12")
        #expect(place.shell("ls no-text | od -An -tx1").output == " 62 ff c3 bc 0a\n")
        #expect(place.shell("getfacl -cn owner-names/a").output.hasPrefix("user::rw-\nuser:1234:rwx\ngroup::r--\n"))
    }

    @Test("Of cpio, sockets come back, and hard links whose content is with the last name")
    func cpio() {
        let place = store()
        #expect(place.shell("\(Self.maker) cpio | holdfast import --name x --to store").status == 0)
        #expect(place.holdfast("restore x --from store --to x").status == 0)
        #expect(
            place.shell("cat x/d/a; stat -c ' %h %a' x/d/b; stat -c '%F %a' x/d x/d/sock; readlink x/d/link").output
                == "hello 2 644\ndirectory 750\nsocket 755\na\n")
    }

    @Test("GNU tar reads an export without a word, gives nobody more, and with --acls all of it")
    func export() {
        let place = store()
        place.shell(
            """
            mkdir -p tree/d; echo a > tree/named; chmod 640 tree/named; setfacl -m u:1234:rwx tree/named; touch tree/Größe
            echo b > tree/narrow; setfacl -n -m u:1234:rwx,g::rwx,m::r tree/narrow; setfacl -d -m u:1234:rwx tree/d
            setfattr -n user.x -v y tree/named; ln tree/named tree/second
            """)
        #expect(place.holdfast("backup tree --to store --quiet").status == 0)
        let exported = place.shell("holdfast export tree --from store --quiet > tree.tar")
        #expect(exported.status == 0 && exported.output.isEmpty, "\(exported)")
        let plain = place.shell("mkdir plain; tar -C plain -xpf tree.tar; stat -c '%a %n' plain/*")
        #expect(
            plain.output == "644 plain/Größe\n755 plain/d\n640 plain/named\n644 plain/narrow\n640 plain/second\n",
            "\(plain)")
        let whole = place.shell(
            "mkdir whole; tar -C whole --acls --xattrs -xpf tree.tar; getfacl -cn whole/named whole/d")
        #expect(
            whole.output == """
                user::rw-
                user:1234:rwx
                group::r--
                mask::rwx
                other::---

                user::rwx
                group::r-x
                other::r-x
                default:user::rwx
                default:user:1234:rwx
                default:group::r-x
                default:mask::rwx
                default:other::r-x


                """, "\(whole)")
        // What comes back through an archive is all of it.
        #expect(place.shell("holdfast import --name back --to store < tree.tar").status == 0)
        #expect(place.holdfast("restore back --from store --to back").status == 0)
        let compared = compare(place, "tree", "back")
        #expect(compared.status == 0, "\(compared)")
    }

    @Test("Of an export, only the names that are no text are marked as such, and what an archive cannot have is said")
    func exportRest() {
        let place = store()
        place.shell("mkdir tree; touch tree/1 tree/2 tree/ü \"$(printf 'tree/\\377')\"")
        place.shell("python3 -c \"import socket; socket.socket(socket.AF_UNIX).bind('tree/socket')\"")
        place.shell("touch -d '1969-12-31 23:59:58.25 UTC' tree/1")
        #expect(place.holdfast("backup tree --to store --quiet").status == 0)
        let exported = place.shell("holdfast export tree --from store > tree.tar")
        #expect(exported.status == 3 && exported.output.contains("socket: an archive has no sockets"), "\(exported)")
        #expect(
            exported.output.contains("1: its time before 1970 is in the archive without the fraction"), "\(exported)")
        #expect(place.shell("grep -ac hdrcharset tree.tar").output == "1\n")
        #expect(
            place.shell("mkdir x; tar -C x -xf tree.tar 2>/dev/null; stat -c %.2Y x/1").output == "-2.00\n")
        #expect(
            place.shell("ls x | od -An -c | tr -d ' \\n'").output.contains(
                "377"))
    }

    @Test("Without libarchive all works but import and export, which say what to install")
    func withoutLibrary() {
        let place = store()
        let hide =
            "unshare -m sh -c 'for file in /usr/lib/*/libarchive.so.13; do mount --bind /dev/null $(readlink -f $file); done; "
        let imported = place.shell("\(Self.maker) again > in; \(hide) holdfast import --name x --to store < in'")
        #expect(imported.status == 1 && imported.output.contains("archives need libarchive"), "\(imported)")
        #expect(imported.output.contains("apt-get install libarchive13"), "\(imported)")
        let exported = place.shell("\(hide) holdfast export latest --from store > out'")
        #expect(exported.status == 1 && exported.output.contains("apt-get install libarchive13"), "\(exported)")
        #expect(place.shell("\(hide) holdfast restore latest --from store --to x'").status == 0)
    }

    @Test("No command but those loads libarchive, libxml2, ICU or the whole of Foundation")
    func whatIsLoaded() {
        let place = store()
        for command in ["--version", "images --from store", "backup empty --to store", "status"] {
            let loaded = place.shell("LD_DEBUG=files holdfast \(command) 2>&1 | grep 'calling init' | sed 's|.*/||'")
                .output
            #expect(loaded.contains("libcrypto"), "\(loaded)")
            for name in ["libarchive", "libxml2", "libicu", "libFoundation.so", "FoundationInternationalization"] {
                #expect(!loaded.contains(name), "\(command): \(loaded)")
            }
        }
    }
}
