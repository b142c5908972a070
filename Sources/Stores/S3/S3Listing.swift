// Lists of a bucket, page by page: complete, or an error.

internal import Platform

/// Lists what begins with a name.
struct S3Listing {
    private let client: S3Client
    private let subject: String
    private let moment: S3Moment?

    init(_ client: S3Client, subject: String, moment: S3Moment?) {
        self.client = client
        self.subject = subject
        self.moment = moment
    }

    /// The same page by page; in the order of names within each.
    func objects(below prefix: String, _ take: ([StoredObject]) -> Void) throws(StoreError) {
        if let moment { return take(try moment.objects(below: prefix, client, subject: subject)) }
        try client.pages([("list-type", "2")], markers: ["continuation-token"], below: prefix, subject: subject) {
            take($0.entries.map(Self.object))
        }
    }

    private static func object(_ entry: S3Page.Entry) -> StoredObject {
        StoredObject(name: entry.key, length: entry.length, modified: entry.modified == .max ? nil : entry.modified)
    }

    /// Names, those of objects whole and others up to the delimiter.
    func names(below prefix: String, delimiter: String) throws(StoreError) -> [String] {
        if let moment { return try moment.objects(below: prefix, client, subject: subject).map(\.name) }
        let found = try pages(prefix, delimiter: delimiter)
        return found.objects.map(\.name) + found.prefixes
    }

    private func pages(
        _ prefix: String, delimiter: String
    ) throws(StoreError) -> (objects: [StoredObject], prefixes: [String]) {
        var objects: [StoredObject] = []
        var prefixes: [String] = []
        let query = [("list-type", "2"), ("delimiter", delimiter)]
        try client.pages(query, markers: ["continuation-token"], below: prefix, subject: subject) { page in
            objects += page.entries.map(Self.object)
            prefixes += page.prefixes
        }
        return (objects, prefixes)
    }
}

extension S3Client {
    /// More names than any store's folder has, and more pages.
    private static let longest = 2_000_000
    private static let mostPages = 20_000

    /// Reads a list to its end.
    /// - Parameters:
    ///   - query: which list it is.
    ///   - markers: what says, in a query, where the next page begins: named in the order in which a page gives it.
    func pages(
        _ query: [(String, String)], markers: [String], below prefix: String, subject: String, _ body: (S3Page) -> Void
    ) throws(StoreError) {
        let query = query + [("encoding-type", "url"), ("prefix", prefix)]
        var next: [String] = []
        var (names, count) = (0, 0)
        while true {
            let page = try S3Page(
                list(query + zip(markers, next).map { ($0, $1) }, subject: subject), subject: subject, prefix: prefix)
            body(page)
            names += page.entries.count + page.prefixes.count
            count += 1
            guard names <= Self.longest, count <= Self.mostPages else {
                throw StoreError(.failed, "list", subject, "the server's list does not end")
            }
            guard page.isTruncated else { return }
            // A server that says there is more and leads nowhere would never end.
            guard !page.next.isEmpty, page.next != next, !page.entries.isEmpty || !page.prefixes.isEmpty else {
                throw StoreError(.failed, "list", subject, "the server says that there is more, and does not show it")
            }
            next = page.next
        }
    }

    /// The body of a list.
    func list(_ query: [(String, String)], subject: String) throws(StoreError) -> [UInt8] {
        let request = S3Request(
            verb: "list", subject: subject, method: "GET", query: query.map { (name: $0.0, value: $0.1) })
        let answer = try send(request)
        guard answer.status == 200 else {
            let failure = failure(answer, request)
            // There is no such object: a list of nothing is empty, and never absent.
            throw failure.reason == .absent
                ? StoreError(.unusable, "list", subject, failure.detail, mend: "is there a bucket of this name?")
                : failure
        }
        return answer.body
    }
}

/// One page of a list, of objects or of their versions.
struct S3Page {
    struct Entry {
        var key = ""
        var length: UInt64 = 0
        var version = ""
        /// Seconds since 1970.
        var modified: Int64 = 0
        /// It says that the object was removed.
        var isMarker = false
    }

    private(set) var entries: [Entry] = []
    private(set) var prefixes: [String] = []
    private(set) var isTruncated = false
    /// Where the next page begins: a token, or a name and a version.
    private(set) var next: [String] = []

    init(_ body: [UInt8], subject: String, prefix: String) throws(StoreError) {
        func malformed(_ words: String) -> StoreError { StoreError(.failed, "list", subject, words) }
        var isEncoded = false
        var isList = false
        var sawEnd = false
        var nextVersion: String?
        do {
            // What says how names are written may follow them.
            var entries: [Entry] = []
            var prefixes: [String] = []
            try S3Text.read(
                body,
                begin: { path in
                    if path.count == 1 { isList = path[0].hasPrefix("List") && path[0].hasSuffix("Result") }
                    guard path.count == 2 else { return }
                    if ["Contents", "Version", "DeleteMarker"].contains(path[1]) {
                        entries.append(Entry(isMarker: path[1] == "DeleteMarker"))
                    }
                },
                leaf: { leaf in
                    let last = leaf.path.last ?? ""
                    if leaf.path.count == 2 {
                        switch last {
                        case "IsTruncated":
                            guard ["true", "false"].contains(leaf.text) else { throw S3Text.Malformed() }
                            (isTruncated, sawEnd) = (leaf.text == "true", true)
                        case "EncodingType": isEncoded = leaf.text == "url"
                        case "NextContinuationToken", "NextKeyMarker": next = [leaf.text]
                        case "NextVersionIdMarker": nextVersion = leaf.text
                        default: break
                        }
                    } else if leaf.path.count == 3, leaf.path[1] == "CommonPrefixes" {
                        prefixes.append(leaf.text)
                    } else if leaf.path.count == 3, !entries.isEmpty {
                        switch last {
                        case "Key": entries[entries.count - 1].key = leaf.text
                        case "VersionId": entries[entries.count - 1].version = leaf.text
                        case "LastModified": entries[entries.count - 1].modified = S3Time.seconds(leaf.text) ?? .max
                        case "Size":
                            guard let length = UInt64(leaf.text) else { throw S3Text.Malformed() }
                            entries[entries.count - 1].length = length
                        default: break
                        }
                    }
                })
            for var entry in entries {
                guard let key = isEncoded ? Self.decoded(entry.key) : entry.key, key.hasPrefix(prefix) else {
                    throw S3Text.Malformed()
                }
                entry.key = key
                self.entries.append(entry)
            }
            for found in prefixes {
                guard let name = isEncoded ? Self.decoded(found) : found, name.hasPrefix(prefix) else {
                    throw S3Text.Malformed()
                }
                self.prefixes.append(name)
            }
        } catch { throw malformed("the server's list cannot be understood") }
        // A page that was cut is no shorter list.
        guard isList, sawEnd else { throw malformed("the server's list is not whole") }
        if isEncoded, nextVersion != nil, let name = next.first, let decoded = Self.decoded(name) { next = [decoded] }
        if let nextVersion { next.append(nextVersion) }
    }

    /// `+` stands for a blank in some servers' spelling.
    private static func decoded(_ text: String) -> String? {
        unescaped(
            text.contains("+")
                ? text.split(separator: "+", omittingEmptySubsequences: false).joined(separator: " ") : text)
    }
}

/// `2009-10-12T17:50:30.000Z`
enum S3Time {
    static func seconds(_ text: String) -> Int64? {
        let digits = text.utf8.map { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) ? Int64($0 - 48) : -1 }
        guard digits.count >= 20, text.hasSuffix("Z") else { return nil }
        func number(_ range: Range<Int>) -> Int64? {
            range.reduce(Int64(0) as Int64?) { result, index in
                guard let result, digits[index] >= 0 else { return nil }
                return result * 10 + digits[index]
            }
        }
        guard let year = number(0..<4), let month = number(5..<7), let day = number(8..<10), let hour = number(11..<13),
            let minute = number(14..<16), let second = number(17..<19)
        else { return nil }
        return calendarSeconds(year: year, month: month, day: day, hour: hour, minute: minute, second: second)
    }
}
