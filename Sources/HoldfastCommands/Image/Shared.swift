// What the commands on images have in common.

internal import ArgumentParser
internal import Glibc
internal import Images
internal import Platform
internal import Reporting
internal import Stewardship

/// Standard output cannot carry an image and a document.
func refuseMixedOutput(_ output: PathArgument?, _ global: GlobalOptions, carries what: String = "image") throws {
    if output?.isStandard == true && global.json {
        throw ValidationError("--json and --output - exclude each other: standard output carries the \(what).")
    }
}

/// An image that is called by a word of ours could not be asked for by its name.
func refuseWord(_ name: NameArgument?) throws {
    if name?.text == "latest" {
        throw ValidationError("An image cannot be named latest: that is the newest one of a series.")
    }
}

/// Nobody reads binary data on a terminal.
func refuseTerminal(_ descriptor: CInt, _ what: String) throws {
    if isatty(descriptor) == 1 { throw Problem.usage("\(what) is a terminal", hint: "redirect it to a file or a pipe") }
}

extension PathArgument {
    /// Refuses what holds no image in a single file: what people type, and a folder.
    func refuseUnreadable() throws {
        if isStandard { return try refuseTerminal(0, "standard input") }
        // What cannot be looked at is told by whoever opens it.
        guard let opened = try? Descriptor.open(path, .place), (try? opened.status().kind) == .directory else { return }
        throw Problem.usage(
            "\(path) is a folder, and --input wants a file", hint: "a store is read with `--from \(path)`")
    }
}

/// `"plc" of /opt/plc`
func describe(_ label: ImageLabel) -> String {
    "\"\(Text.safe(label.name))\" of \(label.sources.map(\.description).joined(separator: ", "))"
}

/// `"plc" of /opt/plc (line3, 2026-11-26 14:00:00 UTC, 0123abcd)`
func describe(_ label: ImageLabel, _ image: ObjectID?) -> String {
    let id = image.map { ", \($0.description.prefix(8))" } ?? ""
    return describe(label) + " (\(Text.safe(label.host)), \(Text.localTime(label.time))\(id))"
}

extension SingleFileOutput {
    init(_ output: PathArgument, partSize: SizeArgument? = nil) throws {
        if output.isStandard {
            try refuseTerminal(1, "standard output")
            self = .standardOutput
        } else {
            self = .file(output.path, partLength: partSize?.bytes)
        }
    }
}

extension SourceOptions {
    /// A single file holds one image, so it need not be named. Who names it gets no other.
    func checkName(_ image: NameArgument?, of input: PathArgument, _ session: Session) throws {
        guard let name = image?.text, name != "latest" else { return }
        if input.isStandard {
            throw Problem.usage("standard input holds one image, which need not be named", hint: "leave \(name) out")
        }
        let images = try SingleFile.images(
            input.path, credentials: session.credentials(for: input.path), machine: session.machine,
            progress: session.progress, findings: Findings())
        let isThere = images.contains {
            $0.label.map { ExactText($0.name) == ExactText(name) } == true
                || (name.utf8.count >= 4 && $0.id.description.hasPrefix(name))
        }
        if !isThere { throw ImageError.noSuchImage(name: name) }
    }

    /// Opens the image that the options name, or that somebody chooses.
    /// - Parameter copyFirst: whether it is copied to this machine first.
    func reader(
        _ image: NameArgument?, _ pace: RateOptions?, _ session: Session, copyFirst: CopyFirst = CopyFirst()
    ) throws -> any ImageReader {
        if let input {
            try input.refuseUnreadable()
            try checkName(image, of: input, session)
            return try SingleFile.imageReader(
                input.path, credentials: session.credentials(for: input.path), machine: session.machine,
                stop: session.progress.stop)
        }
        guard let from = store(pace) else { throw Problem.usage("give --from STORE or --input FILE") }
        let place = try session.place(from)
        if try !Store.exists(session.objects(place)) { throw session.absence(of: place) }
        if image == nil && !session.hasTerminal {
            throw Problem.usage(
                "no image is named, and there is no terminal to ask on",
                hint: "`holdfast images --from \(from)` lists them; give the id of one, or `latest`")
        }
        let store = try session.open(from, for: .read)
        let name = try image?.text ?? session.chooseImage(of: store, filter, at: from).id.description
        if try copyFirst.isWanted(of: place, session) {
            let found = try store.find(name, filter)
            found.lost.forEach(session.findings.add)
            let id = found.id.description
            return try copyFirst.copy(id, from: place, session).imageReader(id)
        }
        return try store.imageReader(name, filter, findings: session.findings)
    }
}
