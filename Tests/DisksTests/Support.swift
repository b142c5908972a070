import Disks
import Glibc
import Platform
import TestSupport

final class Scratch: Sendable {
    let path: BytePath

    init() {
        var template = Array("/var/tmp/holdfast-disks-XXXXXX".utf8CString)
        path = template.withUnsafeMutableBufferPointer { buffer in
            guard let start = buffer.baseAddress, let made = mkdtemp(start) else { return "/nowhere" }
            return BytePath(String(cString: made))
        }
    }

    deinit { shell("rm -rf \(path)") }

    func file(_ name: String) -> BytePath { path.appending(name) }
}
