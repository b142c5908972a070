// A state on a file system that is read-only: that is said, and nobody is told to be root who is.

import Machine
import Platform
import Reporting
import RestorePoints
import TestSupport
import Testing

@Suite(.serialized, .enabled(if: HostFacts.isRoot, "points are made by root"))
struct ReadOnlyStateTests {
    @Test("A read-only file system is named as one by every command that changes something")
    func named() throws {
        let place = try Place(.tree)
        shell("mkdir \(place.state) && mount -t tmpfs none \(place.state)")
        defer { shell("umount \(place.state)") }
        place.write("file", "now")
        _ = try place.setUp()
        shell("mount -o remount,ro \(place.state)")
        for command in [
            "recover", "create more", "destroy factoryreset --factory --yes", "rollback factoryreset --yes",
            "filter enable --path \(place.root) --yes", "setup --remove --points destroy --yes",
            "wipe \(place.root)/file --yes",
        ] {
            let said = shell(
                """
                export HOME=\(place.scratch) XDG_CONFIG_HOME=\(place.scratch)/c XDG_STATE_HOME=\(place.scratch)/s HOLDFAST_CONFIG=
                \(builtProgram) \(command) --state \(place.state) 2>&1; echo status $?
                """)
            #expect(said.lowercased().contains("read-only"), "\(command): \(said)")
            #expect(!said.contains("permi") && !said.contains("be root"), "\(command): \(said)")
            #expect(!said.contains("status 0"), "\(command): \(said)")
        }
    }

    @Test("Whoever lacks the right is told so, and a read-only file system is no matter of rights")
    func kinds() {
        #expect(SystemError(13, "open", "it").isPermission && SystemError(1, "open", "it").isPermission)
        #expect(!SystemError(30, "open", "it").isPermission)
        #expect(SystemError(30, "open", "it").mend?.contains("mount") == true)
    }
}
