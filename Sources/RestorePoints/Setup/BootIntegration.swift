// What makes the boot run `recover` before anything uses the tree: a copy of this program in the state area, a systemd unit, and
// for `/` on a plain tree a script in the initramfs. The scripts decide nothing; they call the copy.

internal import Platform

package enum BootIntegration {
    private static let hook: BytePath = "/etc/initramfs-tools/scripts/local-bottom/holdfast"
    private static let units: BytePath = "/etc/systemd/system"
    private static let scripts: BytePath = "/etc/initramfs-tools"

    /// Whether this machine is run by systemd, or is one that will be.
    private static var hasSystemd: Bool { exists("/lib/systemd/systemd") }

    /// Sets everything up; repeating it brings it up to date.
    static func install(root: BytePath, state: BytePath, kind: BackendKind) throws {
        guard root == "/" || exists("/run/systemd/system") else { return }
        try installProgram(in: state)
        if root == "/", exists("/etc/apt/apt.conf.d") { try installPackageGuard(state: state) }
        if hasSystemd { try installUnit(root: root, state: state) }
        if root == "/", kind == .tree { try installHook(state: state) }
    }

    /// What stands in the way of switching `/` at boot.
    static func findings() -> [Preflight] {
        if exists(hook) { return [] }
        return [
            Preflight(
                "no-initramfs", "nothing would apply the rollback at the next boot: \(hook) is not there",
                mend: "install initramfs-tools, then `holdfast setup --refresh`", isRefusal: true)
        ]
    }

    // MARK: The program

    /// A copy of the program with its libraries: a rollback may replace those of the system while it runs.
    private static func installProgram(in state: BytePath) throws {
        let bin = state.appending("bin")
        let libraries = bin.appending("lib")
        try makeFolders(libraries, mode: 0o755)
        var loader = "ld.so"
        for library in ProgramFiles.libraries {
            let name = library.lastComponent
            if name.starts(with: Array("ld-".utf8)) { loader = String(decoding: name, as: UTF8.self) }
            try copy(library, to: libraries.appending(name))
        }
        try copy(ProgramFiles.executable, to: libraries.appending("holdfast"))
        let script = """
            #!/bin/sh
            # Holdfast as it was at set-up, with the libraries that it ran with: it works whatever becomes of the system around it.
            here=${0%/*}
            exec "$here/lib/\(loader)" --library-path "$here/lib" "$here/lib/holdfast" "$@"

            """
        try replaceFile(bin.appending("holdfast"), Array(script.utf8), mode: 0o755)
    }

    private static func copy(_ file: BytePath, to copy: BytePath) throws {
        try replaceFile(copy, readWhole(file, limit: 1 << 28), mode: 0o755)
    }

    // MARK: Packages

    /// What is installed while a rollback waits for the boot would go into the state that is about to be left.
    private static func installPackageGuard(state: BytePath) throws {
        guard isPlain(state) else { return }
        let guardLine = """
            // Made by `holdfast setup`: what is installed while a rollback waits for the next boot would be left behind by it.
            DPkg::Pre-Invoke {"if [ -e \(state)/journal.json ]; then echo 'holdfast: a rollback waits for the next boot; restart, or take it back with `holdfast undo`' >&2; exit 1; fi";};

            """
        try replaceFile("/etc/apt/apt.conf.d/80holdfast", Array(guardLine.utf8), mode: 0o644)
    }

    /// Whether a path can stand in other programs' files as it is: a backslash would be an escape there, a percent sign a
    /// specifier, a quote an end.
    private static func isPlain(_ path: BytePath) -> Bool {
        path.bytes.allSatisfy { $0 > 0x20 && $0 < 0x7f && !Array(#"\%"'$"#.utf8).contains($0) }
    }

    // MARK: systemd

    private static func installUnit(root: BytePath, state: BytePath) throws {
        guard isPlain(state) else { return }
        let name = "holdfast-recover.service"
        let unit = """
            # Made by `holdfast setup`: finishes or clears what was under way, before anything uses \(root).
            [Unit]
            Description=Finish or clear a rollback that was under way
            DefaultDependencies=no
            RequiresMountsFor=\(state)
            After=systemd-remount-fs.service zfs-mount.service boot.mount boot-efi.mount efi.mount
            Before=local-fs.target
            ConditionPathExists=\(state)/journal.json

            [Service]
            Type=oneshot
            ExecStart=\(state)/bin/holdfast recover --state \(state)
            StandardOutput=journal+console
            StandardError=journal+console

            [Install]
            WantedBy=local-fs.target

            """
        try install(unit: name, unit, wantedBy: "local-fs.target")
    }

    /// A unit of systemd, which starts with a target.
    package static func install(unit name: String, _ text: String, wantedBy target: String?) throws {
        try makeFolders(units, mode: 0o755)
        try replaceFile(units.appending(name), Array(text.utf8), mode: 0o644)
        guard let target else { return }
        let wants = units.appending("\(target).wants")
        try makeFolders(wants, mode: 0o755)
        try replaceLink(wants.appending(name), to: BytePath(Array("../".utf8) + Array(name.utf8)))
    }

    // MARK: The initramfs

    private static func installHook(state: BytePath) throws {
        guard exists("/etc/initramfs-tools"), isPlain(state) else { return }
        let script = """
            #!/bin/sh
            # Made by `holdfast setup`: brings / back to a restore point before anything uses it. All that it does is in the program
            # beside the state; here is only what that needs.
            case "$1" in prereqs) exit 0 ;; esac
            state='\(state)'
            [ -e "${rootmnt}$state/journal.json" ] || exit 0
            echo "Holdfast: a rollback is under way; do not switch off"
            mount -o remount,rw "$rootmnt" || exit 0
            for place in dev proc sys run; do mount -o bind "/$place" "$rootmnt/$place"; done
            chroot "$rootmnt" "$state/bin/holdfast" recover --boot --state "$state" </dev/null
            for place in run sys proc dev; do umount "$rootmnt/$place"; done
            sync
            # The kernel that runs may not be the one that belongs to what is there now.
            if [ ! -d "$rootmnt/lib/modules/$(uname -r)" ]; then
                mount -o remount,ro "$rootmnt"
                echo "Holdfast: starting the kernel that belongs to this state"
                reboot -f
            fi
            exit 0

            """
        try install(initramfs: "scripts/local-bottom/holdfast", script)
        try updateInitramfs()
    }

    /// A script that initramfs-tools takes along, or runs when it makes an initramfs.
    /// - Returns: whether it is another one than before.
    @discardableResult
    package static func install(initramfs name: String, _ text: String) throws -> Bool {
        let file = scripts.appending(name)
        if try exists(file) && readWhole(file, limit: 1 << 20) == Array(text.utf8) { return false }
        try makeFolders(file.parent, mode: 0o755)
        try replaceFile(file, Array(text.utf8), mode: 0o755)
        return true
    }

    package static func updateInitramfs() throws {
        let result = try runProgram(["update-initramfs", "-u", "-k", "all"])
        if result.status != 0 {
            throw PointError.library("update-initramfs ended with \(result.status): \(result.complaint)")
        }
    }
}
