// A file of ours in the system. One that is as it should be is not touched: its times are part of the state that a rollback has brought back.

internal import Glibc
internal import Platform

enum InstalledFile {
    /// Has a file hold a text, its folder made where it is not there.
    /// - Returns: whether it held another one, or was not there.
    @discardableResult
    static func put(_ text: [UInt8], at file: BytePath, mode: UInt32) throws -> Bool {
        if try exists(file) && readRegular(file, limit: 1 << 20) == text { return false }
        try makeFolders(file.parent, mode: 0o755)
        try replaceFile(file, text, mode: mode)
        return true
    }

    /// Has a link lead to a target, its folder made where it is not there.
    static func putLink(to target: BytePath, at link: BytePath) throws(SystemError) {
        try makeFolders(link.parent, mode: 0o755)
        do throws(SystemError) {
            if try Descriptor.open(link.parent, .directory).readLink(link.lastComponent) == target.bytes { return }
        } catch { if !error.isAbsent && error.code != EINVAL { throw error } }
        try replaceLink(link, to: target)
    }
}
