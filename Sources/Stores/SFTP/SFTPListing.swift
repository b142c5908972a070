// What is in the folders of an SFTP server. Many requests are under way at once, so that the distance does not count once a folder; the answers
// are taken in the order of the requests. It is complete, or an error.

internal import Platform

struct SFTPListing {
    /// Names at most, whatever they belong to: more than a store has, and less than the memory of a machine.
    static let limit = 10_000_000
    /// Requests, and open folders, at once.
    private static let width = 64
    private static let openLimit = 64

    private struct Folder {
        /// In the store.
        var name: [UInt8]
        var handle: [UInt8] = []
        /// Requests for names that are under way.
        var asked = 0
        /// How many are asked at once: the first two see the end of a small folder, and only a large one is worth more.
        var width = 2
        var isAtEnd = false
        var hasShownItself = false
    }

    private enum Step {
        case open(Int)
        case read(Int)
        /// Whether a folder that seemed empty may be looked into.
        case check(Int)
        /// What something is, where the folder did not say it.
        case look(name: [UInt8])
    }

    private let server: SFTPServer
    private let channel: SFTPChannel
    private var folders: [Folder] = []
    private var toOpen: [Int] = []
    private var openCount = 0
    private var underWay: [(step: Step, ticket: SFTPChannel.Ticket)] = []
    private var first = 0
    private var count = 0
    private var isRecursive = false
    private var found: [StoredObject] = []
    private var topNames: [[UInt8]] = []

    init(_ server: SFTPServer, _ channel: SFTPChannel) {
        self.server = server
        self.channel = channel
    }

    /// The first parts of all names.
    func names() throws(SFTPFailure) -> [[UInt8]] {
        var listing = self
        try listing.run([])
        return listing.topNames
    }

    func objects(below folder: String) throws(SFTPFailure) -> [StoredObject] {
        var listing = self
        listing.isRecursive = true
        try listing.run(Array(folder.utf8))
        listing.found.sort { $0.name < $1.name }
        // What is renamed while it is listed may be seen twice.
        var result: [StoredObject] = []
        result.reserveCapacity(listing.found.count)
        for object in listing.found where object.name != result.last?.name { result.append(object) }
        return result
    }

    private mutating func run(_ top: [UInt8]) throws(SFTPFailure) {
        add(top)
        do throws(SFTPFailure) {
            while true {
                try channel.checkStop("list")
                while underWay.count - first < Self.width, openCount < min(Self.openLimit, channel.handleLimit / 4),
                    let index = toOpen.popLast()
                {
                    openCount += 1
                    try ask(.open(index), .about(server.path(folders[index].name), .openFolder))
                }
                guard first < underWay.count else { return }
                let (step, ticket) = underWay[first]
                first += 1
                if first > 1000 {
                    underWay.removeFirst(first)
                    first = 0
                }
                try take(step, ticket)
            }
        } catch {
            for folder in folders where !folder.handle.isEmpty { channel.abandon(folder.handle) }
            for (step, ticket) in underWay[first...] { if case .open = step { channel.drop(ticket) } }
            throw error
        }
    }

    private mutating func add(_ folder: [UInt8]) {
        toOpen.append(folders.count)
        folders.append(Folder(name: folder))
    }

    private mutating func ask(_ step: Step, _ request: SFTPRequest) throws(SFTPFailure) {
        underWay.append((step, try channel.submit(request)))
    }

    private mutating func askForNames(_ index: Int) throws(SFTPFailure) {
        while folders[index].asked < folders[index].width {
            folders[index].asked += 1
            try ask(.read(index), .about(folders[index].handle, .readFolder))
        }
    }

    private mutating func take(_ step: Step, _ ticket: SFTPChannel.Ticket) throws(SFTPFailure) {
        switch step {
        case .open(let index):
            do throws(SFTPFailure) { folders[index].handle = try channel.handle(ticket) } catch {
                openCount -= 1
                // There is none, or it was removed since it was seen.
                guard error.status == .absent else { throw told(error, index) }
                if index == 0 { try makeSureThatThereIsNone(folders[index].name) }
                return
            }
            try askForNames(index)
        case .read(let index):
            let names: [SFTPName]?
            do throws(SFTPFailure) { names = try channel.names(ticket) } catch { throw told(error, index) }
            folders[index].asked -= 1
            for name in names ?? [] { try take(name, in: index) }
            if names == nil { folders[index].isAtEnd = true }
            if folders[index].isAtEnd {
                if folders[index].asked == 0 { try close(index) }
            } else if folders[index].asked == 0 || folders[index].width > 2 {
                // What is asked beyond the end costs a turn before it is closed.
                folders[index].width = 8
                try askForNames(index)
            }
        case .check(let index):
            do throws(SFTPFailure) { _ = try channel.attributesIfPresent(ticket) } catch { throw told(error, index) }
        case .look(let name):
            if let attributes = try channel.attributesIfPresent(ticket) { try take(name, attributes, isFinal: true) }
        }
    }

    private mutating func close(_ index: Int) throws(SFTPFailure) {
        channel.drop(try channel.submit(.about(folders[index].handle, .close)))
        folders[index].handle = []
        openCount -= 1
        // OpenSSH leaves out what it cannot look at: in a folder that it may read and not enter, everything.
        if !folders[index].hasShownItself {
            try ask(.check(index), .about(server.path(folders[index].name) + Array("/.".utf8), .linkStatus))
        }
    }

    private mutating func take(_ entry: SFTPName, in index: Int) throws(SFTPFailure) {
        if entry.name == [UInt8(ascii: ".")] { folders[index].hasShownItself = true }
        if entry.name == [UInt8(ascii: ".")] || entry.name == Array("..".utf8) { return }
        count += 1
        guard count <= Self.limit else {
            throw .explained(
                StoreError(
                    .refused, "list", "\(server.location)", "it has more than \(Self.limit) names: this is no store"))
        }
        if !isRecursive {
            topNames.append(entry.name)
            return
        }
        // What people or their file managers leave there is none of ours. A server could send anything.
        guard ObjectName.canBePart(entry.name), !entry.name.contains(UInt8(ascii: "/")) else { return }
        let name = folders[index].name + [UInt8(ascii: "/")] + entry.name
        if name.count <= ObjectName.lengthLimit { try take(name, entry.attributes, isFinal: false) }
    }

    private mutating func take(_ name: [UInt8], _ attributes: SFTPAttributes, isFinal: Bool) throws(SFTPFailure) {
        switch (attributes.kind, attributes.size) {
        case (.folder?, _): if String(validating: name, as: UTF8.self) != nil { add(name) }
        case (.file?, let size?):
            if let text = String(validating: name, as: UTF8.self) {
                found.append(
                    StoredObject(name: text, length: size, modified: attributes.modified.map { Int64($0) }))
            }
        case (.link?, _), (.other?, _): break
        default:
            let shown = printable(name)
            if isFinal {
                throw .explained(
                    StoreError(.failed, "list", server.describe(shown), "the server does not say what it is"))
            }
            try ask(.look(name: name), .about(server.path(name), .linkStatus))
        }
    }

    private func told(_ failure: SFTPFailure, _ index: Int) -> SFTPFailure {
        failure.status == nil ? failure : .explained(server.explain(failure, "list", printable(folders[index].name)))
    }

    /// The server has one answer for what is not there, for a file in the folder's place, and for a link that leads nowhere.
    private func makeSureThatThereIsNone(_ folder: [UInt8]) throws(SFTPFailure) {
        var places: [[UInt8]] = [[]]
        for (index, byte) in folder.enumerated() where byte == UInt8(ascii: "/") {
            places.append(Array(folder[..<index]))
        }
        if !folder.isEmpty { places.append(folder) }
        // All at once, for one turn; a few answers more than are needed may come.
        let looks = try places.map { (place) throws(SFTPFailure) in
            (
                place, own: try channel.submit(.about(server.path(place), .linkStatus)),
                target: try channel.submit(.about(server.path(place), .status))
            )
        }
        for (place, own, target) in looks {
            guard let there = try channel.attributesIfPresent(own) else { return }
            if try channel.attributesIfPresent(target)?.kind ?? (there.kind == .link ? .other : .folder) != .folder {
                throw .explained(
                    StoreError(
                        .refused, "list", server.describe(printable(place)),
                        "something else is where the folder should be"))
            }
        }
    }
}
