// The files that this program consists of, so that a copy of it can be kept that works whatever becomes of the system around it.

internal import CLinux
internal import Glibc

public enum ProgramFiles {
    /// The program itself.
    public static var executable: BytePath {
        get throws(SystemError) {
            try BytePath(Descriptor.open("/proc/self", [.directory, .place]).readLink(Array("exe".utf8)))
        }
    }

    /// The shared libraries that it has loaded, the loader among them, by the paths under which they were found.
    public static var libraries: [BytePath] {
        final class Paths { var list: [BytePath] = [] }
        let paths = Paths()
        clinux_each_library(
            { name, context in
                guard let name, let context, name.pointee == CChar(bitPattern: UInt8(ascii: "/")) else { return }
                let bytes = UnsafeBufferPointer(start: name, count: strlen(name)).map { UInt8(bitPattern: $0) }
                Unmanaged<Paths>.fromOpaque(context).takeUnretainedValue().list.append(BytePath(bytes))
            }, Unmanaged.passUnretained(paths).toOpaque())
        return paths.list
    }
}
