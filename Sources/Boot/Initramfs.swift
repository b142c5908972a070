// What the initramfs takes along: a script that finds the state and starts the program that lies in it. It decides nothing.

internal import Machine
public import Platform

public enum Initramfs {
    /// What `holdfast boot` ends with where the state that is there now wants its own kernel started.
    public static let restartStatus: Int32 = 10

    private static let tools: BytePath = "/etc/initramfs-tools"
    private static let script = "scripts/local-bottom/holdfast"
    /// Where a tree has it that calls Holdfast at its start.
    public static let scriptPlace = "etc/initramfs-tools/scripts/local-bottom/holdfast"
    private static let hook = "hooks/holdfast"

    /// What keeps the start of the machine from calling Holdfast.
    public static func obstacle(state: BytePath) throws -> BootError? {
        guard exists(tools) else { return .noInitramfs }
        do { _ = try StateReach(state) } catch let error as BootError { return error }
        return exists(tools.appending(script)) ? nil : .notCalled
    }

    /// Has the initramfs start the program; where it does already, that is a look at two files.
    /// - Parameter isDistrusted: it is made anew even so.
    /// - Throws: `BootError`
    public static func install(state: BytePath, isDistrusted: Bool = false) throws {
        guard exists(tools) else { throw BootError.noInitramfs }
        let text = Array(try scriptText(state: state, reach: StateReach(state)).utf8)
        let isHookNew = try InstalledFile.put(Array(hookText.utf8), at: tools.appending(hook), mode: 0o755)
        let isScriptNew = try InstalledFile.put(text, at: tools.appending(script), mode: 0o755)
        // Says which script the initramfs has, once it has it: what was interrupted before is done again.
        let marker = marker(state)
        if !isHookNew, !isScriptNew, !isDistrusted, exists(marker), try readRegular(marker, limit: 1 << 20) == text {
            return
        }
        try makeAnew()
        try makeFolders(marker.parent, mode: 0o755)
        try replaceFile(marker, text, mode: 0o644)
    }

    /// Whether it was this state's that had the initramfs start the program last.
    static func isMade(for state: BytePath) throws -> Bool {
        let (script, marker) = (tools.appending(script), marker(state))
        return try exists(script) && exists(marker)
            && readRegular(script, limit: 1 << 20) == readRegular(marker, limit: 1 << 20)
    }

    /// Has the initramfs know nothing of Holdfast any more.
    static func remove(state: BytePath) throws {
        for name in [script, hook] where exists(tools.appending(name)) { try removeFile(tools.appending(name)) }
        // Goes last: what was interrupted before is done again.
        guard exists(marker(state)) else { return }
        try makeAnew()
        try removeFile(marker(state))
    }

    private static func marker(_ state: BytePath) -> BytePath { state.appending("initramfs") }

    private static func makeAnew() throws { try runOrThrow(["update-initramfs", "-u", "-k", "all"]) }

    private static let hookText = """
        #!/bin/sh
        # Made by `holdfast setup`: the initramfs takes the overlay file system along, for the write filter.
        [ "$1" = prereqs ] && exit 0
        . /usr/share/initramfs-tools/hook-functions
        manual_add_modules overlay

        """

    /// The script, for a state that is somewhere.
    package static func scriptText(state: BytePath, reach: StateReach) -> String {
        let (type, device, options) =
            switch reach {
            case .inside: ("", "", "")
            case .mount(let type, let device, let options): (type, device ?? "", options)
            }
        return """
            #!/bin/sh
            # Made by `holdfast setup`: finds the state and starts the program in it, before anything uses /. Whatever is missing, the machine
            # starts; what was not done is said on the console, and where `holdfast filter status` finds it.
            [ "$1" = prereqs ] && exit 0
            state='\(state)'
            type='\(type)'
            device='\(device)'
            options='\(options)'
            run='\(Places.runtime)'
            base='\(FilterMounts.base(of: "/"))'

            mounted() {
                while read -r _ place _; do [ "$place" = "$1" ] && return 0; done </proc/mounts
                return 1
            }

            [ -d "$run" ] || mkdir -m 700 "$run"
            mkdir -p "$base" "$run/state"
            found=$rootmnt$state
            if [ -n "$type" ]; then
                while [ -z "$device" ] && read -r source place _; do [ "$place" = "$rootmnt" ] && device=$source; done </proc/mounts
                mount -t "$type" -o "$options" "$device" "$run/state" && found=$run/state
            fi
            "$found/bin/holdfast" boot --root "$rootmnt" --state "$found" --at "$state" </dev/null
            status=$?
            mounted "$run/state" && umount "$run/state"
            case $status in
                0 | 3) exit 0 ;;
                \(restartStatus))
                    echo "Holdfast: starting the kernel that belongs to this state"
                    sync
                    mount -o remount,ro "$rootmnt"
                    reboot -f ;;
            esac
            # It may have ended between taking / aside and putting the filter in its place.
            mounted "$rootmnt" || mount -o move "$base/aside" "$rootmnt"
            what="the program in $state did not do its work ($status): no rollback, and NO write filter; the machine is writable"
            echo "Holdfast: $what"
            echo "alarm $what" >>"$base/session"
            exit 0

            """
    }
}
