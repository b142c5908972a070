// The calls of SFTP, each with the answer that it can have; and reads and writes of any length, in as many requests as that takes.

internal import Glibc

extension SFTPChannel {
    private func unexpected(_ reply: SFTPReply) -> SFTPFailure {
        if case .status(let status, let text) = reply, status != .fine { return .status(status, text) }
        return fail(SFTPGarbage("an answer of another kind than was asked for"))
    }

    /// Waits for a request that has no answer but that it was done.
    func finish(_ ticket: Ticket) throws(SFTPFailure) {
        let reply = try answer(to: ticket)
        guard case .status(.fine, _) = reply else { throw unexpected(reply) }
    }

    func handle(_ ticket: Ticket) throws(SFTPFailure) -> [UInt8] {
        let reply = try answer(to: ticket)
        guard case .handle(let handle) = reply else { throw unexpected(reply) }
        return handle
    }

    func attributes(_ ticket: Ticket) throws(SFTPFailure) -> SFTPAttributes {
        let reply = try answer(to: ticket)
        guard case .attributes(let attributes) = reply else { throw unexpected(reply) }
        return attributes
    }

    /// What there is of a path; nil where there is nothing.
    func attributesIfPresent(_ ticket: Ticket) throws(SFTPFailure) -> SFTPAttributes? {
        do throws(SFTPFailure) { return try attributes(ticket) } catch {
            if error.status == .absent { return nil }
            throw error
        }
    }

    /// Some of the names in a folder; nil after the last one.
    func names(_ ticket: Ticket) throws(SFTPFailure) -> [SFTPName]? {
        let reply = try answer(to: ticket)
        if case .status(.end, _) = reply { return nil }
        guard case .names(let names) = reply else { throw unexpected(reply) }
        // Or it could go on for ever.
        if names.isEmpty { throw fail(SFTPGarbage("a part of a folder without names")) }
        return names
    }

    /// The room on the medium; nil where the server does not tell.
    func space(at path: [UInt8]) throws(SFTPFailure) -> SFTPSpace? {
        guard has(.space) else { return nil }
        let reply = try ask(.extended(.space, path))
        guard case .extended(let bytes) = reply else {
            if case .status = reply { return nil }
            throw unexpected(reply)
        }
        var reader = SFTPReader(bytes)
        do throws(SFTPGarbage) { return try reader.space() } catch { throw fail(error) }
    }

    /// Reads until the buffer is full or the file ends.
    /// - Returns: how many bytes there were.
    func read(
        _ handle: [UInt8], at offset: UInt64, into buffer: UnsafeMutableRawBufferPointer
    ) throws(SFTPFailure) -> Int {
        struct Piece {
            var range: Range<Int>
            var ticket: Ticket
        }
        var pieces: [Piece] = []
        var first = 0
        var underWay = 0
        var asked = 0
        var end = buffer.count
        func ask(_ range: Range<Int>) throws(SFTPFailure) {
            let ticket = try submit(.read(handle, at: offset + UInt64(range.lowerBound), count: range.count))
            pieces.append(Piece(range: range, ticket: ticket))
            underWay += range.count
        }
        while true {
            try checkStop("read")
            while asked < end, underWay < Self.windowLimit {
                let next = min(asked + readLength, end)
                try ask(asked..<next)
                asked = next
            }
            guard first < pieces.count else { return end }
            let piece = pieces[first]
            first += 1
            underWay -= piece.range.count
            let reply = try answer(to: piece.ticket)
            switch reply {
            case .status(.end, _): end = min(end, piece.range.lowerBound)
            case .data(let data):
                guard !data.isEmpty, data.count <= piece.range.count else {
                    throw fail(SFTPGarbage("\(data.count) bytes where \(piece.range.count) were asked for"))
                }
                let place = UnsafeMutableRawBufferPointer(
                    rebasing: buffer[piece.range.lowerBound..<piece.range.lowerBound + data.count])
                data.withUnsafeBytes { place.copyMemory(from: $0) }
                // A server may give less at a time.
                if data.count < piece.range.count, piece.range.lowerBound + data.count < end {
                    try ask(piece.range.lowerBound + data.count..<piece.range.upperBound)
                }
            default: throw unexpected(reply)
            }
        }
    }

    /// Sends all of a file's bytes.
    /// - Returns: the requests whose answers nobody has looked at yet.
    func write(_ handle: [UInt8], _ bytes: [UInt8]) throws(SFTPFailure) -> ArraySlice<Ticket> {
        var failure: SFTPFailure?
        var tickets: [Ticket] = []
        var seen = 0
        bytes.withUnsafeBytes { bytes in
            do throws(SFTPFailure) {
                var sent = 0
                while sent < bytes.count {
                    let count = min(writeLength, bytes.count - sent)
                    let part = UnsafeRawBufferPointer(rebasing: bytes[sent..<sent + count])
                    tickets.append(try submit(.write(handle, at: UInt64(sent), count: count), part))
                    sent += count
                    // A medium that is full is noticed before all of it was sent.
                    while (tickets.count - seen) * writeLength > Self.windowLimit {
                        try finish(tickets[seen])
                        seen += 1
                    }
                }
            } catch { failure = error }
        }
        if let failure { throw failure }
        return tickets[seen...]
    }
}
