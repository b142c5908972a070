// What goes to and comes from an object store, without one: signatures, places, lists, dates, refusals.

import Cryptography
import Platform
import Testing

@testable import Stores

@Suite("Requests to an object store") struct S3FormTests {
    private static let key = S3Credentials(
        accessKey: "AKIAIOSFODNN7EXAMPLE", secretKey: Secret(Array("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY".utf8)))
    private static let empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

    struct Example: Sendable, CustomTestStringConvertible {
        var testDescription: String
        var method = "GET"
        var path = "/"
        var query: [(name: String, value: String)] = []
        var headers: [(name: String, value: String)] = []
        var payload = S3FormTests.empty
        var signature: String
    }

    /// From "Authenticating Requests: Using the Authorization Header", Amazon S3 API reference.
    static let examples = [
        Example(
            testDescription: "part of an object", path: "/test.txt", headers: [("range", "bytes=0-9")],
            signature: "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41"),
        Example(
            testDescription: "an object is put", method: "PUT", path: "/test%24file.text",
            headers: [("date", "Fri, 24 May 2013 00:00:00 GMT"), ("x-amz-storage-class", "REDUCED_REDUNDANCY")],
            payload: "44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072",
            signature: "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd"),
        Example(
            testDescription: "a query without a value", query: [("lifecycle", "")],
            signature: "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543"),
        Example(
            testDescription: "a list", query: [("prefix", "J"), ("max-keys", "2")],
            signature: "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7"),
    ]

    @Test("Are signed as Amazon's own examples are", arguments: examples)
    func signatures(example: Example) throws {
        let time = "20130524T000000Z"
        let request = SignedRequest(
            method: example.method, host: "examplebucket.s3.amazonaws.com", path: example.path, query: example.query,
            headers: example.headers + [("x-amz-content-sha256", example.payload), ("x-amz-date", time)])
        let value = try SignatureV4(region: "us-east-1").authorization(
            request, Self.key, time: time, payload: example.payload)
        #expect(value.hasSuffix("Signature=\(example.signature)"), "\(value)")
        #expect(
            value.hasPrefix("AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request, "))
    }

    @Test("Name places that can be, and show them without what is a secret")
    func places() throws {
        func location(_ text: String) throws -> S3Location { try S3Location(Array(text.utf8)) }
        let plain = try location("s3://plant/line3")
        #expect(plain.bucket == "plant" && plain.prefix == "line3" && !plain.usesPath && plain.endpoint == nil)
        let own = try location(
            "s3://plant/a/b/?endpoint=https://s3.example.com:8443/&region=eu-west-1&ca=/etc/ca.pem&style=host")
        #expect(own.prefix == "a/b" && own.endpoint?.host == "s3.example.com:8443" && own.region == "eu-west-1")
        #expect(own.authorities == "/etc/ca.pem" && !own.usesPath && own.endpoint?.isSecure == true)
        #expect(own.description == "s3://plant/a/b?endpoint=https://s3.example.com:8443")
        // Typed again it is the same place, reached in the same way.
        #expect(own.url == "\(own)&region=eu-west-1&style=host&ca=/etc/ca.pem")
        let bare = try location("s3://plant?ca=/etc/a%20b%26c")
        #expect(bare.url == "s3://plant?ca=/etc/a%20b%26c" && plain.url == plain.description)
        for whole in [own, bare, plain] { #expect(try location(whole.url) == whole) }
        #expect(StoreLocation.s3(own).typed == "'\(own.url)'" && StoreLocation.s3(plain).typed == plain.url)
        #expect(try location("s3://plant?endpoint=http://[::1]:9000").usesPath)
        #expect(try location("s3://plant.line").usesPath)
        #expect(try location("s3://plant/a%20b").prefix == "a b")
        for text in [
            "s3://", "s3:///x", "s3:plant", "s3://pl ant", "s3://plant/a//b", "s3://plant/../b", "s3://plant/%",
            "s3://plant/a%00",
            "s3://plant?endpoint=ftp://x", "s3://plant?endpoint=https://u:p@host", "s3://plant?endpoint=https://",
            "s3://plant?secret=topsecret", "s3://AKIA:topsecret@plant/x", "s3://plant?style=odd",
            "s3://plant?ca=ca.pem",
            "s3://plant?region", "s3://plant?region=a/b", "s3://plant/" + String(repeating: "x", count: 600),
        ] {
            do {
                _ = try location(text)
                Issue.record("\(text) was taken")
            } catch let error as LocationError {
                #expect(!error.description.contains("topsecret") && error.mend?.contains("topsecret") == false)
            }
        }
    }

    private static func page(_ text: String, prefix: String = "") throws -> S3Page {
        try S3Page(Array(text.utf8), subject: "it", prefix: prefix)
    }

    private static let whole = """
        <?xml version="1.0" encoding="UTF-8"?>
        <ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Name>b</Name><Prefix>v%2F</Prefix>\
        <IsTruncated>true</IsTruncated><NextContinuationToken>a&amp;b&#x3d;</NextContinuationToken><EncodingType>url</EncodingType>
        <Contents><Key>v%2Fa%20b+c</Key><LastModified>2026-11-27T12:00:00.000Z</LastModified><Size>17</Size>\
        <Owner><ID>x</ID></Owner></Contents><Contents><Key>v/two</Key><Size>0</Size></Contents>\
        <CommonPrefixes><Prefix>v%2Fsub%2F</Prefix></CommonPrefixes><Empty/></ListBucketResult>
        """

    @Test("Are answered by lists, whole or not at all")
    func lists() throws {
        let page = try Self.page(Self.whole, prefix: "v/")
        #expect(page.entries.map(\.key) == ["v/a b c", "v/two"] && page.entries.map(\.length) == [17, 0])
        #expect(page.entries[0].modified == 1_795_780_800)
        #expect(page.isTruncated && page.next == ["a&b="] && page.prefixes == ["v/sub/"])
        // A beginning of a list is none, wherever it ends.
        let bytes = Array(Self.whole.utf8)
        for count in 0..<bytes.count {
            #expect(throws: StoreError.self, "\(count)") {
                try S3Page(Array(bytes[..<count]), subject: "it", prefix: "v/")
            }
        }
        for text in [
            "", "<html>Welcome to the hotel</html>", "<Error><Code>X</Code></Error>",
            "<ListBucketResult></ListBucketResult>",
            "<!DOCTYPE x [<!ENTITY a 'b'>]><ListBucketResult><IsTruncated>false</IsTruncated></ListBucketResult>",
            "<ListBucketResult><IsTruncated>false</IsTruncated><Contents><Key>x</Key><Size>-1</Size></Contents></ListBucketResult>",
            "<ListBucketResult><IsTruncated>false</IsTruncated><Contents><Key>&huge;</Key></Contents></ListBucketResult>",
            String(repeating: "<a>", count: 100_000),
        ] {
            #expect(throws: StoreError.self, "\(text.prefix(60))") { try Self.page(text) }
        }
        // What does not begin as was asked for is another list.
        #expect(throws: StoreError.self) { try Self.page(Self.whole, prefix: "i/") }
    }

    @Test("Are dated as the server's answers are")
    func dates() {
        #expect(HTTPDate.seconds("Sun, 06 Nov 1994 08:49:37 GMT") == 784_111_777)
        #expect(HTTPDate.seconds("Thu, 01 Jan 1970 00:00:00 GMT") == 0)
        #expect(HTTPDate.seconds("Tue, 29 Feb 2028 23:59:59 GMT") == 1_835_481_599)
        for text in [
            "", "now", "Sun, 06 Nov 1994", "Sun, 06 Nov 99999999999 08:49:37 GMT", "Sun, 6 Xov 1994 08:49:37 GMT",
            "Sun, 06 Nov 1994 25:49:37 GMT", "Sun, 06 Nov -1 08:49:37 GMT",
        ] { #expect(HTTPDate.seconds(text) == nil, "\(text)") }
        #expect(S3Time.seconds("2009-10-12T17:50:30.000Z") == 1_255_369_830)
        for text in ["", "2009-10-12", "2009-13-12T17:50:30.000Z", "20x9-10-12T17:50:30.000Z"] {
            #expect(S3Time.seconds(text) == nil, "\(text)")
        }
        #expect(S3Client.compact(1_369_353_600) == "20130524T000000Z")
    }

    @Test(
        "Fail for reasons that are told apart",
        arguments: [
            (404, "NoSuchKey", StoreError.Reason.absent), (404, "NoSuchBucket", .unusable), (404, "", .absent),
            (412, "PreconditionFailed", .exists), (409, "ConditionalRequestConflict", .failed),
            (403, "AccessDenied", .refused), (403, "SignatureDoesNotMatch", .refused), (403, "QuotaExceeded", .full),
            (403, "RequestTimeTooSkewed", .expired), (403, "InvalidObjectState", .refused),
            (416, "InvalidRange", .ended),
            (301, "PermanentRedirect", .unusable), (503, "SlowDown", .failed), (500, "InternalError", .failed),
            (429, "", .failed), (507, "", .full), (400, "RequestTimeout", .failed), (400, "InvalidRequest", .unusable),
            (502, "", .failed), (200, "", .unusable),
        ])
    func refusals(status: Int, code: String, reason: StoreError.Reason) {
        var answer = HTTPAnswer(status: status)
        answer.headers["retry-after"] = "7"
        if !code.isEmpty { answer.body = Array("<Error><Code>\(code)</Code><Message>so it is</Message></Error>".utf8) }
        let error = S3Failure(answer).error("put", "v/one of it", bucket: "plant", offset: 31_536_000)
        #expect(error.reason == reason && error.pause == 7, "\(error)")
        #expect(error.description.count < 400)
    }
}
