// What makes the start of the machine finish what was under way, and keeps packages from what waits for it.

public import Platform

public enum BootIntegration {
    private static let packageGuard: BytePath = "/etc/apt/apt.conf.d/80holdfast"

    /// Sets everything up for a tree; repeating it brings it up to date.
    /// - Parameter atBoot: whether a rollback of it, or the return from a trial, is done by the initramfs.
    public static func install(root: BytePath, state: BytePath, atBoot: Bool) throws {
        guard root == "/" || Units.areUsed else { return }
        try ProgramCopy(state: state).bringUpToDate()
        if root == "/", exists(packageGuard.parent) { try installPackageGuard(state: state) }
        if Units.willBeUsed, state.isPlainInScripts {
            try Units.installRecovery(of: root, state: state)
            try Units.installStart(state: state)
        }
        guard atBoot else { return }
        // What keeps the initramfs from it is for `obstacle` to say.
        do { try Initramfs.install(state: state) } catch BootError.noInitramfs, BootError.unreachable {}
    }

    /// Takes all of it away again.
    public static func remove(root: BytePath, state: BytePath) throws {
        guard root == "/" || Units.areUsed else { return }
        try Units.remove(of: state)
        // A filter of / has it also where the tree is a folder.
        if try root == "/" || Initramfs.isMade(for: state) { try Initramfs.remove(state: state) }
        if root == "/", exists(packageGuard) { try removeFile(packageGuard) }
        if root == "/" { try RecoverySystem.remove(state: state) }
        try ProgramCopy(state: state).remove()
    }

    /// What is installed while a rollback waits for the boot would go into the state that is about to be left.
    private static func installPackageGuard(state: BytePath) throws {
        guard state.isPlainInScripts else { return }
        let line = """
            // Made by `holdfast setup`: what is installed while a rollback waits for the next boot would be left behind by it.
            DPkg::Pre-Invoke {"if [ -e \(state)/journal/rollback.json ] || [ -e \(state)/journal.json ]; then echo 'holdfast: a rollback waits for the next boot; restart, or take it back with `holdfast undo`' >&2; exit 1; fi";};

            """
        try InstalledFile.put(Array(line.utf8), at: packageGuard, mode: 0o644)
    }
}
