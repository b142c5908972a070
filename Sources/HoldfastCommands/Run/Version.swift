// The version of this program, and of what it works with.

internal import Cryptography
internal import Images
internal import Platform
internal import Stores

enum Version {
    /// The only place of it: the package takes it from here.
    static let number = "0.2.0"

    /// What images, certificates and marks say that they were made by.
    static let tool = "holdfast \(number)"

    /// `--version --verbose`: nil where something else was asked for.
    static func details(_ arguments: [String]) -> String? {
        guard arguments.count == 2, Set(arguments) == ["--version", "--verbose"] else { return nil }
        let lines =
            [("image format", "\(Format.version)"), ("kernel", HostFacts.kernelRelease)] + Cryptography.libraryVersions
            + Images.libraryVersions + [("libcurl", S3Store.libraryVersion ?? "not here")]
        return tool + "\n" + lines.map { "\($0.0): \($0.1)\n" }.joined()
    }
}
