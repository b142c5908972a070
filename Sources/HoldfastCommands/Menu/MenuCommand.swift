// `holdfast menu`: numbered choices for whoever does not know the commands, the same on a rescue stick, on a serial line and over SSH.

internal import ArgumentParser
internal import Glibc
internal import Images
internal import Platform
internal import Reporting
internal import Stores

struct MenuCommand: HoldfastCommand {
    static let configuration = CommandConfiguration(
        commandName: "menu", abstract: "Back up, restore, verify and wipe by numbered choices.",
        discussion: discussion(
            """
            Each choice runs a command of this program, which it shows before anything is done. Until then 0 leads back, and nothing has \
            happened. Ctrl-C ends the command that runs, and not the menu. English, German, Japanese.
            """,
            examples: "holdfast menu # what is asked for is typed",
            "holdfast menu --stick /mnt/usb # images are there",
            "holdfast menu --stick /dev/sdb1 --live # as the rescue stick does it"))

    @Option(
        help: ArgumentHelp(
            "Where the images are: a folder, or the partition of a stick (also as usb:LABEL), which is mounted only while it is used, and for writing only while something is saved.",
            valueName: "device|folder"))
    var stick: PathArgument?

    @Flag(help: "This system was started from a stick or to recover: offer keyboard, network, shell and restart.")
    var live = false

    @Flag(help: ArgumentHelp("With --live: it is a machine's own recovery system.", visibility: .hidden))
    var machine = false

    @Option(
        help: ArgumentHelp(
            "Do first what this file says, after a countdown, as a stick that was made with `stick create --auto FILE` does it.",
            valueName: "file", visibility: .hidden))
    var auto: PathArgument?

    @Option(
        help: ArgumentHelp(
            "With --live: only this disk counts where the machine's is looked for; may be repeated.",
            valueName: "device", visibility: .hidden))
    var among: [PathArgument] = []

    @OptionGroup(title: "Everywhere") var global: GlobalOptions

    func check() throws {
        if auto != nil, !live || stick == nil { throw ValidationError("--auto goes with --live and --stick.") }
        if !live, !among.isEmpty { throw ValidationError("--among goes with --live.") }
        if machine, !live || stick != nil { throw ValidationError("--machine goes with --live, and not with --stick.") }
        if global.json { throw ValidationError("A menu is for people: no --json.") }
        if global.yes { throw ValidationError("A menu asks: no --yes.") }
    }

    func perform(_ session: Session) throws -> Outcome {
        guard isatty(0) == 1, isatty(1) == 1, session.hasTerminal else {
            throw Problem.refused(
                "the menu asks, and there is no terminal to ask on",
                hint: "`holdfast --help` lists the commands, which go without one; over SSH, `ssh -t` makes one")
        }
        Interruption.leaveToOthers()
        // Ctrl-\ is next to nothing on a German keyboard, and would end it.
        signal(SIGQUIT, SIG_IGN)
        let menu = Menu(
            MenuTerminal(session.progress.stop), session: session,
            stick: try stick.map { MenuStick(MediumLocation($0.path.bytes) == nil ? try $0.absolute : $0.path) },
            isLive: live, machine: machine ? MenuMachine() : nil, given: words,
            among: try among.map { try $0.absolute })
        do { try menu.run(first) } catch is MenuTerminal.Ended {
            // A line that is gone ends it at once, however often it is started anew: not a hundred times a second.
            sleep(1)
        }
        return .done
    }

    /// Series production, where that is what the stick is for.
    private func first(_ menu: Menu) throws {
        guard let auto else { return }
        let path = try auto.absolute
        let bytes = try readRegular(path, limit: SeriesPlan.longest)
        let series = MenuSeries(plan: try SeriesPlan(bytes, path: path), among: menu.among)
        do { try menu.produce(series, mark: MenuSeries.mark(bytes, path)) } catch let error as MenuTerminal.Ended {
            throw error
        } catch let error as Interrupted { throw error } catch { menu.tell(error) }
    }

    /// What was said to the menu and is meant for each command.
    private var words: [ProgramWord] {
        var words: [ProgramWord] = []
        if let config = global.config { words += ["--config", ProgramWord(config.path)] }
        for identity in global.identities { words += ["--identity", ProgramWord(identity.path)] }
        if let file = global.passphraseFile { words += ["--passphrase-file", ProgramWord(file.path)] }
        if let fingerprint = global.storeFingerprint?.fingerprint {
            words += ["--store-fingerprint", ProgramWord(String(describing: fingerprint))]
        }
        if global.quiet { words.append("--quiet") }
        if global.verbose { words.append("--verbose") }
        return words
    }
}
