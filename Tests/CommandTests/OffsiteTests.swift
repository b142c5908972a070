// Object stores as people use them: what works, what is refused, in which words, and that no secret gets out.

import Glibc
import TestSupport
import Testing

/// A bucket on a server of our own, and a workplace whose configuration calls a store in it `off`.
final class OffsitePlace: Sendable {
    let place = Workplace()
    let server: TestServer

    /// - Parameters:
    ///   - options: of Tests/Servers/refusing.
    ///   - bucket: the bucket's name; nil: the one that is there.
    ///   - secret: nil: the right one.
    ///   - settings: more lines of the store's table.
    init(
        _ options: String = "--enforce-condition", bucket: String? = nil, secret: String? = nil, settings: String = ""
    ) throws {
        server = try TestServer("refusing", options)
        let ca = server.values["CA"].map { "ca = \"\($0)\"" } ?? ""
        let token = server.values["SESSION_TOKEN"].map { "aws_session_token = \($0)\n" } ?? ""
        place.shell(
            """
            mkdir -p tree
            cat > config.toml <<X
            [stores.off]
            url = "s3://\(bucket ?? server["BUCKET"])/line?endpoint=\(server["ENDPOINT"])&region=\(server["REGION"])"
            credentials = "\(place.path)/key"
            create = true
            \(settings.contains("ca =") ? "" : ca)
            \(settings)
            X
            (umask 77; printf 'aws_access_key_id = %s\\naws_secret_access_key = %s\\n\(token)' \
            \(server["ACCESS_KEY"]) \(secret ?? server["SECRET_KEY"]) > key)
            head -c 3000000 /dev/urandom > tree/random; seq 300000 > tree/text; mkdir tree/sub; ln -s ../text tree/sub/link
            holdfast key generate --quiet
            """)
    }

    /// A store in which an image of `tree` is.
    static func withImage(_ options: String = "--enforce-condition") throws -> OffsitePlace {
        let place = try OffsitePlace(options)
        for step in ["store init off --quiet", "backup tree --to off --quiet"] {
            let outcome = place.holdfast(step)
            try #require(outcome.status == 0, "\(step): \(outcome)")
        }
        return place
    }

    /// What a shell needs to ask the server as its administrator: `$admin list`.
    var environment: String {
        let values = ["ENDPOINT", "REGION", "BUCKET", "ACCESS_KEY", "SECRET_KEY"].map { "\($0)=\(server[$0])" }
        return "export \(values.joined(separator: " ")); admin='/usr/bin/python3 \(builtScripts)/Servers/s3admin'"
    }

    @discardableResult
    func shell(_ command: String) -> Outcome {
        place.shell("export HOLDFAST_CONFIG=\(place.path)/config.toml; \(command)")
    }

    @discardableResult
    func holdfast(_ arguments: String) -> Outcome { shell("holdfast \(arguments)") }

    /// The requests since the last call, `GET 200` each.
    func requests() -> [String] {
        let log = server["REQUESTS"]
        let lines = place.shell("cat '\(log)' && : > '\(log)'").output.split(separator: "\n")
        return lines.map { line in
            let words = line.split(separator: " ")
            return words.count > 2 ? "\(words[0]) \(words[2])" : String(line)
        }
    }
}

@Suite("Object stores") struct OffsiteTests {
    @Test(
        "Serve as folders do, whatever their server makes of conditions",
        arguments: [
            "--enforce-condition", "", "--ignore-condition", "--enforce-condition --page 3",
            "--tls --enforce-condition",
            "--session --enforce-condition", "--versions --ignore-condition",
        ])
    func whole(options: String) throws {
        let place = try OffsitePlace(options)
        let steps = [
            "store init off", "backup tree --to off", "backup tree --to off", "images --from off",
            "verify --from off --read-data",
            "store check off", "store info off", "restore latest --from off --to out", "copy --from off --to replica",
            "verify --from replica --read-data", "export latest --from off > tree.tar", "key list --from off",
        ]
        for step in steps {
            let outcome = place.holdfast(step)
            #expect(outcome.status == 0, "\(step): \(outcome)")
        }
        #expect(
            place.shell("diff -r --no-dereference tree out && tar -xf tree.tar -C home && echo same").output == "same\n"
        )
        #expect(place.shell("holdfast import --name tree2 --to off < tree.tar").status == 0)
        // A copy is the same store, and goes back as one.
        let back = place.shell(
            """
            holdfast copy --from off --to replica --quiet && holdfast backup tree --to replica --quiet &&
            holdfast copy --from replica --to off --quiet &&
            holdfast images --from off --json
            """)
        #expect(back.status == 0 && back.output.contains("tree2"), "\(back)")
    }

    @Test("A backup of what has not changed takes at most thirteen requests, and a list four")
    func requestCounts() throws {
        let place = try OffsitePlace.withImage()
        for _ in 0..<3 {
            _ = place.requests()
            #expect(place.holdfast("backup tree --to off --quiet").status == 0)
            let backup = place.requests()
            #expect(backup.count <= 13 && backup.count { $0.hasPrefix("PUT") } <= 6, "\(backup)")
            #expect(place.holdfast("images --from off --quiet").status == 0)
            let list = place.requests()
            #expect(list.count <= 4, "\(list)")
        }
    }

    @Test(
        "What an attacker has hidden behind delete markers is there at an earlier time, on however many pages it is told",
        arguments: ["", " --page 3"])
    func earlierTime(pages: String) throws {
        let place = try OffsitePlace.withImage("--versions --ignore-condition\(pages)")
        let time = place.shell("sleep 2; date -u +%FT%TZ; sleep 2").output.dropLast()
        // Written over and removed, each by who has the key.
        let hidden = place.shell(
            """
            \(place.environment)
            echo gone > gone
            for name in $($admin list line/ | cut -d' ' -f1); do
                $admin put $name gone && $admin delete $name || exit 1
            done
            $admin list line/
            """)
        #expect(hidden.status == 0 && !hidden.output.contains("line/i/"), "\(hidden)")
        #expect(place.holdfast("images --from off").status != 0)
        let images = place.holdfast("images --from off --at \(time)")
        #expect(images.status == 0 && images.output.contains("tree"), "\(images)")
        let restored = place.holdfast("restore latest --from off --at \(time) --to out")
        #expect(restored.status == 0, "\(restored)")
        #expect(place.shell("diff -r --no-dereference tree out && echo same").output == "same\n")
        #expect(place.holdfast("copy --from off --at \(time) --to saved").status == 0)
        #expect(place.holdfast("verify --from saved --read-data").status == 0)
        // Of a folder nobody knows what it was.
        #expect(place.holdfast("images --from saved --at \(time)").status == 2)
    }

    @Test("Another store in the place of the one that was used is refused to who reads, too")
    func swapped() throws {
        let place = try OffsitePlace.withImage("--enforce-condition")
        // Made by somebody for the victim's public key, and put where the victim's was.
        let swapped = place.shell(
            """
            \(place.environment)
            mkdir other false; echo false > false/file
            HOME=$PWD/other XDG_CONFIG_HOME=$PWD/other XDG_STATE_HOME=$PWD/other XDG_CACHE_HOME=$PWD/other bash -c '
                holdfast store init forged --recipient "'$(grep -o "age1[0-9a-z]*" home/config/holdfast/identity.txt)'" --quiet &&
                holdfast backup false --to forged --quiet'
            for name in $($admin list line/ | cut -d' ' -f1); do $admin delete "$name"; done
            cd forged; find . -type f | cut -c3- | while read -r name; do $admin put "line/$name" "$name"; done
            """)
        #expect(swapped.status == 0, "\(swapped)")
        for step in [
            "images --from off", "verify --from off --read-data", "restore latest --from off --to out",
            "copy --from off --to replica", "backup tree --to off", "export latest --from off",
        ] {
            let outcome = place.holdfast(step)
            #expect(outcome.status == 4, "\(step): \(outcome)")
        }
        #expect(place.shell("ls out replica").status != 0)
    }

    @Test("What another tool has mirrored from a bucket the independent reader restores")
    func mirrored() throws {
        let place = try OffsitePlace.withImage()
        let restored = place.shell(
            """
            \(place.environment)
            $admin list line/ | cut -d' ' -f1 | while read -r name; do
                mkdir -p "mirror/$(dirname "${name#line/}")"; $admin get "$name" > "mirror/${name#line/}" || exit 1
            done
            /usr/bin/python3 -B \(builtScripts)/Reader/holdfast_reader.py restore mirror latest \
                --identity home/config/holdfast/identity.txt --to out
            """)
        #expect(restored.status == 0, "\(restored)")
        #expect(place.shell("diff -r --no-dereference tree out && echo same").output == "same\n")
    }

    struct Refusal: Sendable, CustomTestStringConvertible {
        var testDescription: String
        var options = "--enforce-condition"
        var bucket: String?
        var secret: String?
        var settings = ""
        /// A shell's, before the command.
        var before = ":"
        var status: Int32
        var words: String
        var mend: String
    }

    static let refusals = [
        Refusal(
            testDescription: "wrong secret", secret: "abcdefghijklmnopqrstuvwxyz0123456789ABCD", status: 4,
            words: "SignatureDoesNotMatch", mend: "credentials"),
        Refusal(
            testDescription: "no bucket", bucket: "nowhere", status: 1, words: "there is no bucket nowhere",
            mend: "make the bucket"),
        Refusal(
            testDescription: "read-only server", options: "--read-only", status: 4, words: "AccessDenied",
            mend: "store policy"),
        Refusal(
            testDescription: "quota", options: "--enforce-condition --quota 20000", status: 1, words: "takes no more",
            mend: "raise the quota"),
        Refusal(
            testDescription: "authority that nobody knows", options: "--tls --enforce-condition",
            settings: "ca = \"/etc/ssl/certs/ca-certificates.crt\"", status: 4, words: "not proven", mend: "ca = "),
        Refusal(
            testDescription: "no server", settings: "proxy = \"http://127.0.0.1:9\"", status: 1, words: "127.0.0.1",
            mend: "network"),
        Refusal(
            testDescription: "key that others can read", before: "chmod 644 key", status: 4, words: "others can read",
            mend: "chmod 600"),
        Refusal(testDescription: "no key", before: "rm key", status: 4, words: "key", mend: "mode 600"),
        Refusal(
            testDescription: "half a key", before: "sed -i /secret/d key", status: 4, words: "aws_secret_access_key",
            mend: "mode 600"),
    ]

    @Test("What cannot work is told in one sentence with its mend, and no secret gets out", arguments: refusals)
    func refused(refusal: Refusal) throws {
        let place = try OffsitePlace(
            refusal.options, bucket: refusal.bucket, secret: refusal.secret, settings: refusal.settings)
        let outcome = place.shell(
            "\(refusal.before); timeout 60 holdfast store init off --verbose && timeout 60 holdfast backup tree --to off --verbose"
        )
        #expect(outcome.status == refusal.status, "\(outcome)")
        #expect(outcome.output.contains(refusal.words) && outcome.output.contains("hint: "), "\(outcome)")
        #expect(outcome.output.contains(refusal.mend), "\(outcome)")
        #expect(outcome.output.count { $0 == "\n" } <= 12, "\(outcome)")
        let secret = refusal.secret ?? place.server["SECRET_KEY"]
        #expect(!outcome.output.contains(secret))
        #expect(place.shell("grep -rlF '\(secret)' home tree; :").output == "")
    }

    @Test(
        "A clock that is a year off spoils neither a backup nor its restore", arguments: [31_536_000, -31_536_000, 0])
    func wrongClock(skew: Int) throws {
        let place = try OffsitePlace("--enforce-condition --skew \(skew)")
        for step in [
            "store init off", "backup tree --to off", "backup tree --to off", "images --from off",
            "restore latest --from off --to out", "store check off",
        ] {
            let outcome = place.holdfast(step)
            #expect(outcome.status == 0, "\(step): \(outcome)")
            if step == "store check off", skew != 0 {
                #expect(outcome.output.contains("31536000 s") || outcome.output.contains("3153599"), "\(outcome)")
            }
        }
        #expect(place.shell("diff -r --no-dereference tree out && echo same").output == "same\n")
    }

    @Test("A cache whose files are FIFOs, devices or longer than any file of it costs time alone")
    func oddCache() throws {
        let place = try OffsitePlace.withImage()
        for odd in ["mkfifo $file", "ln -s /dev/zero $file", "truncate -s 20G $file", ": > $file"] {
            let outcome = place.shell(
                """
                set -e
                holdfast images --from off --quiet > images
                find home/cache/holdfast -type f > files; [ $(wc -l < files) -ge 4 ]
                while read -r file; do rm $file; \(odd); done < files
                for step in 'images --from off' 'backup tree --to off' 'verify --from off' 'restore latest --from off --to out'; do
                    timeout 30 holdfast $step --quiet > said 2>&1 || { echo "$step: $?"; cat said; }
                done
                diff -r --no-dereference tree out
                """)
            #expect(outcome.status == 0 && outcome.output == "", "\(odd): \(outcome)")
        }
    }

    @Test("A hint that repeats a URL has all of it, and a shell reads it as one word")
    func urlInHint() throws {
        let place = try OffsitePlace("--tls --enforce-condition")
        let url =
            "s3://\(place.server["BUCKET"])/none?endpoint=\(place.server["ENDPOINT"])&region=\(place.server["REGION"])&ca=\(place.server["CA"])"
        let outcome = place.shell(
            """
            export AWS_SHARED_CREDENTIALS_FILE=key; sed -i '1i[default]' key
            holdfast backup tree --to '\(url)'
            """)
        #expect(outcome.status == 4 && outcome.output.contains("holdfast store init '\(url)'`"), "\(outcome)")
        // Typed as it stands there, it works.
        let made = place.shell(
            """
            export AWS_SHARED_CREDENTIALS_FILE=key
            holdfast store init '\(url)' --quiet && holdfast backup tree --to '\(url)' --quiet
            holdfast images --from '\(url)' --json | grep -c '"image"'; holdfast restore --from '\(url)' --to out
            """)
        #expect(made.output.contains("holdfast images --from '\(url)'` lists them"), "\(made)")
    }

    @Test("A secret has no place in a URL, and what is written there is not repeated")
    func secretInURL() {
        let place = Workplace()
        for url in [
            "s3://AKIA:topsecret@plant/x", "s3://plant/x?secret=topsecret",
            "s3://plant/x?endpoint=https://u:topsecret@host",
        ] {
            let outcome = place.holdfast("images --from '\(url)'")
            #expect(outcome.status == 2 && !outcome.output.contains("topsecret"), "\(outcome)")
        }
    }

    @Test("Another store in its bucket is refused by the fingerprint that the configuration has")
    func otherStore() throws {
        let place = try OffsitePlace(settings: "fingerprint = \"ABCD EFGH IJKL MNOP QRST UVWX YZ23 4567\"")
        let outcome = place.shell(
            "holdfast store init off; holdfast images --from off"
        )
        #expect(outcome.status == 4 && outcome.output.contains("ABCD"), "\(outcome)")
    }
}

/// The folder of the tests' own scripts.
let builtScripts = #filePath.split(separator: "/").dropLast(2).reduce("") { "\($0)/\($1)" }
