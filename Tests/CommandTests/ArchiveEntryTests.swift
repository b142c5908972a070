// What an image cannot hold of an archive costs that alone: it is named, and the rest is there.

import TestSupport
import Testing

@Suite struct ArchiveEntryTests {
    private static let maker = "python3 \(packageFolder)/Tests/Tools/make-archive.py"
    private let place = Workplace()

    init() { place.shell("holdfast store init store --quiet") }

    /// Imports what the maker makes, and restores it: that goes without a finding.
    private func imported(_ example: String) -> (outcome: Outcome, found: String) {
        let outcome = place.shell("\(Self.maker) \(example) good | holdfast import --name x --to store")
        let restored = place.holdfast("restore x --from store --to x")
        #expect(restored.status == 0, "\(restored)")
        #expect(place.shell("cat x/good").output == "good")
        return (outcome, place.shell("cd x; find . -mindepth 1 ! -name good -printf '%P %m %n %T@\\n' | sort").output)
    }

    @Test(
        "An entry that an image cannot hold is left out and named, and the rest of the archive is there",
        arguments: [
            ("outside", "b/../../c: it is left out, since it leads out of the archive"),
            ("long-name", "it is left out, since it has a name of more than 255 bytes"),
            ("no-name", "one of the entries: it is left out, since it has no name"),
            ("below-a-file", "a/b: it is left out, since it is below a, which is no folder"),
            ("below-a-link", "a/b: it is left out, since it is below a, which is no folder"),
            ("folder-and-file", "a: it is left out, since it comes as a folder and as something else"),
            (
                "link-to-nothing",
                "a: it is left out, since it is a hard link to nothing, which is no file that came before"
            ),
            ("late-link", "a: it is left out, since it is a hard link to b, which is no file that came before"),
            ("link-to-itself", "a: it is left out, since it is a hard link to itself"),
            ("link-then-again", "a: it is left out, since it comes again after a hard link to it"),
            ("owner", "a: it is left out, since it has an owner whose number Linux does not have"),
            ("volume", "a: it is left out, since it is of a kind that an image does not have"),
            ("empty-link", "a: it is left out, since it is a link that leads nowhere"),
            ("long-link", "a: it is left out, since it is a link that is longer than a path can be"),
            ("deep", "it is left out, since it is deeper than a restore goes"),
            ("device", "a: it is left out, since it is a device whose number Linux does not have"),
        ])
    func entry(example: String, text: String) {
        let (outcome, _) = imported(example)
        #expect(outcome.status == 3 && outcome.output.contains(text), "\(outcome)")
        #expect(outcome.output.contains("image "), "\(outcome)")
        #expect(place.holdfast("verify --from store --read-data").status == 0)
    }

    @Test(
        "What alone of an entry cannot be held is left out and named; the entry is there",
        arguments: [
            (
                "old", "a: its time before 1970 is taken without the fraction, which libarchive misreads",
                "a 644 1 -1.0000000000\n"
            ),
            ("two-values", "a: its attribute user.x is left out: it has two values", "a 644 1 1600000000.0000000000\n"),
            ("no-space", "a: its attribute nonsense is left out: Linux has no attributes of such a name", nil),
            (
                "link-attribute",
                "a: its attribute user.x is left out: Linux has attributes of users on files and folders",
                "a 777 1 1600000000.0000000000\n"
            ),
            (
                "pipe-attribute",
                "a: its attribute user.x is left out: Linux has attributes of users on files and folders", nil
            ),
            ("long-attribute", "a: its attribute user.x is left out: it is longer than any file system takes", nil),
            (
                "no-list",
                "its attribute system.posix_acl_access is left out: it is one that no file system would take", nil
            ),
            ("unknown-name", "list is left out: it names the user nobody-of-that-name, who is not known here", nil),
            // The mask narrows what the group gets.
            (
                "great-number", "a: its access control list is left out: it has a number of 2147483647 or more, which",
                "a 640 1 1600000000.0000000000\n"
            ),
        ])
    func part(example: String, text: String, found: String?) {
        let (outcome, entries) = imported(example)
        #expect(outcome.status == 3 && outcome.output.contains(text), "\(outcome)")
        if let found { #expect(entries == found) } else { #expect(entries.hasPrefix("a ")) }
        #expect(!place.shell("getfattr -h -d -m - x/a").output.contains("user."))
    }

    @Test("What is in a folder that is left out is there, and root alone gets at it")
    func folder() {
        let (outcome, entries) = imported("folder")
        #expect(outcome.status == 3 && outcome.output.contains("d/: it is left out"), "\(outcome)")
        #expect(entries.contains("d 700 ") && entries.contains("d/a 644 "), "\(entries)")
    }

    @Test(
        "An export has each attribute by its name, or names those that an archive cannot have; lists keep great numbers"
    )
    func export() {
        place.shell(
            """
            mkdir -p tree/d; cd tree; echo 1 > a; echo 2 > b; touch -d 2020-01-01 a b
            python3 -c "import os
            for name in [b'plain', b'a%41', b'a=b', b'a b', b'\\xff', b'\\xc3\\xa9']: os.setxattr('a', b'user.' + name, name)"
            setfacl -m u:3000000000:rwx,g::r b; setfacl -d -m g:4000000000:r d
            """)
        #expect(place.holdfast("backup tree --to store --quiet").status == 0)
        let exported = place.shell("holdfast export tree --from store > tree.tar")
        #expect(exported.status == 3, "\(exported)")
        for name in ["user.a%41", "user.a=b", "user.a b", "user.\\xff", "user.é"] {
            #expect(exported.output.contains("an archive cannot have its attribute \(name)"), "\(name): \(exported)")
        }
        #expect(place.shell("holdfast import --name back --to store < tree.tar").status == 0)
        #expect(place.holdfast("restore back --from store --to back").status == 0)
        #expect(place.shell("getfattr -d -m user back/a").output.contains("user.plain=\"plain\""))
        #expect(!place.shell("getfattr -d -m user back/a").output.contains("%"))
        let lists = place.shell("cd tree; getfacl -n b d; cd ../back; getfacl -n b d").output
        #expect(lists.contains("user:3000000000:rwx") && lists.contains("default:group:4000000000:r--"), "\(lists)")
        let half = lists.count / 2
        #expect(lists.prefix(half) == lists.suffix(half), "\(lists)")
    }

    @Test("Attributes that bsdtar wrote twice, the second time in an encoding, come in once")
    func twice() {
        let (outcome, _) = imported("encoded")
        #expect(outcome.status == 0, "\(outcome)")
        #expect(place.shell("getfattr -d -m user x/a").output == "# file: x/a\nuser.a b=\"1\"\nuser.a%20c=\"2\"\n\n")
    }
}
