// `holdfast store check`: the quick half of `verify`.

internal import ArgumentParser
internal import Images
internal import Reporting
internal import Stores

struct StoreCheckCommand: HoldfastCommand {
    static let configuration = CommandConfiguration(
        commandName: "check", abstract: "Check that a store has everything its images name, without reading content.",
        discussion: discussion(
            """
            Of a server it is also found out what it keeps to: whether it refuses a second object of one name, keeps \
            versions, keeps to a lock. Where this machine may not remove, a small object named probe stays for the next time.
            """, examples: "holdfast store check nas"))

    @Argument var store: StoreArgument

    @OptionGroup(title: "Everywhere") var global: GlobalOptions

    func perform(_ session: Session) throws -> Outcome {
        let opened = try opened(session)
        tellPromises(of: opened, session)
        return try verify(opened, image: nil, readData: false, session)
    }

    private func opened(_ session: Session) throws -> Store {
        do { return try session.open(store, for: .verify) } catch {
            switch error {
            case ImageError.noIdentity, ImageError.wrongIdentity, ImageError.stewardReadsNothing:
                // To find out what a server keeps to takes a key to write alone. Where there is none, either, the error says what is missing.
                if let writing = try? session.open(store, for: .list) { tellPromises(of: writing, session) }
            default: break
            }
            throw error
        }
    }
}

/// Says what a server keeps to.
func tellPromises(of store: Store, _ session: Session) {
    do {
        guard let promises = try store.promises() else { return }
        // A lock that is not kept to is a finding: somebody relies on it.
        if promises.lockHolds == false {
            session.findings.add(Finding(.damaged, subject: "lock", "a locked version could be removed"))
        }
        if session.console.isJSON {
            promises.lines.forEach { session.findings.add(Finding(.note, subject: $0.name, $0.text)) }
        } else {
            session.console.result(
                promises.lines.map {
                    "\($0.name)\(String(repeating: " ", count: max(1, 13 - $0.name.count)))\($0.text)" + "\n"
                }.joined())
        }
    } catch {
        session.findings.add(
            Finding(
                .note, subject: store.subject,
                "what its server keeps to was not found out: \(explained(error).sentence)"))
    }
}
