// Which folders can pass a write filter, and which must not.

internal import Glibc
internal import Machine
public import Platform

/// Ready-made exceptions, by the places that systems of this kind have for them.
public enum ExceptionSet: String, Sendable, CaseIterable {
    case logs, network, `operator`, twincat, codesys, licences, time

    /// Folders; those that are there are meant.
    public var folders: [BytePath] {
        switch self {
        case .logs: ["/var/log", "/var/audit", "/var/crash"]
        case .network:
            [
                "/etc/network", "/etc/netplan", "/etc/NetworkManager/system-connections", "/etc/systemd/network",
                "/etc/wpa_supplicant", "/var/lib/NetworkManager",
            ]
        case .operator: ["/home", "/srv", "/opt/recipes", "/var/opt"]
        case .twincat:
            // Boot project and persistent variables: Beckhoff RT Linux, and as on TwinCAT/BSD.
            ["/etc/TwinCAT/3.1/Boot", "/usr/local/etc/TwinCAT/3.1/Boot"]
        case .codesys: ["/var/opt/codesys"]
        case .licences: ["/etc/TwinCAT/3.1/Target/License", "/usr/local/etc/TwinCAT/3.1/Target/License"]
        case .time: ["/var/lib/systemd/timesync", "/var/lib/chrony"]
        }
    }

    /// What every filter of `/` lets pass unless it is taken out: logs of what happened, and what people keep.
    public static let standard: [BytePath] = ["/var/log", "/var/audit", "/home"]
}

enum ExceptionRule {
    /// Writes there are forgotten anyway, by the machine itself.
    private static let volatile: [BytePath] = ["/proc", "/sys", "/dev", "/run", "/tmp"]
    /// Programs and what starts them: half of an update that passes is worse than none.
    private static let programs: [BytePath] = [
        "/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/boot", "/var/lib/dpkg", "/var/lib/apt",
    ]

    /// Whether a folder can be an exception of a filtered place.
    /// - Returns: whether it is there already.
    /// - Throws: `FilterError.badException`
    static func check(_ path: BytePath, in place: BytePath, state: BytePath) throws -> Bool {
        func refuse(_ reason: String, _ mend: String) -> FilterError {
            .badException(path: path, reason: reason, mend: mend)
        }
        guard path == place || path.isBelow(place) else {
            throw refuse("it is not in \(place)", "give a folder in \(place), by its whole path")
        }
        if path == place { throw refuse("nothing would be left to filter", "`holdfast filter disable`") }
        for folder in volatile where place == "/" && (path == folder || path.isBelow(folder)) {
            throw refuse("the machine itself forgets \(folder) at each boot", "keep it in another folder")
        }
        for folder in programs where place == "/" && (path == folder || path.isBelow(folder)) && !isData(path) {
            throw refuse(
                "programs and their packages are there, and half of an update would stay",
                "`holdfast filter service` boots writable once; `holdfast filter commit PATH` keeps single files")
        }
        if place == "/", ["/etc", "/var", "/var/lib", "/opt"].contains(path) {
            throw refuse("too much of the system is in it", "except the folder in it that is meant")
        }
        if path == state || path.isBelow(state) {
            throw refuse("Holdfast's own state stays anyway", "nothing needs to be done")
        }
        return try look(at: path, refuse)
    }

    /// Places for data below /usr, as FreeBSD's layout has them.
    private static func isData(_ path: BytePath) -> Bool {
        ["/usr/local/etc", "/usr/local/var", "/usr/home"].contains { path == $0 || path.isBelow($0) }
            && path != "/usr/local/etc"
    }

    /// The way there has to be folders, without links, on the filtered file system itself.
    private static func look(
        at path: BytePath, _ refuse: (_ reason: String, _ mend: String) -> FilterError
    ) throws -> Bool {
        var way: BytePath = "/"
        for component in path.components {
            way = way.appending(component)
            guard let status = try? Descriptor.open(way, [.place, .noFollow]).status() else { return false }
            switch status.kind {
            case .directory: continue
            case .symbolicLink:
                throw refuse("\(way) is a symbolic link", "give the folder that it leads to")
            default:
                throw refuse(
                    way == path
                        ? "it is a file, and a program that saves by renaming would replace it" : "\(way) is no folder",
                    "except the folder that it is in, \(path.parent)")
            }
        }
        if let mount = try? Mount.at(path), !FilterMounts.isSession(mount), FilterMounts.lower(of: "/") == nil {
            throw refuse("it is a mount of its own, which the filter leaves alone", "nothing needs to be done")
        }
        return true
    }
}
