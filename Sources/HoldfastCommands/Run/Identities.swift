// Files of private keys: which apply, reading them, and making the first.

internal import Cryptography
internal import Glibc
internal import Platform

enum IdentityFile {
    /// Where the user's own identity is kept.
    static var standardPath: BytePath {
        HostFacts.userFolder("XDG_CONFIG_HOME", default: ".config").appending("identity.txt")
    }

    static func read(_ path: BytePath, on console: Console) throws -> [AgeIdentity] {
        var bytes: [UInt8]
        do throws(SystemError) {
            let file = try Descriptor.open(path)
            if try file.status().mode & 0o077 != 0 {
                console.warning("the identity \(path) can be read by others; `chmod 600` keeps it to yourself")
            }
            bytes = try readWhole(file, limit: 1 << 20, named: path.description)
        } catch {
            throw Problem.usage("cannot read the identity \(path): \(error.reason)")
        }
        defer { erase(&bytes) }
        if Age.isPassphraseEncrypted(bytes) {
            throw Problem.usage(
                "the identity \(path) is itself encrypted", hint: "decrypt it first with `age --decrypt`")
        }
        do {
            return try AgeIdentity.identities(inFile: bytes)
        } catch {
            throw Problem.usage("cannot use the identity \(path): \(error.sentence)")
        }
    }

    /// The file of an identity as age-keygen writes it. Its caller erases the bytes.
    static func contents(_ identity: AgeIdentity) -> [UInt8] {
        let comments = "# created: \(Text.time(.now()))\n# public key: \(identity.recipient)\n"
        // All the room at once: growing would leave copies behind.
        var bytes: [UInt8] = []
        bytes.reserveCapacity(comments.utf8.count + 80)
        bytes.append(contentsOf: comments.utf8)
        identity.encoded().withUnsafeBytes { bytes.append(contentsOf: $0) }
        bytes.append(UInt8(ascii: "\n"))
        return bytes
    }

    /// Makes a new identity in a new file that only its owner reads. It is durable on return.
    static func generate(_ path: BytePath) throws -> AgeIdentity {
        let identity = try AgeIdentity.generate()
        var bytes = contents(identity)
        defer { erase(&bytes) }
        do throws(SystemError) {
            try makeFolders(path.parent)
            try writeNew(path, bytes, mode: 0o600)
        } catch {
            if error.code == EEXIST {
                throw Problem.refused(
                    "\(path) exists already, and what only it opens would be lost",
                    hint: "give another file with `--output FILE`")
            }
            throw error
        }
        return identity
    }

    static func erase(_ bytes: inout [UInt8]) {
        bytes.withUnsafeMutableBytes { buffer in
            if let start = buffer.baseAddress { explicit_bzero(start, buffer.count) }
        }
    }
}
