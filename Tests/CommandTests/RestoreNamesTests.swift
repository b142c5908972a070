// The names under which files are written before they are whole: nobody's file is taken for one, and none stays.

import TestSupport
import Testing

@Suite struct RestoreNamesTests {
    /// What the name of a file under way once was, whoever had it: a hash that anybody can compute.
    private let oldName = """
        python3 -c "
        h = 0xcbf29ce484222325
        for b in b'deploy.sh': h = (h ^ b) * 0x100000001b3 % 2**64
        print('.holdfast-partial-%x' % h)"
        """

    @Test("A user's file that has the name of a file under way is neither removed nor restored in its place")
    func plantedNames() {
        let place = Workplace()
        place.shell("mkdir -m 1777 tree; echo honest > tree/deploy.sh")
        #expect(place.holdfast("backup tree --to store").status == 0)
        let planted = place.shell(
            """
            mkdir -m 1777 target; echo older > target/deploy.sh; cd target
            for name in $(\(oldName)) .holdfast-partial-0 .holdfast-partial-$(printf '%048d' 7); do
              echo mine > $name; chown nobody $name
            done
            """)
        #expect(planted.status == 0, "\(planted)")
        let restored = place.holdfast("restore latest --from store --to target")
        #expect(restored.status == 0, "\(restored)")
        let found = place.shell("cat target/deploy.sh; cat target/.holdfast-partial-* | sort | uniq -c | tr -d ' '")
        #expect(found.output == "honest\n3mine\n", "\(found)")
    }

    @Test("A restore that is killed as a file gets its name leaves whole files, and the next one leaves nothing else")
    func killed() {
        let place = Workplace()
        place.shell(
            """
            mkdir -p tree/a old/a; for i in 1 2 3 4; do echo new $i > tree/a/$i; echo old $i > old/a/$i; done
            head -c 3000000 /dev/urandom > tree/large; echo small > old/large; ln -s large tree/link
            """)
        place.holdfast("backup tree --to store")
        for start in ["rm -rf target", "rm -rf target; cp -a old target"] {
            let places = forEachPlace(of: ["linkat", "renameat", "fchown", "unlinkat"], step: 3) { call, number in
                let killed = place.shell(
                    """
                    \(start); strace -f -o trace -e trace=\(call) -e inject=\(call):signal=KILL:when=\(number) \
                    holdfast restore latest --from store --to target --quiet
                    """)
                if killed.status == 0 { return true }
                let whole = place.shell(
                    """
                    cd target || exit 0
                    for file in $(find . -type f -not -name '.holdfast-partial-*'); do
                      cmp -s $file ../tree/$file || cmp -s $file ../old/$file || echo $file is not whole
                    done
                    """)
                #expect(whole.output == "", "\(call) \(number): \(whole)")
                let next = place.shell(
                    "holdfast restore latest --from store --to target && diff -r --no-dereference tree target")
                #expect(next.status == 0, "\(call) \(number): \(next)")
                return false
            }
            #expect(places > 0)
        }
    }
}
