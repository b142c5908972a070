// `holdfast store policy`: the rights that this machine needs on a server, and no others.

internal import ArgumentParser
internal import Images
internal import Stores

struct StorePolicyCommand: HoldfastCommand {
    static let configuration = CommandConfiguration(
        commandName: "policy", abstract: "Print the least rights that this machine needs on a store's server.",
        discussion: discussion(
            """
            What is printed is for the server: a policy of an object store, or lines of sshd_config. It lets the machine \
            create what is its own, and read what lists images; it can neither remove anything nor read contents.
            """, examples: "holdfast store policy offsite > policy.json"))

    @Argument var store: StoreArgument

    @OptionGroup(title: "Everywhere") var global: GlobalOptions

    func perform(_ session: Session) throws -> Outcome {
        guard let policy = try session.open(store, for: .write).policy() else {
            throw Problem.usage(
                "\(try session.place(store).words) is a folder, whose rights are those of its file system",
                hint: "on a share, let the machine's user create and read there, and nobody else write")
        }
        if session.console.isJSON {
            session.console.document(
                .object([("policy", .text(policy.text)), ("remarks", .list(policy.remarks.map(JSON.text)))]))
        } else {
            session.console.result(policy.text)
            policy.remarks.forEach { session.console.note($0) }
        }
        return .done
    }
}
