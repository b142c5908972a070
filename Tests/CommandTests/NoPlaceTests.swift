// A folder that has no place: links that lead nowhere, file systems that take no folders, a working folder that was removed.

import TestSupport
import Testing

@Suite struct NoPlaceTests {
    @Test(
        "A path below a link that leads nowhere is refused in one sentence that names the link",
        arguments: [
            "restore latest --from store --to dang/y", "restore latest --from store --to dang",
            "store init dang/x --recipient $key", "store init dang --recipient $key", "copy --from store --to dang/x",
            "setup --root $PWD/tree --state $PWD/dang/st", "key generate --output dang/y/k",
        ])
    func danglingLink(command: String) {
        let place = Workplace()
        place.shell(
            """
            mkdir tree; echo 1 > tree/file; ln -s /media/usb7/x dang
            holdfast store init store --quiet; holdfast backup tree --to store --quiet
            """)
        let outcome = place.shell("key=$(grep -o 'age1.*' home/config/holdfast/identity.txt); holdfast \(command)")
        #expect(outcome.status == 1 || outcome.status == 2, "\(outcome)")
        #expect(outcome.output.contains("dang is a link to /media/usb7/x, which is not there"), "\(outcome)")
        #expect(outcome.output.split(separator: "\n").count { $0.hasPrefix("error:") } == 1, "\(outcome)")
    }

    @Test("Where no folder can be made, the path is named with the reason")
    func noFolders() {
        let place = Workplace()
        place.shell("holdfast store init store --quiet; mkdir tree; echo 1 > tree/file")
        let proc = place.shell("holdfast key generate --output /proc/foo/k")
        #expect(proc.status == 1 && proc.output.contains("/proc/foo: no folder can be made in /proc"), "\(proc)")
        let removed = place.shell(
            "mkdir gone; cd gone; rmdir ../gone; holdfast key generate --output ./foo/k")
        #expect(removed.status == 1, "\(removed)")
        #expect(removed.output.contains("the folder that you are in is not there any more"), "\(removed)")
        let store = place.shell("mkdir gone; cd gone; rmdir ../gone; holdfast store init ./foo")
        #expect((1...2).contains(store.status) && store.output.contains("error: "), "\(store)")
        let state = place.shell(
            "ln -s /media/usb7/x dang; export XDG_STATE_HOME=$PWD/dang/st; holdfast store init other")
        #expect((1...2).contains(state.status), "\(state)")
        #expect(state.output.contains("dang is a link to /media/usb7/x, which is not there"), "\(state)")
    }
}
