// A copy of chosen images: what was not chosen is not missing in it.

import Platform
import TestSupport
import Testing

@Suite struct ChosenCopyTests {
    private func place() -> Workplace {
        let place = Workplace()
        place.shell(
            """
            mkdir tree; echo 1 > tree/file; holdfast store init store --quiet
            for name in one two; do holdfast backup tree --to store --name $name --quiet; done; holdfast images --from store --quiet
            """)
        return place
    }

    @Test("A copy of one series is whole on a machine that has seen the others, and has to have the newest of its own")
    func series() {
        let place = place()
        #expect(place.shell("holdfast copy --series $(hostname)/one --from store --to some --quiet").status == 0)
        for command in [
            "images --from some", "verify --from some --read-data", "store check some",
            "restore latest --from some --to out",
            "copy --from some --to third",
        ] {
            let outcome = place.shell("holdfast \(command)")
            #expect(outcome.status == 0, "\(outcome)")
        }
        // What it never had is told, and is no damage of it.
        place.shell(
            "holdfast backup tree --to store --name one --quiet; holdfast backup tree --to store --name two --quiet")
        let behind = place.shell("holdfast images --from some")
        #expect(behind.status == 0 && behind.output.contains("2 series"), "\(behind)")
        #expect(place.shell("holdfast copy --series $(hostname)/one --from store --to some --quiet").status == 0)
        let other = place.shell("holdfast restore latest --series $(hostname)/two --from some --to out2")
        #expect(other.status == 2, "\(other)")
        // What it had, it has to have.
        place.shell("find some/i -name \"$(holdfast images --from some --quiet | awk 'END { print $1 }')*\" -delete")
        for command in ["images", "verify", "restore latest --to out3"] {
            let gone = place.shell("holdfast \(command) --from some")
            #expect(gone.status == 3 && gone.output.contains("/one: its image"), "\(gone)")
        }
    }

    @Test("A copy that is behind is whole, and says what it lacks and what brings it up to date")
    func behind() {
        let place = place()
        place.shell(
            "holdfast copy --from store --to copy --quiet; echo 2 > tree/file; holdfast backup tree --to store --name one --quiet"
        )
        place.shell(
            "holdfast key add --to store --recipient $(age-keygen 2>/dev/null | sed -n 's/.*public key: //p') --quiet")
        for command in [
            "images --from copy", "verify --from copy --read-data",
            "restore latest --series $(hostname)/one --from copy --to out",
            "copy --from copy --to third", "restore latest --series $(hostname)/one --from copy --dry-run",
        ] {
            let outcome = place.shell("holdfast \(command)")
            #expect(outcome.status == 0, "\(outcome)")
            let named = outcome.output.split(separator: "\n").filter {
                $0.contains("/one: its newest image") && $0.contains("holdfast copy --from /") && $0.contains("/copy`")
            }
            #expect(named.count == 1, "\(outcome)")
        }
        #expect(place.shell("cat out/file").output == "1\n")
        #expect(place.shell("holdfast copy --from store --to copy --quiet").status == 0)
        let level = place.shell("holdfast images --from copy")
        #expect(level.status == 0 && !level.output.contains("copy --from"), "\(level)")
    }

    @Test("One folder is one place, whatever links lead there: what is gone from it is gone by each of its names")
    func links() {
        let place = place()
        place.shell(
            "ln -s . link; holdfast copy --from store --to copy --quiet; holdfast images --from link/copy --quiet")
        place.shell("find copy/i -name \"$(holdfast images --from copy --quiet | awk 'END { print $1 }')*\" -delete")
        for name in ["copy", "link/copy", "link/link/copy", "copy"] {
            #expect(place.shell("holdfast images --from \(name)").status == 3)
        }
    }

    @Test("A copy that is made anew where there was one is not damaged for what it has not got to yet")
    func anew() {
        let place = place()
        place.shell("holdfast copy --from store --to copy --quiet; rm -rf copy")
        let id = place.shell("holdfast images --from store --quiet | awk 'END { print $1 }'").output.dropLast()
        #expect(place.shell("holdfast copy \(id) --from store --to copy --quiet").status == 0)
        let outcome = place.shell("holdfast verify --from copy")
        #expect(outcome.status == 0 && outcome.output.contains("its newest image"), "\(outcome)")
    }

    @Test("A machine that copied without a key notices what is gone from the copy")
    func withoutKey() {
        let place = place()
        let hf =
            "HOME=$PWD/other XDG_CONFIG_HOME=$PWD/other/config XDG_STATE_HOME=$PWD/other/state XDG_CACHE_HOME=$PWD/other/cache holdfast"
        let id = place.shell("holdfast images --from store --quiet | awk 'END { print $1 }'").output.dropLast()
        #expect(place.shell("mkdir other; \(hf) copy --from store --to copy --quiet").status == 0)
        place.shell("find copy/i -name '\(id)*' -delete")
        let outcome = place.shell("\(hf) images --from copy --identity home/config/holdfast/identity.txt")
        #expect(outcome.status == 3 && outcome.output.contains("that this machine copied here, \(id)"), "\(outcome)")
        // What is there is known by its series from now on, and what is gone stays gone.
        #expect(place.shell("\(hf) verify --from copy --identity home/config/holdfast/identity.txt").status == 3)
        #expect(
            place.shell("\(hf) verify --forget --from copy --identity home/config/holdfast/identity.txt").status == 0)
        #expect(place.shell("\(hf) images --from copy --identity home/config/holdfast/identity.txt").status == 0)
    }

    @Test(
        "Two media that are mounted at one folder in turn are two places: the one that is behind is not damaged",
        .enabled(if: HostFacts.isRoot, "mounts want root"))
    func media() {
        let place = place()
        let outcome = place.shell(
            """
            exec 2>&1; set -e
            for name in a b; do truncate -s 200M $name.img; mkfs.btrfs -q $name.img; done; mkdir medium
            with() { mount -o loop $1.img medium; shift; status=0; "$@" || status=$?; umount medium; return $status; }
            with a holdfast copy --from store --to medium/store --quiet; with b holdfast copy --from store --to medium/store --quiet
            holdfast backup tree --to store --name one --quiet; with b holdfast copy --from store --to medium/store --quiet
            with a holdfast images --from medium/store; with a holdfast verify --from medium/store
            with a find medium/store/i -type f -delete; if with a holdfast images --from medium/store; then exit 1; else [ $? = 3 ]; fi
            """)
        #expect(outcome.status == 0, "\(outcome)")
        #expect(outcome.output.contains("its newest image"), "\(outcome)")
    }

    @Test("A copy of a copy that lacks a revocation says so")
    func withoutRevocation() {
        let place = place()
        place.shell(
            "holdfast copy --from store --to copy --quiet; holdfast store revoke $(hostname) --from store --yes --quiet"
        )
        let outcome = place.shell("holdfast copy --from copy --to third")
        #expect(outcome.status == 3 && outcome.output.contains("this machine has seen 2"), "\(outcome)")
    }

    @Test(
        "What is hidden when a writer's right ends would never count again: that is refused, and what will not count is named"
    )
    func revoked() {
        let place = place()
        let id = place.shell("holdfast images --from store --quiet | awk 'END { print $1 }'").output.dropLast()
        place.shell(
            "mkdir away; find store/i -name '\(id)*' -exec cp -a --parents {} away ';'; find store/i -name '\(id)*' -delete"
        )
        let refused = place.shell("holdfast store revoke $(hostname) --from store --yes")
        #expect(refused.status == 4 && refused.output.contains("would never count again"), "\(refused)")
        place.shell("cp -a away/store/. store")
        let early = place.shell("setsid -w holdfast store revoke $(hostname) --from store --since 2020-01-01T00:00:00Z")
        #expect(early.status == 4 && early.output.contains("2 do not: ") && early.output.contains("\(id)"), "\(early)")
        let done = place.shell("holdfast store revoke $(hostname) --from store --yes")
        #expect(done.status == 0 && done.output.contains("2 images of it that are there count on."), "\(done)")
    }

    @Test("Whoever forgets what is gone at one place still knows what others have, and a later loss there is told")
    func forgotten() {
        let place = place()
        place.shell("holdfast copy --from store --to copy --quiet; holdfast images --from copy --quiet")
        place.shell("find copy/i -name \"$(holdfast images --from copy --quiet | awk 'END { print $1 }')*\" -delete")
        #expect(place.shell("holdfast images --from copy").status == 3)
        #expect(place.shell("holdfast verify --forget --from copy").status == 0)
        let behind = place.shell("holdfast images --from copy")
        #expect(behind.status == 0 && behind.output.contains("its newest image"), "\(behind)")
        place.shell("find store/i -name \"$(holdfast images --from store --quiet | awk 'END { print $1 }')*\" -delete")
        let lost = place.shell("holdfast images --from store")
        #expect(lost.status == 3 && lost.output.contains("/two: its image"), "\(lost)")
    }

    @Test("Images that were chosen by their ids are all that a copy of them has to have")
    func ids() {
        let place = place()
        let id = place.shell("holdfast images --from store | awk 'NR == 2 { print $1 }'").output.dropLast()
        #expect(place.shell("holdfast copy \(id) --from store --to some --quiet").status == 0)
        #expect(place.shell("holdfast verify --from some").status == 0)
    }

    @Test(
        "At a place where nobody has looked before, what is missing may be damage, or the place a copy of chosen images: it is told once as the first, then as the second"
    )
    func unknown() {
        let place = place()
        place.shell("holdfast copy --series $(hostname)/one --from store --to some --quiet; mv some moved")
        let outcome = place.shell("holdfast verify --from moved")
        #expect(outcome.status == 3 && outcome.output.contains("or one of chosen images"), "\(outcome)")
        let again = place.shell("holdfast verify --from moved")
        #expect(again.status == 0 && again.output.contains("its newest image"), "\(again)")
    }
}
