// What an image says is needed to restore a machine: complete as far as it could be asked, bounded, and without secrets.

import Images
import Platform
import TestSupport
import Testing

@testable import Stewardship

@Suite struct NeedsTests {
    let scratch = Scratch()

    private func put(_ path: String, _ text: String) throws {
        let path = scratch.file(path)
        try makeFolders(path.parent, mode: 0o755)
        try writeNew(path, Array(text.utf8))
    }

    private func gathered(_ excludes: [String] = []) -> MachineNeeds {
        NeedsGathering(sources: ["/"], tree: scratch.path, excludes: excludes.map { Array($0.utf8) }).gather()
    }

    @Test("Packages, units and the distribution are those of the tree that is backed up, not of the system that runs")
    func tree() throws {
        try put(
            "var/lib/dpkg/status",
            """
            Package: zsh
            Status: install ok installed
            Architecture: amd64
            Version: 5.9-4
            Description: a shell
             Version: of its own words

            Package: gone
            Status: deinstall ok config-files
            Architecture: all
            Version: 1

            Package: acl
            Status: hold ok installed
            Architecture: all
            Version: 2.3.1-3
            """)
        try put("etc/os-release", "NAME=x\nPRETTY_NAME=\"Plant OS 7\"\n")
        try put("etc/systemd/system/multi-user.target.wants/plc.service", "")
        shell("ln -s /dev/null \(scratch.file("etc/systemd/system/cups.service"))")
        let needs = gathered()
        #expect(needs.packages?.manager == "dpkg")
        #expect(needs.packages?.list == [["acl", "2.3.1-3", "all"], ["zsh", "5.9-4", "amd64"]])
        #expect(needs.system?.distribution == "Plant OS 7" && needs.system?.kernel == HostFacts.kernelRelease)
        #expect(needs.units?.enabled == ["plc.service"] && needs.units?.masked == ["cups.service"])
    }

    @Test("Packages of Alpine are read from its own list")
    func alpine() throws {
        try put("lib/apk/db/installed", "C:Q1\nP:musl\nV:1.2.5-r0\nA:x86_64\n\nP:zlib\nV:1.3\nA:x86_64\n")
        #expect(gathered().packages?.list == [["musl", "1.2.5-r0", "x86_64"], ["zlib", "1.3", "x86_64"]])
    }

    @Test("What cannot be asked is one line, and the rest is there")
    func failure() throws {
        try makeFolders(scratch.file("var/lib/dpkg/status"), mode: 0o755)
        try put("etc/systemd/system", "no folder")
        let needs = gathered()
        #expect(needs.packages == nil && needs.units == nil && needs.system != nil && needs.network != nil)
        #expect(needs.notAsked?.contains { $0.hasPrefix("packages could not be asked: ") } == true)
        #expect(needs.notAsked?.contains { $0.hasPrefix("units could not be asked: ") } == true)
    }

    @Test("What the image does not hold is named: mounts of their own, what is not mounted, what was excluded")
    func gaps() throws {
        try put("etc/fstab", "UUID=1 / ext4 defaults 0 1\n//u:hush@nas/share /nowhere/data cifs noauto 0 0\n")
        let gaps = gathered(["*.tmp"]).notCovered ?? []
        #expect(gaps.contains { $0.what == "/nowhere/data" && $0.why == "in fstab, and not mounted: //nas/share" })
        #expect(gaps.contains { $0.what == "*.tmp" && $0.why == "excluded" })
        #expect(!gaps.contains { $0.what == "/" || $0.what == "/proc" }, "\(gaps)")
        for (source, shown) in [
            ("https://u:p@ss@host/a", "https://host/a"), ("sshfs#joe:PW@host:/p", "sshfs#host:/p"),
            ("joe%PW@srv:/x", "srv:/x"), ("\\\\joe:PW@srv\\sh", "\\\\srv\\sh"), ("//joe:SEC/RET@srv/sh", "//srv/sh"),
            ("smb://joe:S/R@srv/sh", "smb://srv/sh"), ("https://host/dav?token=T", "https://host/dav"),
            ("nas:/export", "nas:/export"),
            ("pool/data@daily", "pool/data@daily"), ("UUID=1-2", "UUID=1-2"),
        ] {
            #expect(NeedsGathering.withoutUser(source) == shown)
        }
        #expect(NeedsGathering.withoutUser("/dev/sda1") == "/dev/sda1")
    }

    @Test("The network is read as the kernel has it, without what changes by itself")
    func network() {
        let routes = NeedsGathering.routes(
            Array(
                """
                Iface	Destination	Gateway 	Flags	RefCnt	Use	Metric	Mask		MTU	Window	IRTT
                eth0	00000000	010200C0	0003	0	0	0	00000000	0	0	0
                eth0	000200C0	00000000	0001	0	0	0	00FFFFFF	0	0	0
                eth1	0000A8C0	FE0200C0	0003	0	0	0	0000FFFF	0	0	0
                nonsense
                """.utf8))
        #expect(routes == ["192.168.0.0/16 via 192.0.2.254 dev eth1", "default via 192.0.2.1 dev eth0"])
        let addresses = NeedsGathering.addresses6(
            Array(
                """
                fe8000000000000000fc00fffe000001 04 40 20 80     eth0
                fd000000000000000000000000000002 04 40 00 80     eth0
                fd00000000000000000000000000beef 04 40 00 01     eth0
                short 04 40 00 80 eth0
                """.utf8))
        #expect(addresses == ["eth0": ["fd00::2/64"]])
    }

    @Test("Of what udev knows of a device nothing is taken but file systems and tables")
    func udev() {
        let known = DiskNeeds.properties(
            in: Array("I:5\nE:ID_FS_TYPE=ext4\nE:ID_FS_UUID=1-2\nE:SECRET=x\nE:ID_PART_TABLE_TYPE=gpt\nE:broken\n".utf8)
        )
        #expect(known == ["ID_FS_TYPE": "ext4", "ID_FS_UUID": "1-2", "ID_PART_TABLE_TYPE": "gpt"])
    }

    @Test("The same machine gives the same bytes, and what is too long is shortened and says so")
    func encoding() throws {
        let needs = gathered()
        #expect(try needs.encoded() == gathered().encoded())
        #expect(try MachineNeeds(decoding: needs.encoded(), of: "x") == needs)
        var long = needs
        long.packages = MachineNeeds.Packages(
            manager: "dpkg", list: (0..<40_000).map { ["package-\($0)", "1.0", "amd64"] })
        let bytes = try long.encoded()
        #expect(bytes.count <= BackupRequest.maximumNeedsLength)
        let short = try MachineNeeds(decoding: bytes, of: "x")
        #expect(short.packages?.count == 40_000 && short.packages?.list == [] && short.system == needs.system)
        #expect(short.notAsked?.contains { $0.contains("more than an image carries") } == true)
        long.notCovered = [MachineNeeds.Gap(what: String(repeating: "x", count: 2_000_000), why: "")]
        #expect(try long.encoded().count <= BackupRequest.maximumNeedsLength)
        // A later version's, and nonsense.
        let later = try MachineNeeds(decoding: Array(#"{"version":7,"firmware":{"a":1},"disks":[]}"#.utf8), of: "x")
        #expect(later.version == 7 && later.disks == [])
        for text in ["", "[]", "{", #"{"version":1,"disks":5}"#] {
            #expect(throws: ImageError.self) { _ = try MachineNeeds(decoding: Array(text.utf8), of: "x") }
        }
    }
}
