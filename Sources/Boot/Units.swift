// Units of systemd.

public import Platform

public enum Units {
    private static let folder: BytePath = "/etc/systemd/system"

    /// Whether this machine is run by systemd.
    public static var areUsed: Bool { exists("/run/systemd/system") }

    /// Whether this machine will be run by systemd, if it is not yet.
    static var willBeUsed: Bool { exists("/lib/systemd/systemd") }

    /// A unit, which starts with a target.
    /// - Returns: whether it is another one than before.
    @discardableResult
    static func install(_ name: String, _ text: String, wantedBy target: String?) throws -> Bool {
        let isNew = try InstalledFile.put(Array(text.utf8), at: folder.appending(name), mode: 0o644)
        guard let target else { return isNew }
        try InstalledFile.putLink(
            to: BytePath(Array("../".utf8) + Array(name.utf8)), at: folder.appending("\(target).wants").appending(name))
        return isNew
    }

    /// Whether a unit is there that works on a state.
    static func isInstalled(_ name: String, calling state: BytePath) throws -> Bool {
        let unit = folder.appending(name)
        return try exists(unit) && readRegular(unit, limit: 1 << 16).contains(Array(" --state \(state)\n".utf8))
    }

    /// Finishes or clears a rollback before anything uses the tree.
    static func installRecovery(of root: BytePath, state: BytePath) throws {
        try install(
            recovery,
            """
            # Made by `holdfast setup`: finishes or clears what was under way, before anything uses \(root).
            [Unit]
            Description=Finish or clear a rollback that was under way
            DefaultDependencies=no
            RequiresMountsFor=\(state)\(root.isPlainInScripts ? " \(root)" : "")
            After=systemd-remount-fs.service zfs-mount.service boot.mount boot-efi.mount efi.mount
            Before=local-fs.target
            ConditionPathExists=|\(state)/journal/rollback.json
            ConditionPathExists=|\(state)/journal.json

            [Service]
            Type=oneshot
            ExecStart=\(state)/bin/holdfast recover --state \(state)
            StandardOutput=journal+console
            StandardError=journal+console

            [Install]
            WantedBy=local-fs.target

            """, wantedBy: "local-fs.target")
    }

    /// Counts a start of a trial, and returns, where the initramfs has not done so: a folder, or a `/` with a /boot of its own.
    static func installStart(state: BytePath) throws {
        try install(
            start,
            """
            # Made by `holdfast setup`: counts a start in a state that is on trial, and returns where that does not hold.
            [Unit]
            Description=Count a start in a state that is on trial
            DefaultDependencies=no
            RequiresMountsFor=\(state)
            After=systemd-remount-fs.service \(recovery) zfs-mount.service boot.mount boot-efi.mount efi.mount
            Before=local-fs.target
            ConditionPathExists=|\(state)/journal/trial.json
            ConditionPathExists=|\(state)/journal/trial.2.json
            ConditionPathExists=|\(state)/journal/trial.loader

            [Service]
            Type=oneshot
            ExecStart=\(state)/bin/holdfast recover --start --state \(state)
            StandardOutput=journal+console
            StandardError=journal+console

            [Install]
            WantedBy=local-fs.target

            """, wantedBy: "local-fs.target")
    }

    /// Where a tree has what counts its starts.
    public static let startPlace = "etc/systemd/system/" + start

    /// Whether systemd has the starts counted of a state's trials.
    public static func countStarts(for state: BytePath) -> Bool {
        // One that cannot be read counts nothing.
        (try? isInstalled(start, calling: state)) == true
    }

    /// Starts the filters of folders, looks after what the initramfs did, and remembers how full the overlays are.
    /// - Parameter state: a path that can stand in a unit; otherwise nothing is installed.
    public static func installFilter(state: BytePath) throws {
        guard areUsed, state.isPlainInScripts else { return }
        let program = "\(state)/bin/holdfast filter"
        try install(
            filter,
            """
            # Made by `holdfast filter enable`: filters folders before anything uses them, and says aloud what is not as it was decided.
            [Unit]
            Description=Write filter
            DefaultDependencies=no
            RequiresMountsFor=\(state)
            After=systemd-remount-fs.service \(recovery) zfs-mount.service local-fs-pre.target boot.mount boot-efi.mount home.mount opt.mount srv.mount var.mount
            Before=local-fs.target
            ConditionPathExists=\(state)/filter

            [Service]
            Type=oneshot
            RemainAfterExit=yes
            ExecStart=\(program) start --state \(state)
            StandardOutput=journal+console
            StandardError=journal+console

            [Install]
            WantedBy=local-fs.target

            """, wantedBy: "local-fs.target")
        try install(
            watch + ".service",
            """
            # Made by `holdfast filter enable`: remembers how full the overlays are, and calls the hooks.
            [Unit]
            Description=Look at the write filter

            [Service]
            Type=oneshot
            ExecStart=\(program) watch --quiet --state \(state)
            SuccessExitStatus=3

            """, wantedBy: nil)
        try install(
            watch + ".timer",
            """
            # Made by `holdfast filter enable`.
            [Unit]
            Description=Look at the write filter once a minute

            [Timer]
            OnBootSec=60
            OnUnitActiveSec=60
            AccuracySec=5

            [Install]
            WantedBy=timers.target

            """, wantedBy: "timers.target")
    }

    private static let recovery = "holdfast-recover.service"
    private static let start = "holdfast-trial-start.service"
    private static let filter = "holdfast-filter.service"
    private static let watch = "holdfast-filter-watch"

    /// Has systemd know nothing of this state any more; what another set-up has installed in the meantime stays.
    static func remove(of state: BytePath) throws {
        try remove(recovery, calling: state, wantedBy: "local-fs.target")
        try remove(start, calling: state, wantedBy: "local-fs.target")
        try remove(filter, calling: state, wantedBy: "local-fs.target")
        try remove(watch + ".service", calling: state, with: [watch + ".timer"], wantedBy: "timers.target")
    }

    /// Takes a unit away that works on a state, with those that go with it.
    /// - Returns: whether it was there, and of this state.
    @discardableResult
    static func remove(
        _ name: String, calling state: BytePath, with others: [String] = [], wantedBy target: String
    ) throws -> Bool {
        guard try isInstalled(name, calling: state) else { return false }
        // The links first: a crash leaves a unit that nothing starts, and the next call goes on.
        for name in others + [name] {
            for path in [folder.appending("\(target).wants").appending(name), folder.appending(name)] {
                do throws(SystemError) { try removeFile(path) } catch { if !error.isAbsent { throw error } }
            }
        }
        return true
    }
}
