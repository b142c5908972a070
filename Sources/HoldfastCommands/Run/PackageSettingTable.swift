// What is done around the changes of packages: [packages].

internal import Stewardship

/// As the configuration has it, while it is read.
struct ConfiguredPackages {
    var job: TOMLText?
    var wait: (seconds: Int64, place: TOMLPlace?)?
    var required: (isSo: Bool, place: TOMLPlace?)?

    /// The backup, once all jobs are known.
    func backup(_ jobs: [Job], _ source: SettingSource) throws -> PackageBackup? {
        guard let job else {
            if let wait { throw source.problem(wait.place, "wait has nothing to wait for: set backup") }
            if let required { throw source.problem(required.place, "required has no backup that could be: set backup") }
            return nil
        }
        guard jobs.contains(where: { $0.name == job.text }) else {
            let known = jobs.map(\.name).joined(separator: ", ")
            throw source.problem(
                job.place,
                "there is no job \(job.text); "
                    + (known.isEmpty ? "no table [jobs.NAME] makes one" : "there are \(known)")
            )
        }
        var backup = PackageBackup(job: job.text)
        if let wait { backup.limit = wait.seconds }
        if let required { backup.isRequired = required.isSo }
        return backup
    }
}

enum PackageSettingTable {
    static let table = SettingTable(
        name: "packages", explanation: ["What is done around the changes that apt makes."],
        settings: [
            Setting(
                name: "point", wants: "true or false",
                explanation: [
                    "Whether the point before-packages.TIME is made before apt changes packages: one for each run of apt.",
                    "Only where / is protected does it hold what packages change.",
                ],
                standard: "false", example: "point = true"
            ) { value, source, result in
                result.makesPointBeforePackages = try source.flag(value, "point")
            },
            Setting(
                name: "backup", wants: "the name of a job",
                explanation: [
                    "The job that is done before apt changes packages, once for each run of apt, which waits for it. There is a fresh backup",
                    "when one of the job's stores has its image.",
                ],
                standard: "none", example: #"backup = "NAME""#
            ) { value, source, result in
                result.packages.job = TOMLText(
                    text: try source.text(value, "backup", "the name of a job"), place: value.place)
            },
            Setting(
                name: "wait", wants: "a span from 1m to 1d",
                explanation: [
                    "How long apt waits for it at most. A run that is not done by then is stopped, and its next run goes on. Where the plant holds",
                    "work none begins, and apt does not wait.",
                ],
                standard: "10m", example: #"wait = "10m""#
            ) { value, source, result in
                guard let span = value.string.flatMap(SpanArgument.init), span.seconds <= 86_400 else {
                    throw source.problem(value.place, "wait wants a span from \"1m\" to \"1d\" as a string")
                }
                result.packages.wait = (span.seconds, value.place)
            },
            Setting(
                name: "required", wants: "true or false",
                explanation: [
                    "Whether apt changes nothing where there is no fresh backup. Without that it says so and goes on: a machine that cannot be",
                    "updated is not safer. It cannot act where this file has a mistake: apt goes on then, which is said.",
                ],
                standard: "false", example: "required = false"
            ) { value, source, result in
                result.packages.required = (try source.flag(value, "required"), value.place)
            },
        ])
}
