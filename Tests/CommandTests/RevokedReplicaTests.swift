// A replica that has images of its own, of a writer that was revoked in the store.

import Platform
import TestSupport
import Testing

@Suite struct RevokedReplicaTests {
    @Test(
        "A copy that would bring a revocation for which images of the replica count no more is refused, with the way out"
    )
    func refused() {
        let place = Workplace()
        place.shell(
            """
            mkdir tree; echo 1 > tree/file; holdfast store init store --quiet; holdfast backup tree --to store --quiet
            holdfast copy --from store --to replica --quiet; echo 2 > tree/file; holdfast backup tree --to replica --quiet
            """)
        let id = place.shell("holdfast images --from replica | awk 'NR == 3 { print $1 }'").output.dropLast()
        let asked = place.shell("setsid -w holdfast store revoke $(hostname) --from store")
        #expect(
            asked.status == 4 && asked.output.contains("in other copies of the store alone will not count"), "\(asked)")
        #expect(place.shell("holdfast store revoke $(hostname) --from store --yes --quiet").status == 0)
        let before = place.shell("find replica -type f | sort | xargs sha256sum").output
        let refused = place.shell("holdfast copy --from store --to replica")
        #expect(refused.status == 4, "\(refused)")
        #expect(refused.output.contains("image \(id) is in replica alone"), "\(refused)")
        #expect(
            refused.output.contains("`holdfast copy \(id) --from replica --output FILE` saves it first"), "\(refused)")
        #expect(place.shell("find replica -type f | sort | xargs sha256sum").output == before)
        // The way out.
        let saved = place.shell("holdfast copy \(id) --from replica --output saved.hf --quiet")
        // The replica is behind, which is said.
        #expect(saved.status == 3 && saved.output.contains("a copy that is behind"), "\(saved)")
        let all = place.shell("holdfast copy --from store --to replica --yes")
        #expect(all.status == 0 && all.output.contains("image \(id): it counts no more in replica"), "\(all)")
        #expect(
            place.shell("holdfast restore --input saved.hf --to out --quiet 2>/dev/null; cat out/file").output == "2\n")
        // What has been brought is asked of nobody again.
        let again = place.shell("holdfast copy --from store --to replica --quiet")
        #expect(again.status == 0, "\(again)")
    }

    @Test("A revocation that costs the replica nothing is brought without a question")
    func nothingLost() {
        let place = Workplace()
        place.shell(
            """
            mkdir tree; echo 1 > tree/file; holdfast store init store --quiet; holdfast backup tree --to store --quiet
            holdfast copy --from store --to replica --quiet; holdfast backup tree --to store --quiet
            holdfast store revoke $(hostname) --from store --yes --quiet
            """)
        let outcome = place.shell("holdfast copy --from store --to replica --quiet; holdfast verify --from replica")
        #expect(outcome.status == 0 && outcome.output.contains("2 images"), "\(outcome)")
    }
}
