// What an object store's refusals mean, in its statuses and codes and in ours.

internal import Platform

struct S3Failure {
    let status: Int
    /// `NoSuchKey`, `SlowDown`; empty where the answer has none.
    private(set) var code = ""
    private(set) var message = ""
    /// Of a bucket that is elsewhere.
    private var region: String?
    private let pause: Int?

    init(_ answer: HTTPAnswer) {
        status = answer.status
        region = answer.headers["x-amz-bucket-region"]
        // A day at most; what is longer is nobody's wish.
        pause = answer.headers["retry-after"].flatMap { Int($0) }.map { min(max($0, 0), 86400) }
        if (200...299).contains(status) { return }
        // Where it is none, the status alone says what there is to say.
        try? S3Text.read(answer.body) { leaf in
            switch leaf.path.last {
            case "Code": code = leaf.text
            case "Message": message = leaf.text
            case "Region": region = leaf.text
            default: break
            }
        }
    }

    /// Whether the same request, signed anew, may succeed: the clock was not known, or the key has ended.
    var isPassingOnce: Bool { ["RequestTimeTooSkewed", "ExpiredToken", "TokenRefreshRequired"].contains(code) }

    /// Whether the server knows no conditions.
    var isWithoutConditions: Bool { status == 501 || code == "NotImplemented" }

    func error(_ verb: String, _ subject: String, bucket: String, offset: Int64?) -> StoreError {
        let words = [printable(Array(code.utf8.prefix(80))), printable(Array(message.utf8.prefix(300)))]
            .filter { !$0.isEmpty }.joined(separator: ": ")
        let detail = words.isEmpty ? "the server answers \(status)" : words
        func failed(_ reason: StoreError.Reason, _ mend: String? = nil, _ detail: String? = nil) -> StoreError {
            StoreError(reason, verb, subject, detail ?? words, mend: mend, pause: pause)
        }
        switch code {
        case "NoSuchKey": return failed(.absent)
        case "NoSuchBucket":
            return failed(.unusable, "make the bucket, or correct its name", "there is no bucket \(bucket)")
        case "PreconditionFailed": return failed(.exists)
        case "QuotaExceeded", "EntityTooLarge", "InsufficientStorage":
            return failed(
                .full, "raise the quota, or remove something, and repeat", "\(subject) takes no more: \(detail)")
        case "InvalidAccessKeyId", "SignatureDoesNotMatch", "InvalidToken", "ExpiredToken":
            return failed(.refused, "are the key and its secret those of this store? Look at its credentials")
        case "RequestTimeTooSkewed":
            return failed(
                .expired, "set this machine's clock",
                "the server's clock and this machine's are \(offset.map { "\($0.magnitude) s" } ?? "far") apart")
        case "InvalidObjectState":
            return failed(.refused, "have the server bring it back from its archive first", "it is frozen")
        case "PermanentRedirect", "AuthorizationHeaderMalformed", "IllegalLocationConstraintException":
            let known = region.map { printable(Array($0.utf8.prefix(40))) }
            return failed(
                .unusable, known.map { "write region=\($0)" } ?? "write its region: region=…",
                "the bucket is in another region")
        case "RequestTimeout", "SlowDown", "ServiceUnavailable", "InternalError", "RequestRateLimitExceeded",
            "ConditionalRequestConflict", "OperationAborted", "BadDigest", "XAmzContentSHA256Mismatch":
            return failed(.failed)
        default: break
        }
        switch status {
        case 404: return failed(.absent, nil, detail)
        case 412: return failed(.exists, nil, detail)
        case 416: return failed(.ended, nil, detail)
        case 401, 403, 405, 423:
            return failed(
                .refused, "has its key the right to do that? `holdfast store policy` shows what a machine needs", detail
            )
        case 507: return failed(.full, nil, "\(subject) takes no more: \(detail)")
        case 301, 307, 308:
            return failed(.unusable, "write the bucket's own endpoint and region", "the server sends it elsewhere")
        case 408, 409, 429,
            500...599 where status != 501:
            return failed(.failed, nil, detail)
        default: return failed(.unusable, nil, detail)
        }
    }
}
