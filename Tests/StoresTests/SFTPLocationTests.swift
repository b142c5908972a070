// Addresses of SFTP stores: what they mean, and what none can be.

import Stores
import Testing

@Suite("Addresses of SFTP servers") struct SFTPLocationTests {
    @Test(
        "Each part is taken for what it is",
        arguments: [
            ("sftp://host/srv/store", nil, "host", nil, "/srv/store"),
            ("sftp://me@host:2222/srv/store/", "me", "host", 2222, "/srv/store"),
            ("SFTP://me@host//srv//store", "me", "host", nil, "/srv/store"),
            ("sftp://host/~/store/of%20mine", nil, "host", nil, "store/of mine"),
            ("sftp://host/~other/store", nil, "host", nil, "/~other/store"),
            ("sftp://[2001:db8::1]:22/s", nil, "2001:db8::1", 22, "/s"),
            ("sftp://[fe80::1%25eth0]/s", nil, "fe80::1%eth0", nil, "/s"),
            ("sftp://dom%2Buser@my-host.example/a%3Fb", "dom+user", "my-host.example", nil, "/a?b"),
            ("sftp://a.b@host/s", "a.b", "host", nil, "/s"),
        ] as [(String, String?, String, UInt16?, String)])
    func parts(url: String, user: String?, host: String, port: UInt16?, path: String) throws {
        let location = try SFTPLocation(Array(url.utf8))
        #expect(location.user == user)
        #expect(location.host == host)
        #expect(location.port == port)
        #expect(location.path == Array(path.utf8))
        // What is shown of it means the same.
        let again = try SFTPLocation(Array(location.description.replacing("%eth0", with: "%25eth0").utf8))
        #expect(again == location)
    }

    @Test("Bytes that are no text are a path as well")
    func otherBytes() throws {
        let location = try SFTPLocation(bytes("sftp://host/%ff%2f/x"))
        #expect(location.path == [0x2f, 0xff, 0x2f, 0x78])
        #expect(location.description == "sftp://host/%FF/x")
    }

    @Test(
        "What is none is refused with what mends it, and never repeated in the message where it may hold a secret",
        arguments: [
            "", "host:/path", "ssh://host/path", "sftp:/host/path", "sftp://", "sftp:///path", "sftp://host",
            "sftp://host/", "sftp://host/~", "sftp://host/~/", "sftp://@host/s", "sftp://me:secret@host/s",
            "sftp://me%3Asecret:secret@host/s", "sftp://-oProxyCommand=touch@host/s", "sftp://-oProxyCommand=x/s",
            "sftp://me@-host/s", "sftp://ho$(x)st/s", "sftp://`x`@host/s", "sftp://a b/s", "sftp://a%0ab/s",
            "sftp://host:0/s", "sftp://host:65536/s", "sftp://host:x/s", "sftp://host:/s", "sftp://host:-1/s",
            "sftp://2001:db8::1/s", "sftp://[2001:db8::1/s", "sftp://[2001:db8::1]x/s", "sftp://[host;x]/s",
            "sftp://host/a/../b", "sftp://host/./a", "sftp://host/a%2f..%2fb", "sftp://host/%00", "sftp://host/%zz",
            "sftp://host/%f", "sftp://host/a?x=1", "sftp://host/a#x", "secret@sftp://host/s",
        ])
    func none(url: String) {
        #expect {
            try SFTPLocation(Array(url.utf8))
        } throws: { error in
            guard let error = error as? LocationError else { return false }
            return error.exitStatus == 2 && error.mend != nil && !"\(error) \(error.mend ?? "")".contains("secret")
        }
    }
}
