// `holdfast key generate`: makes an identity, as age-keygen does.

internal import ArgumentParser
internal import Cryptography
internal import Machine
internal import Platform

struct KeyGenerateCommand: HoldfastCommand {
    static let configuration = CommandConfiguration(
        commandName: "generate", abstract: "Make an identity; its file is one of age's.",
        discussion: discussion(
            examples: "holdfast key generate # for yourself",
            "holdfast key generate --output it.txt > it.pub # the public key in it.pub"))

    @Option(
        help: ArgumentHelp(
            "Where to (default: ~/.config/holdfast/identity.txt); - is standard output.", valueName: "file"))
    var output: PathArgument?

    @OptionGroup(title: "Everywhere") var global: GlobalOptions

    func check() throws { try refuseMixedOutput(output, global, carries: "key") }

    func perform(_ session: Session) throws -> Outcome {
        if output?.isStandard == true {
            let identity = try AgeIdentity.generate()
            var bytes = IdentityFile.contents(identity)
            defer { erase(&bytes) }
            session.console.result(String(decoding: bytes, as: UTF8.self))
            session.console.note("public key: \(identity.recipient)")
            return .done
        }
        let path = output?.path ?? session.places.identity
        let identity = try IdentityFile.generate(path)
        if session.console.isJSON {
            session.console.document(
                .object(JSON.path(path, key: "identity") + [("recipient", .text(identity.recipient.string))]))
        } else {
            session.console.result(identity.recipient.string + "\n")
        }
        session.console.note("identity: \(path); keep a copy of it somewhere else than on this machine")
        return .done
    }
}
