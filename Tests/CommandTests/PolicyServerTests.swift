// `holdfast policy check` and `report` where the stores are on servers: over SFTP, and in a bucket.

import Platform
import TestSupport
import Testing

private let server = "/usr/lib/openssh/sftp-server"

@Suite(.enabled(if: exists(BytePath(server)))) struct PolicyServerTests {
    /// A store over SFTP, of which the server runs in the place of ssh, and its copy in a bucket.
    private func plant(_ rules: String) throws -> OffsitePlace {
        let place = try OffsitePlace()
        place.shell(
            """
            cd \(place.place.path); printf '#!/bin/sh\\nexec \(server)\\n' >ssh; chmod +x ssh; mkdir remote
            cat >>config.toml <<T
            site = "bank"
            offsite = true
            [stores.nas]
            url = "sftp://server\(place.place.path)/remote/line"
            ssh = ["\(place.place.path)/ssh"]
            create = true
            site = "plant"
            [policy.line]
            copies = 2
            sites = 2
            offsite = true
            age = "26h"
            recipients = 1
            \(rules)
            T
            holdfast store init nas --series press-01 --quiet && holdfast backup tree --to nas --series press-01/plc --quiet &&
            holdfast copy --from nas --to off --yes --quiet
            """)
        return place
    }

    /// `verdict: rule of subject: found` of each line.
    private func lines(_ place: OffsitePlace) -> [String] {
        place.shell(
            "cd \(place.place.path); holdfast policy check --json 2>/dev/null | python3 -c 'import json, sys; [print(l[\"verdict\"] + \":\", l[\"rule\"], \"of\", l[\"subject\"] + \":\", l[\"found\"]) for l in json.load(sys.stdin)[\"lines\"]]'"
        ).output.split(separator: "\n").map(String.init)
    }

    @Test(
        "A plant whose stores are on servers keeps its policy, media and all: what a server does not have is told as that"
    )
    func right() throws {
        let place = try plant(
            #"media = { kinds = ["sftp", "s3"], file_systems = ["ext4"], capacity = "1MB", age = "3y", custody = true }"#
        )
        let outcome = place.shell("cd \(place.place.path); holdfast policy check")
        #expect(outcome.status == 0, "\(outcome)")
        let media = lines(place).filter { $0.contains(": media of ") }
        #expect(media.count == 4 && media.allSatisfy { $0.hasPrefix("holds: ") }, "\(media)")
        #expect(
            media.contains { $0.contains(/media of nas: kind sftp, \d+ bytes, file system not applicable/) }, "\(media)"
        )
        #expect(
            media.contains("holds: media of off: kind s3, file system and capacity not applicable to such a server"),
            "\(media)")
        #expect(media.contains { $0.contains("media of off: not applicable: kind s3 is a server") }, "\(media)")
        let report = place.shell(
            "cd \(place.place.path); holdfast report --output plant.html; cat plant.html")
        #expect(report.status == 0 && report.output.contains("<b>press-01/plc</b>"), "\(report)")
        #expect(report.output.contains("in 2 stores"), "\(report)")
    }

    @Test("A server's medium that is too small fails; one that does not tell could not be looked at")
    func wrong() throws {
        let place = try plant(#"media = { capacity = "8000000TB" }"#)
        #expect(place.shell("cd \(place.place.path); holdfast policy check").status == 3)
        #expect(lines(place).contains { $0.contains(/^fails: media of nas: \d+ bytes$/) }, "\(lines(place))")
        place.shell("cd \(place.place.path); sed -i 's/sftp-server/& -P statvfs/' ssh")
        #expect(place.shell("cd \(place.place.path); holdfast policy check").status == 1)
        let silent = lines(place)
        #expect(
            silent.contains("could not be looked at: media of nas: kind sftp; its capacity could not be measured"),
            "\(silent)")
        #expect(!silent.contains { $0.hasPrefix("fails") }, "\(silent)")
    }
}
