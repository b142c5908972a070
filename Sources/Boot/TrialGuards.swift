// What watches over a state on trial while the machine runs in it. All of it lies in /run: nothing of the state that is tried is changed by it,
// whatever its age, and it is gone with the next start.

internal import Glibc
internal import Machine
public import Platform

public enum TrialGuards {
    private static let systemd: BytePath = "/run/systemd"
    private static let service = "holdfast-trial.service"
    private static var unit: BytePath { systemd.appending("system").appending(service) }
    private static var watchdog: BytePath { systemd.appending("system.conf.d").appending("80-holdfast-trial.conf") }
    /// What the kernel did at a panic before, so that it does that again.
    private static var former: BytePath { Places.runtime.appending("trial-kernel") }
    private static let settings: [(file: BytePath, value: String)] = [
        ("/proc/sys/kernel/panic", "30"), ("/proc/sys/kernel/panic_on_oops", "1"),
    ]

    public static var hasWatchdog: Bool { exists("/dev/watchdog") || exists("/dev/watchdog0") }

    /// Has the machine start anew where its kernel panics or, with a watchdog, hangs, and what confirms or returns run.
    /// - Parameter root: where `/` is.
    /// - Throws: where one of them cannot be had; the others are.
    public static func install(root: BytePath, state: BytePath) throws {
        var failure: (any Error)?
        for step in [{ try putUnit(root, state) }, setKernel] {
            do { try step() } catch { failure = failure ?? error }
        }
        if let failure { throw failure }
    }

    private static func putUnit(_ root: BytePath, _ state: BytePath) throws {
        // What is not run by systemd, or will not be, gets nothing that looks like it.
        let isUsed = root == "/" ? Units.areUsed : exists(root.appending("lib/systemd/systemd"))
        guard isUsed, state.isPlainInScripts else { return }
        try InstalledFile.put(Array(text(state).utf8), at: unit, mode: 0o644)
        let link = systemd.appending("system/sysinit.target.wants").appending(service)
        try InstalledFile.putLink(to: BytePath(Array("../\(service)".utf8)), at: link)
        // Without a watchdog systemd goes on without it.
        try InstalledFile.put(
            Array("[Manager]\nRuntimeWatchdogSec=60\nRebootWatchdogSec=5min\n".utf8), at: watchdog, mode: 0o644)
    }

    /// Only in the initramfs, before anybody has set them otherwise: `/` is in memory there.
    private static func setKernel() throws {
        guard try Mount.holding(Descriptor.open("/", .directory))?.type == "rootfs", !exists(former) else { return }
        let before = try settings.map { String(decoding: try readWhole($0.file, limit: 64), as: UTF8.self) }
        try replaceFile(former, Array(before.joined().utf8), mode: 0o600)
        for setting in settings { try write(setting.value, to: setting.file) }
    }

    private static func write(_ value: String, to file: BytePath) throws(SystemError) {
        try Descriptor.open(file, .write).write(Array((value + "\n").utf8))
    }

    private static func text(_ state: BytePath) -> String {
        """
        # Made by Holdfast for the time of a trial, and gone with the next start.
        [Unit]
        Description=Confirm the state that is on trial, or return from it
        DefaultDependencies=no
        RequiresMountsFor=\(state)
        Conflicts=shutdown.target
        Before=shutdown.target
        IgnoreOnIsolate=yes
        StartLimitIntervalSec=0

        [Service]
        Type=exec
        ExecStart=\(state)/bin/holdfast trial watch --state \(state)
        Restart=on-failure
        RestartSec=10
        StandardOutput=journal+console
        StandardError=journal+console

        """
    }

    /// Has systemd begin with it, where it runs already.
    /// - Returns: what it complained of; nil where it did what it was told.
    public static func start() throws(SystemError) -> String? {
        guard Units.areUsed else { return nil }
        for words: [ProgramWord] in [["daemon-reload"], ["start", "--no-block", ProgramWord(service)]] {
            let result = try runProgram(["systemctl"] + words, limit: 60)
            if result.status != 0 { return result.complaint }
        }
        return nil
    }

    /// The machine is as before once the trial is at its end. What watches sees that by itself, and a watchdog is fed until the next start.
    public static func remove() throws {
        for file in [systemd.appending("system/sysinit.target.wants").appending(service), unit, watchdog]
        where exists(file) { try removeFile(file) }
        guard exists(former) else { return }
        let before = String(decoding: try readRegular(former, limit: 1 << 10), as: UTF8.self)
            .split(separator: "\n").map(String.init)
        for (setting, value) in zip(settings, before) { try write(value, to: setting.file) }
        try removeFile(former)
    }
}
