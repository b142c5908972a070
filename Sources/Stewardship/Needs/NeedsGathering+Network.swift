// How a machine is reached: interfaces, addresses, routes, resolver. No key and no password is among what is read here.

internal import Glibc
internal import Platform

extension NeedsGathering {
    func network() throws -> MachineNeeds.Network {
        var network = MachineNeeds.Network()
        let old = Self.addresses4()
        let new = Self.addresses6((try? readWhole("/proc/net/if_inet6", limit: 1 << 20)) ?? [])
        for name in BlockDevice.names(in: "/sys/class/net").sorted() where name != "lo" && !name.hasPrefix("veth") {
            guard network.interfaces.count < Self.mostInterfaces else { break }
            var interface = MachineNeeds.Interface(name: name)
            interface.hardwareAddress = BlockDevice.text("/sys/class/net/\(name)/address").flatMap {
                $0.isEmpty || $0 == "00:00:00:00:00:00" ? nil : $0
            }
            interface.addresses = ((old[name] ?? []) + (new[name] ?? [])).sorted()
            network.interfaces.append(interface)
        }
        network.routes = Self.routes((try? readWhole("/proc/net/route", limit: 1 << 20)) ?? [])
        let lines = (try? readRegular("/etc/resolv.conf", limit: 1 << 16)) ?? []
        network.resolver = String(decoding: lines, as: UTF8.self).split(separator: "\n").filter {
            $0.hasPrefix("nameserver ") || $0.hasPrefix("search ") || $0.hasPrefix("domain ")
        }.prefix(20).map { printable(Array($0.utf8.prefix(300))) }
        return network
    }

    private static let mostInterfaces = 200

    private static func addresses4() -> [String: [String]] {
        var first: UnsafeMutablePointer<ifaddrs>?
        guard getifaddrs(&first) == 0 else { return [:] }
        defer { freeifaddrs(first) }
        var result: [String: [String]] = [:]
        var next = first
        while let entry = next?.pointee {
            next = entry.ifa_next
            guard let address = entry.ifa_addr, let mask = entry.ifa_netmask,
                Int32(address.pointee.sa_family) == AF_INET
            else { continue }
            // In the order of the network.
            func number(_ place: UnsafeMutablePointer<sockaddr>) -> UInt32 {
                place.withMemoryRebound(to: sockaddr_in.self, capacity: 1) { $0.pointee.sin_addr.s_addr }
            }
            let text = "\(dotted(number(address)))/\(number(mask).nonzeroBitCount)"
            result[String(cString: entry.ifa_name), default: []].append(text)
        }
        return result
    }

    /// `10.0.0.1`, of a number in the order of the network.
    private static func dotted(_ number: UInt32) -> String {
        withUnsafeBytes(of: number) { $0.map { "\($0)" }.joined(separator: ".") }
    }

    /// Addresses of a network, by interface (Documentation of proc(5), if_inet6): none of a link alone, none that changes by itself.
    static func addresses6(_ bytes: [UInt8]) -> [String: [String]] {
        var result: [String: [String]] = [:]
        for line in String(decoding: bytes, as: UTF8.self).split(separator: "\n") {
            let fields = line.split(separator: " ")
            guard fields.count == 6, fields[0].utf8.count == 32, fields[0].allSatisfy(\.isHexDigit),
                let length = UInt8(fields[2], radix: 16), let scope = UInt8(fields[3], radix: 16),
                let flags = UInt32(fields[4], radix: 16)
            else { continue }
            // IFA_F_TEMPORARY of <linux/if_addr.h>; scopes of RFC 4291.
            if scope == 0x20 || scope == 0x10 || flags & 1 != 0 { continue }
            var number = in6_addr()
            let digits = Array(fields[0].utf8)
            withUnsafeMutableBytes(of: &number) { place in
                for index in 0..<16 {
                    let pair = String(decoding: digits[2 * index..<2 * index + 2], as: UTF8.self)
                    place[index] = UInt8(pair, radix: 16) ?? 0
                }
            }
            var text = [CChar](repeating: 0, count: Int(INET6_ADDRSTRLEN))
            guard inet_ntop(AF_INET6, &number, &text, socklen_t(INET6_ADDRSTRLEN)) != nil else { continue }
            let address = String(decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
            result[String(fields[5]), default: []].append("\(address)/\(length)")
        }
        return result
    }

    /// Routes by a gateway: those to where an interface is follow from its address.
    static func routes(_ bytes: [UInt8]) -> [String] {
        String(decoding: bytes, as: UTF8.self).split(separator: "\n").dropFirst().compactMap { line in
            let fields = line.split(whereSeparator: \.isWhitespace)
            guard fields.count >= 8, let flags = UInt32(fields[3], radix: 16), flags & 3 == 3,
                let target = UInt32(fields[1], radix: 16), let gateway = UInt32(fields[2], radix: 16),
                let mask = UInt32(fields[7], radix: 16)
            else { return nil }
            let place = target == 0 && mask == 0 ? "default" : "\(dotted(target))/\(mask.nonzeroBitCount)"
            return "\(place) via \(dotted(gateway)) dev \(fields[0])"
        }.sorted().prefix(1000).map { $0 }
    }
}
