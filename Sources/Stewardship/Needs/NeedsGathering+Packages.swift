// Which packages a machine has: from the package manager's own file where it has one that is text, else from its program.

internal import Platform

extension NeedsGathering {
    func packages() throws -> MachineNeeds.Packages? {
        let dpkg = tree.appending("var/lib/dpkg/status")
        if exists(dpkg) {
            let list = Self.stanzas(
                try readRegular(dpkg, limit: Self.limit), name: "Package: ", version: "Version: ",
                architecture: "Architecture: ", status: "Status: ")
            return MachineNeeds.Packages(manager: "dpkg", list: Self.sorted(list))
        }
        let apk = tree.appending("lib/apk/db/installed")
        if exists(apk) {
            let list = Self.stanzas(
                try readRegular(apk, limit: Self.limit), name: "P:", version: "V:", architecture: "A:", status: nil)
            return MachineNeeds.Packages(manager: "apk", list: Self.sorted(list))
        }
        // Its database is its own: only of the tree that runs can the program be asked.
        guard tree == "/", exists("/usr/bin/rpm"), exists("/var/lib/rpm") || exists("/usr/lib/sysimage/rpm") else {
            return nil
        }
        let answer = try runProgram(
            ["rpm", "-qa", "--qf", "%{NAME}\t%{EVR}\t%{ARCH}\n"], limit: 30, outputLimit: 8 << 20, stop: stop)
        guard answer.status == 0 else { return nil }
        let list = answer.lines.map { $0.split(separator: "\t", omittingEmptySubsequences: false).map(String.init) }
        return MachineNeeds.Packages(manager: "rpm", list: Self.sorted(list.filter { $0.count == 3 }))
    }

    private static let limit = 64 << 20

    private static func sorted(_ list: [[String]]) -> [[String]] {
        list.sorted { $0.lexicographicallyPrecedes($1) }
    }

    /// What is installed, of a file of stanzas between empty lines. Of each line only its beginning is looked at: the file has megabytes.
    /// - Parameter status: the field whose value ends with `installed` where it is; nil: all are.
    static func stanzas(
        _ bytes: [UInt8], name: String, version: String, architecture: String, status: String?
    ) -> [[String]] {
        let fields = [name, version, architecture].map { Array($0.utf8) }
        let status = status.map { Array($0.utf8) }
        var result: [[String]] = []
        var values = ["", "", ""]
        var isInstalled = status == nil
        func end() {
            if isInstalled, !values[0].isEmpty { result.append(values) }
            values = ["", "", ""]
            isInstalled = status == nil
        }
        bytes.withUnsafeBytes { all in
            var start = 0
            while start < all.count {
                var stop = start
                while stop < all.count, all[stop] != 0x0a { stop += 1 }
                let line = UnsafeRawBufferPointer(rebasing: all[start..<stop])
                start = stop + 1
                guard let first = line.first else {
                    end()
                    continue
                }
                if first == 0x20 { continue }
                if let status, line.starts(with: status) {
                    isInstalled = line.suffix(10).elementsEqual(" installed".utf8)
                    continue
                }
                for (index, field) in fields.enumerated() where first == field[0] && line.starts(with: field) {
                    values[index] = String(decoding: line[field.count...].prefix(256), as: UTF8.self)
                }
            }
        }
        end()
        return result
    }
}
