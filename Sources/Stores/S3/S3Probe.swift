// What an object store keeps to, tried on one small object.

internal import Platform

extension S3Store: ProbedStore {
    public func promises(_ name: String) throws(StoreError) -> StorePromises {
        let creation = try probeCreation(name)
        var result = StorePromises(creation: creation, canRemove: false)
        if let found = try setting("versioning", { $0.path.last == "Status" ? $0.text == "Enabled" : nil }) {
            result.keepsVersions = found ?? false
        }
        let lock = try setting("object-lock") { leaf in
            switch leaf.path.last {
            case "Days": return Int(leaf.text)
            case "Years": return Int(leaf.text).flatMap { $0 < 1000 ? $0 * 365 : nil }
            default: return nil
            }
        }
        result.lockDays = lock ?? nil
        let first = try put(name, "overwriting", isConditional: false)
        result.canBeOverwritten = (200...299).contains(first.status)
        if result.lockDays != nil, let version = first.headers["x-amz-version-id"] {
            var request = try request("remove", "DELETE", name)
            request.query = [("versionId", version)]
            result.lockHolds = try !(200...299).contains(client.send(request).status)
        }
        result.checksDates = try probeDates(name)
        result.canRemove = try removeIfAllowed(name)
        result.clockOffset = client.storeTime.map { $0 &- Timestamp.now().seconds }
        return result
    }

    private func put(_ name: String, _ text: String, isConditional: Bool) throws(StoreError) -> HTTPAnswer {
        var request = try request("create", "PUT", name)
        request.body = Array("\(text)\n".utf8)
        if isConditional { request.headers = [("if-none-match", "*")] }
        return try client.send(request)
    }

    private func probeCreation(_ name: String) throws(StoreError) -> StorePromises.Creation {
        // The first may find what an earlier probe left.
        for text in ["first", "second"] {
            let answer = try put(name, text, isConditional: true)
            if answer.status == 412 { return .enforced }
            if S3Failure(answer).isWithoutConditions { return .refused }
            guard (200...299).contains(answer.status) else {
                throw client.failure(answer, try request("create", "PUT", name))
            }
        }
        return .ignored
    }

    /// A setting of the bucket. nil where this key may not ask, and nil within where it is not set.
    func setting<Value>(
        _ name: String, _ read: (S3Text.Leaf) -> Value?
    ) throws(StoreError) -> Value?? {
        let request = S3Request(verb: "look at", subject: subject, method: "GET", query: [(name: name, value: "")])
        let answer = try client.send(request)
        switch answer.status {
        case 200:
            var found: Value?
            // What cannot be understood says nothing.
            try? S3Text.read(answer.body) { found = found ?? read($0) }
            return .some(found)
        case 404: return .some(nil)
        default: return nil
        }
    }

    /// Whether a request that was signed twenty minutes ago is refused, as it should be.
    private func probeDates(_ name: String) throws(StoreError) -> Bool {
        let request = try request("open", "GET", name)
        let now = client.storeTime ?? Timestamp.now().seconds
        let answer = try client.send(client.sign(request, at: now - 20 * 60))
        return answer.status == 403 && S3Failure(answer).code == "RequestTimeTooSkewed"
    }

    public func policy(
        creating: [String], reading: [String], listing: [String], hiding: [String]
    ) -> StorePolicy {
        let resource = "arn:aws:s3:::\(location.bucket)"
        func names(_ paths: [String]) -> String {
            paths.map { "\"\(resource)/\(location.key($0))\($0.hasSuffix("/") ? "*" : "")\"" }.joined(
                separator: ",\n        ")
        }
        let isAmazon = location.endpoint.map { $0.host.hasSuffix(".amazonaws.com") } ?? true
        let condition = isAmazon ? ",\n      \"Condition\": {\"Null\": {\"s3:if-none-match\": \"false\"}}" : ""
        let prefixes = listing.map { "\"\(location.key($0))*\"" }.joined(separator: ",\n        ")
        let text = """
            {
              "Version": "2012-10-17",
              "Statement": [
                {
                  "Effect": "Allow", "Action": "s3:ListBucket",
                  "Resource": "\(resource)",
                  "Condition": {"StringLike": {"s3:prefix": [
                    \(prefixes)
                  ]}}
                },
                {
                  "Effect": "Allow", "Action": "s3:GetObject",
                  "Resource": [
                    \(names(reading))
                  ]
                },
                {
                  "Effect": "Allow", "Action": "s3:PutObject",
                  "Resource": [
                    \(names(creating))
                  ]\(condition)
                },
                {
                  "Effect": "Deny", "Action": ["s3:GetObject", "s3:GetObjectVersion"],
                  "Resource": [
                    \(names(hiding))
                  ]
                },
                {
                  "Effect": "Deny",
                  "Action": ["s3:DeleteObject", "s3:DeleteObjectVersion", "s3:PutObjectRetention",
                    "s3:BypassGovernanceRetention"],
                  "Resource": "\(resource)/*"
                }
              ]
            }

            """
        var remarks = [
            "It allows no removing, no reading of volumes, and no writing under another machine's name. Where it becomes the bucket's policy, name the machine's user as Principal; a bucket has one policy, with the statements of all its machines.",
            "Who restores or copies needs more, with a key of their own: s3:ListBucket and s3:GetObject on all of it, for --at also s3:ListBucketVersions and s3:GetObjectVersion; who changes keys also s3:PutObject and s3:DeleteObject.",
        ]
        if !isAmazon {
            remarks.append(
                "A server that is not Amazon's cannot demand the condition under which objects are created: who has this key can write over what the machine wrote itself. Keep versions in the bucket, with a lock: `--at` reads what was there before."
            )
        }
        return StorePolicy(text: text, remarks: remarks)
    }
}
