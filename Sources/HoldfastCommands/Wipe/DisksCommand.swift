// `holdfast disks`: what there is, and what a wipe would say to it.

internal import ArgumentParser
internal import Platform
internal import Sanitization

struct DisksCommand: HoldfastCommand {
    static let configuration = CommandConfiguration(
        commandName: "disks", abstract: "List the disks, and what uses them.",
        discussion: discussion(
            "A disk that is used is not wiped. Being root shows what other users' programs have open.",
            examples: "holdfast disks", "holdfast disks --json # with what each drive can"))

    @OptionGroup(title: "Everywhere") var global: GlobalOptions

    func perform(_ session: Session) throws -> Outcome {
        let disks = BlockDevice.disks()
        if session.console.isJSON {
            session.console.document(
                .object([
                    (
                        "disks",
                        .list(
                            disks.map { disk in
                                let abilities = Wipe.abilities(of: disk)
                                return .object([
                                    ("name", .text(disk.name)), ("model", .text(disk.model)),
                                    ("serial", .text(disk.serial)), ("bytes", .number(disk.size)),
                                    ("kind", .text(disk.kind.rawValue)), ("readOnly", .flag(disk.isReadOnly)),
                                    ("partitions", .list(disk.partitions.map(JSON.text))),
                                    ("uses", .list(disk.uses().map { .text($0.description) })),
                                    ("levels", .list(levels(of: disk, abilities).map(JSON.text))),
                                    ("techniques", .list(abilities.map(technique))),
                                ])
                            })
                    )
                ]))
            return .done
        }
        var table = Table(
            [
                ("NAME", .left), ("KIND", .left), ("SIZE", .right), ("MODEL", .left), ("SERIAL", .left),
                ("LEVELS", .left),
                ("USE", .left),
            ], lessNeeded: [5, 1])
        for disk in disks {
            let uses = disk.isReadOnly ? ["read-only"] : disk.uses().map(\.description)
            table.add([
                disk.name, disk.kind.rawValue, Text.size(disk.size), Text.safe(disk.model), Text.safe(disk.serial),
                levels(of: disk, disk.isReadOnly ? [] : Wipe.abilities(of: disk)).joined(separator: ", "),
                uses.isEmpty ? "free" : Text.safe(uses[0]) + (uses.count > 1 ? " (and \(uses.count - 1) more)" : ""),
            ])
        }
        session.console.result(table.text)
        return .done
    }

    /// What a wipe could reach now.
    private func levels(of disk: BlockDevice, _ abilities: [FirmwareAbility]) -> [String] {
        if disk.isReadOnly { return [] }
        let isPurge = abilities.contains { $0.level == .purge && $0.hindrance == nil }
        return ["clear"] + (isPurge ? ["purge"] : [])
    }

    private func technique(_ ability: FirmwareAbility) -> JSON {
        .object([
            ("name", .text(ability.technique.rawValue)), ("level", .text(ability.level.rawValue)),
            ("seconds", ability.seconds.map { .number(UInt64($0)) }),
            ("hindrance", ability.hindrance.map(JSON.text)),
        ])
    }
}
