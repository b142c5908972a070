// `images --needs`: what is needed to restore a machine, out of its image.

import Platform
import TestSupport
import Testing

@Suite struct NeedsCommandTests {
    private let reader = "/usr/bin/python3 -B \(packageFolder)/Tests/Reader/holdfast_reader.py"

    @Test("An image of / says what is needed beside its files, in 80 columns, in JSON, and in every copy of it")
    func machine() {
        let place = Workplace()
        place.shell("mkdir tree; echo 1 > tree/a")
        let made = place.holdfast("backup / --exclude '/*' --to store --name system --quiet")
        #expect(made.status == 0, "\(made)")
        // Newer, and of no machine.
        place.shell("sleep 1")
        place.holdfast("backup tree --to store --quiet")
        let shown = place.shell("holdfast images --needs --from store 2>/dev/null; echo $?")
        #expect(shown.output.hasPrefix("SYSTEM\n  distribution: ") && shown.output.hasSuffix("\n0\n"), "\(shown)")
        #expect(shown.output.contains("kernel: \(HostFacts.kernelRelease)"), "\(shown)")
        #expect(shown.output.contains("NOT IN THE IMAGE\n") && shown.output.contains("/*: excluded"), "\(shown)")
        #expect(shown.output.split(separator: "\n").allSatisfy { $0.count <= 80 || !$0.dropFirst(8).contains(" ") })
        let json = place.shell("holdfast images --needs system --from store --json | python3 -m json.tool").output
        #expect(json.contains("\"needs\": {") && json.contains("\"notCovered\": ["), "\(json)")
        place.holdfast("copy system --from store --output one.hf")
        let copied = place.holdfast("images --needs --input one.hf 2>/dev/null").output
        #expect(copied.contains(shown.output.dropLast(2)), "\(copied)")
        place.shell("holdfast restore system --from store --to out --quiet")
        for medium in ["store", "one.hf"] {
            let theirs = place.shell(
                "id=$(holdfast images --from store --json | grep -o '\"image\":\"[0-9a-f]*\",\"name\":\"system\"' | cut -d'\"' -f4); \(reader) needs \(medium) $([ \(medium) = store ] && echo $id) --identity \(place.identity)"
            )
            #expect(
                theirs.status == 0 && theirs.output.contains("\"kernel\": \"\(HostFacts.kernelRelease)\""), "\(theirs)")
            #expect(place.shell("\(reader) verify \(medium) --identity \(place.identity)").status == 0)
        }
    }

    @Test("An image of a folder has none, a job's has them, and a second run of it stores nothing new for that")
    func jobs() {
        let place = Workplace()
        place.shell(
            """
            mkdir tree; echo 1 > tree/a
            printf '[stores]\\nlocal = "%s/local"\\n[jobs.plc]\\nsources = ["%s/tree"]\\nto = ["local"]\\n' $PWD $PWD > config.toml
            """)
        place.holdfast("backup tree --to local --quiet")
        let none = place.holdfast("images --needs --from local")
        #expect(none.status == 1 && none.output.contains("does not say what is needed"), "\(none)")
        for _ in 0..<2 { #expect(place.holdfast("schedule run plc --config config.toml").status == 0) }
        let elsewhere = place.shell("unshare -u sh -c 'hostname office; holdfast images --needs --from local'")
        #expect(elsewhere.status == 2 && elsewhere.output.contains("`--host HOST` chooses"), "\(elsewhere)")
        let named = place.holdfast("images --needs latest --from local --series $(hostname)/plc")
        #expect(named.status == 0 && named.output.contains("SYSTEM"), "\(named)")
        let volumes = place.shell("find local/v -type f | wc -l").output
        place.holdfast("schedule run plc --config config.toml")
        #expect(place.shell("find local/v -type f | wc -l").output == volumes)
    }

    @Test("Who names an image without --needs is told, and without an identity nobody sees what a machine needs")
    func refusals() {
        let place = Workplace()
        let named = place.holdfast("images abcd --from store")
        #expect(named.status == 2 && named.output.contains("--needs"), "\(named)")
        place.holdfast("backup / --exclude '/*' --to store --quiet")
        let sealed = place.shell("mv \(place.identity) key.txt; holdfast images --needs --from store")
        #expect(
            sealed.status != 0 && sealed.output.contains("identity") && !sealed.output.contains("kernel"), "\(sealed)")
        let given = place.holdfast("images --needs --from store --identity key.txt")
        #expect(given.status == 0 && given.output.contains("kernel: "), "\(given)")
    }
}
