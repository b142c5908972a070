// What would keep a trial from returning by itself on this machine, and from which accidents it does not.

internal import Boot
internal import Images
public import Machine
internal import Platform

extension ProtectedTree {
    /// - Parameter target: the point that is to be tried; nil: the state of now goes on.
    func trialPreflight(_ target: RestorePoint?, _ terms: TrialTerms) throws -> [Preflight] {
        var findings: [Preflight] = []
        func refuse(_ code: String, _ sentence: String, _ mend: String?) {
            findings.append(Preflight(code, sentence, mend: mend, isRefusal: true))
        }
        if let reason = target?.failedTrial, !terms.isAgain {
            refuse(
                "trial-failed-before", "a trial of \(target?.name ?? "") has failed already: \(reason)",
                "mend what kept it from being confirmed, and repeat with --again")
        }
        if backend.kind == .zfs {
            refuse(
                "trial-zfs", "a trial of a state on ZFS does not return by itself with this program",
                "leave --trial away")
            return findings
        }
        if FilterMounts.lower(of: root) != nil, target == nil {
            refuse(
                "trial-filtered", "a write filter covers \(root), and what is changed now is forgotten anyway",
                "`holdfast filter disable` and reboot first")
        }
        if root == "/" {
            findings += try Self.trialOfRoot(state: state, boot: configuration.boot, terms)
            if let target, try !startsHoldfast(target, terms) {
                refuse(
                    "trial-point-older",
                    "\(target.name) is from before `holdfast setup` had each start of this machine count trials: it would not return",
                    "roll back to it without --trial, or try it with --trial-level 1; points that are made from now on can be tried"
                )
            }
        } else if terms.level != 0, !Units.areUsed || !Units.countStarts(for: state) {
            refuse(
                "trial-no-start", "nothing at the start of this machine would count, and return \(root)",
                Units.areUsed
                    ? "`holdfast setup --refresh`"
                    : "have `holdfast recover --start` run before anything uses \(root), and repeat with --trial-level 0"
            )
        }
        return findings
    }

    /// From which accidents `/` does not come back by itself.
    public func trialLimits() throws -> [Preflight] {
        try translated {
            try Self.trialOfRoot(state: state, boot: configuration.boot, TrialTerms())
        }
    }

    private static func trialOfRoot(state: BytePath, boot: [BootPlace], _ terms: TrialTerms) throws -> [Preflight] {
        var findings: [Preflight] = []
        if let obstacle = try Initramfs.obstacle(state: state) {
            findings.append(
                Preflight(
                    "trial-no-start", "nothing would count the starts of a trial: \(obstacle)", mend: obstacle.mend,
                    isRefusal: true))
        }
        let level = terms.level ?? 2
        if level > 1, let obstacle = try StartCounter.obstacle(state: state) {
            findings.append(
                Preflight(
                    "trial-level",
                    "what stops this machine before its initramfs finds / needs somebody there: a kernel or initramfs that does not start, a / that cannot be mounted (\(obstacle))",
                    mend: (obstacle.mend.map { $0 + "; or " } ?? "")
                        + "accept that with --trial-level 1: all that goes wrong later returns", isRefusal: true))
        }
        if !boot.isEmpty, level < 2 {
            let places = boot.map { "\($0.pathOfFolder)" }.joined(separator: " and ")
            findings.append(
                Preflight(
                    "trial-boot",
                    "a start has to come as far as mounting \(places) before it returns",
                    isRefusal: false))
        }
        if !TrialGuards.hasWatchdog {
            findings.append(
                Preflight(
                    "trial-no-watchdog",
                    "this machine has no watchdog (/dev/watchdog): one that hangs without a panic returns at the next power cycle",
                    isRefusal: false))
        }
        return findings
    }

    /// Whether the start of the machine in that state would count.
    private func startsHoldfast(_ target: RestorePoint, _ terms: TrialTerms) throws -> Bool {
        var wanted = [Initramfs.scriptPlace]
        if terms.level ?? 2 > 1 { wanted.append(StartCounter.menuPlace) }
        if !configuration.boot.isEmpty { wanted.append(Units.startPlace) }
        if let snapshot = try backend.snapshot(of: target.handle) {
            return wanted.allSatisfy { exists(snapshot.path.appending($0)) }
        }
        let paths = Set(try backend.listing(of: target.handle).entries.map(\.path))
        return wanted.allSatisfy { paths.contains(BytePath($0)) }
    }
}
