// The service and the timer that run what is due. The timer asks often and knows nothing: what is due follows from records of our own, which a
// write filter does not forget and a failed run does not touch.

public import Platform

/// What `holdfast schedule enable` installs.
public struct ScheduleUnits: Sendable {
    /// The program, and the words that it is called with.
    public var program: BytePath
    public var configuration: BytePath?
    public var state: BytePath
    /// Where the plant's own tasks do not run; nil: anywhere.
    public var processors: ProcessorSet?
    /// Bytes of memory at most.
    public var memory: UInt64

    public init(
        program: BytePath, configuration: BytePath?, state: BytePath, processors: ProcessorSet?, memory: UInt64
    ) {
        self.program = program
        self.configuration = configuration
        self.state = state
        self.processors = processors
        self.memory = memory
    }

    static let service = "holdfast-schedule.service"
    public static let timer = "holdfast-schedule.timer"

    /// Whether all that stands in the units can stand there.
    public var isPlain: Bool {
        program.isPlainInScripts && state.isPlainInScripts && configuration?.isPlainInScripts ?? true
    }

    private var call: String {
        "\(program) schedule run --quiet" + (configuration.map { " --config \($0)" } ?? "") + " --state \(state)"
    }

    /// A backup of `/` reads everything and makes snapshots, mounts media, and writes to stores that are mounted anywhere. So nothing is here
    /// that gives the service a view of the file system of its own (ProtectSystem, ProtectHome, PrivateTmp, PrivateDevices, ReadOnlyPaths,
    /// ProtectKernelTunables, ProtectKernelModules, ProtectKernelLogs, ProtectControlGroups, ProtectHostname): a store would be read-only,
    /// `/usr/lib/modules` missing in the image, and a mount of the service unseen by others. Nor what takes devices away (ProtectClock,
    /// DevicePolicy), capabilities (CapabilityBoundingSet), system calls (SystemCallFilter), or what the hooks of the plant may need
    /// (MemoryDenyWriteExecute, SystemCallArchitectures, RestrictAddressFamilies, RestrictSUIDSGID). UMask would take stores and records from
    /// those who may read what is made by hand.
    public var serviceText: String {
        """
        # Made by `holdfast schedule enable`: runs the jobs that are due. Everything else on the machine comes first.
        [Unit]
        Description=Run what is due of Holdfast's jobs
        Documentation=man:holdfast-schedule(1)
        RequiresMountsFor=\(state)
        After=network-online.target local-fs.target holdfast-filter.service

        [Service]
        Type=oneshot
        ExecStart=\(call)
        SuccessExitStatus=3 130
        TimeoutStartSec=infinity
        TimeoutStopSec=30s
        KillSignal=SIGTERM
        CPUSchedulingPolicy=idle
        Nice=19
        IOSchedulingClass=idle
        CPUWeight=idle
        IOWeight=10
        MemoryHigh=\(memory / 2)
        MemoryMax=\(memory)
        TasksMax=\(tasks)
        \(processors.map { "CPUAffinity=\($0.text)\n" } ?? "")\
        NoNewPrivileges=yes
        LockPersonality=yes
        RestrictRealtime=yes

        """
    }

    /// A worker for each processor, and what writes, reads ahead and talks to a server.
    private var tasks: Int { 64 + 2 * (processors?.numbers.count ?? processorCount) }

    public var timerText: String {
        """
        # Made by `holdfast schedule enable`: asks what is due.
        [Unit]
        Description=Ask what is due of Holdfast's jobs
        Documentation=man:holdfast-schedule(1)

        [Timer]
        OnBootSec=5min
        OnUnitInactiveSec=15min
        RandomizedDelaySec=2min

        [Install]
        WantedBy=timers.target

        """
    }

    /// - Returns: whether something is other than it was.
    @discardableResult
    public func install() throws -> Bool {
        guard isPlain else { throw BootError.unreachable(state: state, reason: "its name does not go into a unit") }
        let hasService = try Units.install(Self.service, serviceText, wantedBy: nil)
        return try Units.install(Self.timer, timerText, wantedBy: "timers.target") || hasService
    }

    /// Takes them away; those of another state stay.
    /// - Returns: whether there were some.
    public static func remove(of state: BytePath) throws -> Bool {
        try Units.remove(service, calling: state, with: [timer], wantedBy: "timers.target")
    }

    /// Whether the units of a state are there.
    public static func areInstalled(for state: BytePath) throws -> Bool {
        try Units.isInstalled(service, calling: state)
    }

    // MARK: What runs them

    /// Has systemd begin with the timer, in the form that it has now.
    public static func start() throws(SystemError) -> String? {
        if let complaint = try control(["daemon-reload"]) { return complaint }
        return try control(["restart", ProgramWord(timer)])
    }

    /// Has systemd end it. A run that goes on ends by itself.
    public static func stop() throws(SystemError) -> String? { try control(["stop", ProgramWord(timer)]) }

    /// Has systemd read what is installed.
    public static func reload() throws(SystemError) -> String? { try control(["daemon-reload"]) }

    /// - Returns: what it complained of; nil where it did what it was told.
    private static func control(_ words: [ProgramWord]) throws(SystemError) -> String? {
        let result = try runProgram(["systemctl"] + words, limit: 60)
        if result.status == 0 { return nil }
        return result.complaint.isEmpty ? "it ended with \(result.status)" : result.complaint
    }
}
