// What firmware starts of a stick: Debian's signed shim and GRUB for UEFI, with Secure Boot and without, and a GRUB for a BIOS. All three read
// one menu.

public import Boot
internal import Glibc
public import Platform

/// The loaders, where this machine or a folder of unpacked packages has them.
public struct StickLoaders: Sendable {
    let shim: BytePath
    let keyManager: BytePath?
    let grub: BytePath
    /// The folder of GRUB's modules for a BIOS.
    let bios: BytePath

    private static let files = [
        ("usr/lib/shim/shimx64.efi.signed", "shim-signed"),
        ("usr/lib/grub/x86_64-efi-signed/grubx64.efi.signed", "grub-efi-amd64-signed"),
        ("usr/lib/grub/i386-pc/boot.img", "grub-pc-bin"),
    ]
    private static let tools = [
        ("grub-mkimage", "grub-common"), ("mcopy", "mtools"), ("mmd", "mtools"), ("mkfs.vfat", "dosfstools"),
    ]

    /// What is not here, of the loaders and of all else that a stick is made of.
    public static func missing(in parts: BytePath?) -> [MissingPart] {
        files.filter { find($0.0, parts) == nil }.map { MissingPart("/\($0.0)", package: $0.1) }
            + tools.filter { programPath($0.0) == nil }.map { MissingPart($0.0, package: $0.1) }
            + LiveSystem.missing()
    }

    /// - Parameter parts: a folder in which packages were unpacked; what is there comes before what this machine has.
    /// - Throws: `LiveError.missing`
    public init(in parts: BytePath?) throws {
        if let parts {
            let status = try Descriptor.open(parts, .directory).status()
            guard [0, getuid()].contains(status.user), status.mode & 0o022 == 0 else {
                throw LiveError.untrusted(parts)
            }
        }
        let missing = Self.missing(in: parts)
        guard missing.isEmpty, let shim = Self.find(Self.files[0].0, parts),
            let grub = Self.find(Self.files[1].0, parts),
            let bios = Self.find(Self.files[2].0, parts)
        else { throw LiveError.missing(missing) }
        self.shim = shim
        self.grub = grub
        self.bios = bios.parent
        keyManager = Self.find("usr/lib/shim/mmx64.efi.signed", parts)
    }

    private static func find(_ name: String, _ parts: BytePath?) -> BytePath? {
        [parts, "/"].compactMap { $0?.appending(name) }.first(where: exists)
    }

    /// The code in sector 0, and what comes behind it.
    func forBIOS(_ layout: StickLayout, scratch: BytePath) throws -> (code: [UInt8], core: [UInt8]) {
        let (early, core) = (scratch.appending("early.cfg"), scratch.appending("core.img"))
        try writeNew(early, Array(Self.finding(layout).utf8))
        try FATFile.run(
            [
                "grub-mkimage", "-O", "i386-pc", "-d", ProgramWord(bios), "-o", ProgramWord(core), "-c",
                ProgramWord(early), "-p", "/holdfast",
            ] + Self.modules.map { ProgramWord($0) })
        return try (readWhole(bios.appending("boot.img"), limit: 512), readWhole(core, limit: 1 << 20))
    }

    private static let modules = [
        "biosdisk", "part_msdos", "fat", "normal", "linux", "configfile", "search", "search_fs_file", "serial",
        "terminal", "echo", "test",
        "sleep", "reboot", "halt", "chain", "minicmd",
    ]

    /// What each of the loaders reads first, wherever it looks for that.
    static func finding(_ layout: StickLayout) -> String {
        """
        search --no-floppy --file --set=root /holdfast/\(layout.name)
        configfile ($root)/holdfast/grub.cfg

        """
    }

    /// The menu of the stick. Without an answer the first entry starts.
    static func menu(_ layout: StickLayout, kernel: String) -> String {
        func entry(_ title: String, _ words: String) -> String {
            """
            menuentry "\(title)" --unrestricted {
                linux /holdfast/vmlinuz holdfast.stick=\(layout.name) panic=30 quiet \(words)
                initrd /holdfast/initrd
            }

            """
        }
        return """
            # Made by `holdfast stick create`; Linux \(kernel).
            search --no-floppy --file --set=root /holdfast/\(layout.name)
            serial --unit=0 --speed=115200
            terminal_input console serial
            terminal_output console serial
            set timeout=5
            set default=0

            """ + entry("Holdfast: back up, restore, repair", "console=ttyS0,115200n8 console=tty0")
                + entry("Holdfast, simple graphics", "console=ttyS0,115200n8 console=tty0 nomodeset")
                + entry("Holdfast on the serial line alone", "console=ttyS0,115200n8")
                    + """
                    menuentry "This machine's own system" --unrestricted {
                        if [ "$grub_platform" = efi ]; then exit; fi
                        set root=(hd1)
                        chainloader +1
                    }

                    """
    }
}
