// What a stick for series production does by itself: one image onto the one disk that fits. TOML, of which every key is known, and nothing that
// matters has a default.

internal import Glibc
internal import Platform
internal import Reporting

struct SeriesPlan: Equatable {
    /// By its path on the stick, as the file of a key.
    var image: String
    /// A `*` at its end stands for any ending.
    var model: String
    /// Bytes.
    var sizes: ClosedRange<UInt64>
    var isNewIdentity: Bool
    /// What the machine is called; `%s` stands for the end of the disk's serial number. nil: as in the image.
    var host: String?
    /// Seconds.
    var countdown: Int
    var identity: String?
    var passphrase: String?
    /// Whether a disk on which there is a state of Holdfast's may be overwritten, or one that nobody could look into for that.
    var overwritesHoldfast: Bool

    static let longest = 1 << 16
    private static let keys = [
        "image", "model", "smallest", "largest", "new-identity", "host", "countdown", "identity", "passphrase",
        "overwrite-holdfast",
    ]

    /// - Parameter path: what it was read from, for what is said of it.
    /// - Throws: `Problem`, with line and column.
    init(_ bytes: [UInt8], path: BytePath) throws {
        let source = SettingSource(path: path)
        guard let text = String(validating: bytes, as: UTF8.self) else {
            throw Problem.usage("\(path) is not UTF-8 text")
        }
        let top: TOMLValue
        do throws(TOMLError) { top = try TOMLValue(parsing: text) } catch {
            throw source.problem(error.place, error.message)
        }
        var values: [String: TOMLValue] = [:]
        for value in top.table ?? [] {
            guard Self.keys.contains(value.key) else {
                throw source.problem(
                    value.keyPlace, "there is no key \(value.key); there are \(Self.keys.joined(separator: ", "))")
            }
            values[value.key] = value
        }
        func wanted(_ key: String) throws -> TOMLValue {
            guard let value = values[key] else { throw source.problem(nil, "it does not say \(key)") }
            return value
        }
        func file(_ value: TOMLValue, _ key: String) throws -> String {
            let name = try source.text(value, key, "the path of a file on the stick")
            let parts = name.split(separator: "/", omittingEmptySubsequences: false)
            guard parts.allSatisfy({ !["", ".", ".."].contains($0) }) else {
                throw source.problem(value.place, "\(key) wants a path as the stick has it, such as images/line3.hf")
            }
            return name
        }
        func size(_ key: String) throws -> UInt64 {
            let value = try wanted(key)
            guard let size = value.string.flatMap(SizeArgument.init) else {
                throw source.problem(value.place, "\(key) wants a size as a string, such as \"64GB\"")
            }
            return size.bytes
        }
        image = try file(wanted("image"), "image")
        model = try source.text(wanted("model"), "model", "the model of a disk, as `holdfast disks` shows it,")
        let (smallest, largest) = (try size("smallest"), try size("largest"))
        guard smallest <= largest else {
            throw source.problem(values["largest"]?.place, "largest is less than smallest")
        }
        sizes = smallest...largest
        isNewIdentity = try source.flag(wanted("new-identity"), "new-identity")
        host = try values["host"].map { try source.text($0, "host", "a name") }
        let seconds = try wanted("countdown")
        guard let number = seconds.integer, (5...3600).contains(number) else {
            throw source.problem(seconds.place, "countdown wants seconds, 5 to 3600")
        }
        countdown = Int(number)
        identity = try values["identity"].map { try file($0, "identity") }
        passphrase = try values["passphrase"].map { try source.text($0, "passphrase", "a passphrase") }
        overwritesHoldfast = try values["overwrite-holdfast"].map { try source.flag($0, "overwrite-holdfast") } ?? false
        if (identity == nil) == (passphrase == nil) {
            throw source.problem(nil, "it wants what opens the image: either identity or passphrase")
        }
        if passphrase?.contains(where: \.isNewline) == true {
            throw source.problem(values["passphrase"]?.place, "a passphrase is one line")
        }
        if let host {
            if !isNewIdentity { throw source.problem(values["host"]?.place, "host goes with new-identity = true") }
            guard Self.isHostName(host.replacing("%s", with: "12345678")) else {
                throw source.problem(
                    values["host"]?.place, "host is one word of letters, digits and -, at most 63, with %s once at most"
                )
            }
        }
    }

    /// RFC 1123, 2.1.
    private static func isHostName(_ text: String) -> Bool {
        (1...63).contains(text.utf8.count) && text.first != "-" && text.last != "-"
            && text.allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber || $0 == "-") }
    }

    /// What the machine with this disk is called; nil: as in the image.
    func hostName(serial: String) -> String? {
        guard let host else { return nil }
        let plain = serial.lowercased().filter { $0.isASCII && ($0.isLetter || $0.isNumber) }
        return host.replacing("%s", with: String(plain.suffix(8)))
    }

    /// What whoever has the stick can do with it.
    var warning: String {
        identity.map { "the identity \($0) is to lie on the stick: whoever has the stick can open the image" }
            ?? "the passphrase lies on the stick, readable by whoever has it"
    }

    func fits(_ disk: BlockDevice) -> Bool {
        let isModel =
            model.hasSuffix("*") ? disk.model.hasPrefix(model.dropLast()) : ExactModel(disk.model) == ExactModel(model)
        return isModel && sizes.contains(disk.size) && !disk.isReadOnly
    }

    /// Byte by byte: two that look alike are not the same.
    private struct ExactModel: Equatable {
        private let bytes: [UInt8]
        init(_ text: String) { bytes = Array(text.utf8) }
    }
}
