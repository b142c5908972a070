// Extended attributes, ACLs and file capabilities among them: to the kernel they are all names with bytes.

internal import CLinux
internal import Glibc

public struct ExtendedAttribute: Hashable, Sendable {
    public var name: [UInt8]
    public var value: [UInt8]

    public init(name: [UInt8], value: [UInt8]) {
        self.name = name
        self.value = value
    }

    /// Bytes that it takes, with some for what stands around it.
    public var length: Int { name.count + value.count + 16 }
}

extension Descriptor {
    /// All attributes of the open file, sorted by name; none where the file system has none.
    /// - Parameter limit: what their lengths may add up to (E2BIG): a user's own may be some hundred megabytes.
    public func extendedAttributes(limit: Int = .max) throws(SystemError) -> [ExtendedAttribute] {
        try Self.attributes(
            limit: limit, list: { clinux_flistxattr(raw, $0, $1) }, get: { clinux_fgetxattr(raw, $0, $1, $2) })
    }

    /// The same for what cannot be opened (links, FIFOs, sockets, devices), by way of /proc, without following.
    public func extendedAttributes(of name: [UInt8], limit: Int = .max) throws(SystemError) -> [ExtendedAttribute] {
        let path = Array("/proc/self/fd/\(raw)/".utf8) + name
        return try withNullTerminated(path) { path throws(SystemError) in
            try Self.attributes(
                limit: limit, list: { clinux_llistxattr(path, $0, $1) }, get: { clinux_lgetxattr(path, $0, $1, $2) })
        }
    }

    /// Makes the attributes of the open file exactly these: sets what differs and removes what is not among them.
    /// - Returns: the names that could not be set, with the reason.
    public func setExtendedAttributes(_ wanted: [ExtendedAttribute], fresh: Bool) -> [SystemError] {
        let current = fresh ? [] : (try? extendedAttributes()) ?? []
        return Self.apply(
            wanted, over: current, set: { clinux_fsetxattr(raw, $0, $1, $2) }, remove: { clinux_fremovexattr(raw, $0) })
    }

    static func apply(
        _ wanted: [ExtendedAttribute], over current: [ExtendedAttribute],
        set: (UnsafePointer<CChar>, UnsafeRawPointer?, Int) -> CInt, remove: (UnsafePointer<CChar>) -> CInt
    ) -> [SystemError] {
        var failures: [SystemError] = []
        for attribute in wanted where !current.contains(attribute) {
            do throws(SystemError) {
                try check("set the attribute", printable(attribute.name)) {
                    withNullTerminated(attribute.name) { name in
                        attribute.value.withUnsafeBytes { set(name, $0.baseAddress, $0.count) }
                    }
                }
            } catch { failures.append(error) }
        }
        let names = Set(wanted.map(\.name))
        for attribute in current where !names.contains(attribute.name) {
            do throws(SystemError) {
                try check("remove the attribute", printable(attribute.name)) {
                    withNullTerminated(attribute.name) { remove($0) }
                }
            } catch { failures.append(error) }
        }
        return failures
    }

    static func attributes(
        limit: Int, list: (UnsafeMutablePointer<CChar>?, Int) -> Int,
        get: (UnsafePointer<CChar>, UnsafeMutableRawPointer?, Int) -> Int
    ) throws(SystemError) -> [ExtendedAttribute] {
        // Nearly every file has none, so the first question is asked with no buffer.
        let names: [UInt8]
        do throws(SystemError) {
            names = try grown("list the attributes of", "the file") { buffer, size in
                list(buffer?.assumingMemoryBound(to: CChar.self), size)
            }
        } catch {
            if error.code == ENOTSUP { return [] }
            throw error
        }
        var result: [ExtendedAttribute] = []
        var length = 0
        for name in names.split(separator: 0).map(Array.init) {
            do throws(SystemError) {
                let value = try grown("read the attribute", printable(name)) { buffer, size in
                    withNullTerminated(name) { get($0, buffer, size) }
                }
                let attribute = ExtendedAttribute(name: name, value: value)
                length += attribute.length
                if length > limit { throw SystemError(E2BIG, "hold the attributes of", "the file") }
                result.append(attribute)
            } catch {
                if error.code == ENODATA { continue }  // removed since it was listed
                throw error
            }
        }
        return result.sorted { $0.name.lexicographicallyPrecedes($1.name) }
    }

    /// Asks for a size, then for the bytes, again where they grew in between.
    private static func grown(
        _ operation: String, _ subject: String, _ call: (UnsafeMutableRawPointer?, Int) -> Int
    ) throws(SystemError) -> [UInt8] {
        while true {
            let size = try check(operation, subject) { call(nil, 0) }
            if size == 0 { return [] }
            var bytes = [UInt8](repeating: 0, count: size)
            do throws(SystemError) {
                let count = try check(operation, subject) {
                    bytes.withUnsafeMutableBytes { call($0.baseAddress, size) }
                }
                return Array(bytes[..<count])
            } catch {
                if error.code != ERANGE { throw error }
            }
        }
    }
}
