// A TOML document whose values know their places, so that a mistake is told with line and column.

internal import CTOML

struct TOMLPlace: Comparable {
    var line: UInt32
    var column: UInt32

    static func < (a: TOMLPlace, b: TOMLPlace) -> Bool { (a.line, a.column) < (b.line, b.column) }
}

struct TOMLError: Error {
    /// Nil where it is no place's fault, such as for want of memory.
    var place: TOMLPlace?
    var message: String
}

struct TOMLValue {
    enum Content: Equatable {
        case table, array
        case string(String)
        case integer(Int64)
        case floatingPoint(Double)
        case boolean(Bool)
        /// A date, a time, or both.
        case time
    }

    private final class Document {
        var contents: [Content] = []
        var places: [TOMLPlace] = []
        var keys: [(text: String, place: TOMLPlace)] = []
        var held: [[Int]] = []
    }

    private let document: Document
    private let number: Int

    var content: Content { document.contents[number] }
    var place: TOMLPlace { document.places[number] }
    /// Empty for what is in an array, and for the document itself.
    var key: String { document.keys[number].text }
    var keyPlace: TOMLPlace { document.keys[number].place }

    var string: String? { if case .string(let text) = content { text } else { nil } }
    var integer: Int64? { if case .integer(let value) = content { value } else { nil } }
    var boolean: Bool? { if case .boolean(let value) = content { value } else { nil } }
    /// What a table holds, in the order of the text.
    var table: [TOMLValue]? { content == .table ? held : nil }
    var array: [TOMLValue]? { content == .array ? held : nil }
    private var held: [TOMLValue] { document.held[number].map { TOMLValue(document: document, number: $0) } }

    private init(document: Document, number: Int) {
        self.document = document
        self.number = number
    }

    /// The table that a text is.
    init(parsing text: String) throws(TOMLError) {
        var text = text
        var problem = ctoml_error()
        guard let parsed = text.withUTF8({ parse($0, &problem) }) else {
            let message = withUnsafeBytes(of: problem.message) {
                String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self)
            }
            throw TOMLError(place: problem.place.line == 0 ? nil : TOMLPlace(problem.place), message: message)
        }
        defer { ctoml_free(parsed) }
        let document = Document()
        for number in 0..<ctoml_count(parsed) {
            let value = ctoml_value_at(parsed, number)
            document.contents.append(Content(value))
            document.places.append(TOMLPlace(value.place))
            document.keys.append((Self.text(value.key, value.key_length), TOMLPlace(value.key_place)))
            document.held.append([])
            if number > 0 { document.held[value.holder].append(number) }
        }
        // Tables come sorted by key; a person's first mistake is the first in the text.
        for holder in document.held.indices where document.contents[holder] == .table {
            document.held[holder].sort { document.keys[$0].place < document.keys[$1].place }
        }
        self.init(document: document, number: 0)
    }

    fileprivate static func text(_ start: UnsafePointer<CChar>?, _ length: Int) -> String {
        String(decoding: UnsafeRawBufferPointer(start: start, count: start == nil ? 0 : length), as: UTF8.self)
    }
}

extension TOMLValue.Content {
    fileprivate init(_ value: ctoml_value) {
        switch Int(value.kind) {
        case CTOML_TABLE: self = .table
        case CTOML_ARRAY: self = .array
        case CTOML_STRING: self = .string(TOMLValue.text(value.text, value.text_length))
        case CTOML_INTEGER: self = .integer(value.integer)
        case CTOML_FLOATING_POINT: self = .floatingPoint(value.floating_point)
        case CTOML_BOOLEAN: self = .boolean(value.boolean != 0)
        default: self = .time
        }
    }
}

extension TOMLPlace {
    fileprivate init(_ place: ctoml_place) { self.init(line: place.line, column: place.column) }
}

private func parse(_ bytes: UnsafeBufferPointer<UInt8>, _ problem: inout ctoml_error) -> OpaquePointer? {
    // An empty Swift string may have no address.
    guard let start = bytes.baseAddress else { return ctoml_parse("", 0, &problem) }
    return start.withMemoryRebound(to: CChar.self, capacity: bytes.count) { ctoml_parse($0, bytes.count, &problem) }
}
