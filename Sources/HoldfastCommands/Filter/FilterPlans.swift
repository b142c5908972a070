// What is planned for the writes of a session, in words.

internal import Platform
internal import WriteFilter

extension Text {
    /// The first of them, where they are many; a document has all.
    private static let shownChanges = 40

    static func lines(of plan: CommitPlan) -> [String] {
        let changes = plan.changes
        if changes.isEmpty { return ["nothing was changed there in this session"] }
        var lines = changes.prefix(shownChanges).map { change in
            let inside =
                change.entries > 1 ? ", with \(counted(UInt64(change.entries - 1), "entry", "entries")) in it" : ""
            return "\(change.kind.rawValue) \(change.path)\(inside)"
        }
        if changes.count > shownChanges {
            lines.append("and \(changes.count - shownChanges) more; `--json` lists all")
        }
        lines.append("\(counted(UInt64(changes.count), "change", "changes")) of this session in \(plan.place)")
        if plan.waiting > 0 { lines.append("what was committed before and waits for the next start is among them") }
        return lines
    }

    static func lines(of plan: ForgetPlan) -> [String] {
        var lines = plan.places.map { place in
            if !place.isActive { return "\(place.path) has nothing to forget" }
            if place.isNow { return "\(place.path) forgets at once what this session wrote in it and did not commit" }
            return "\(place.path) forgets what this session wrote at the next start"
                + (place.users.isEmpty ? "" : ", since it is in use: \(users(place.users))")
        }
        if plan.places.isEmpty { lines.append("no write filter is active") }
        if plan.verb == "disable" { lines += plan.places.map { "\($0.path) is not filtered any more then" } }
        return lines
    }
}

extension JSON {
    static func members(of plan: CommitPlan) -> [(String, JSON?)] {
        path(plan.place, key: "path") + [
            (
                "changes",
                .list(
                    plan.changes.map {
                        .object(
                            path($0.path) + [
                                ("kind", .text($0.kind.rawValue)), ("entries", .number(UInt64($0.entries))),
                            ])
                    })
            )
        ]
    }

    static func members(of plan: ForgetPlan) -> [(String, JSON?)] {
        [
            (
                "places",
                .list(
                    plan.places.map { place in
                        .object(
                            path(place.path) + [
                                ("active", .flag(place.isActive)), ("atOnce", .flag(place.isNow)),
                                ("waitsFor", .list(place.users.map { .text($0.description) })),
                            ])
                    })
            )
        ]
    }
}
