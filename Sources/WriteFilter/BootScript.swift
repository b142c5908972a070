// The filter of `/` at the start of the machine: a script in the initramfs that follows the plan, word for word, and decides nothing.
// What it did it writes down, a line each, where `status` finds it.

internal import Machine
internal import Platform
internal import RestorePoints

/// What makes the start of the machine follow the plans.
enum BootScript {
    static let name = "scripts/local-bottom/holdfast-filter"
    static let unit = "holdfast-filter.service"

    /// Where the state is, as the initramfs can reach it: in `/` itself, or on a mount of its own from the same file system or pool.
    enum StatePlace: Equatable {
        case inside
        case mount(type: String, what: String)

        init(_ state: BytePath) throws {
            let (root, here) = (
                try Mount.holding(Descriptor.open("/", .directory)),
                try Mount.holding(Descriptor.open(state, .directory))
            )
            guard let root, let here else { throw Self.unreachable(state) }
            if root.id == here.id { self = .inside; return }
            guard here.point == state else { throw Self.unreachable(state) }
            switch here.type {
            case "btrfs" where here.device == root.device || here.source == root.source:
                self = .mount(type: "btrfs", what: "subvol=\(here.root)")
            case "zfs": self = .mount(type: "zfs", what: here.source.text)
            default: throw Self.unreachable(state)
            }
        }

        private static func unreachable(_ state: BytePath) -> FilterError {
            .badPlace(
                path: "/", reason: "the start of the machine cannot reach the state in \(state)",
                mend: "have it on the same file system as /, as `holdfast setup --root /` lays it")
        }
    }

    /// Installs the script and the unit, and makes an initramfs that has the script.
    /// - Parameter isDistrusted: also where the script is there already.
    static func install(state: BytePath, isDistrusted: Bool) throws {
        guard FilterArea.isPlain(state) else {
            throw FilterError.badPlace(
                path: "/", reason: "the start of the machine cannot read the name of \(state)", mend: nil)
        }
        guard exists("/etc/initramfs-tools") else { throw FilterError.noInitramfs }
        let place = try StatePlace(state)
        let script = script(state: state, place: place)
        let isHook = try BootIntegration.install(initramfs: "hooks/holdfast-filter", hook)
        let isScript = try BootIntegration.install(initramfs: name, script)
        try installUnit(state: state)
        // Says which script the initramfs has, once it has it: what was interrupted before is done again.
        let marker = FilterArea(state: state).folder.appending("initramfs")
        let made = exists(marker) ? try readWhole(marker, limit: 1 << 20) : []
        if isHook || isScript || isDistrusted || made != Array(script.utf8) {
            try BootIntegration.updateInitramfs()
            try makeFolders(marker.parent, mode: 0o755)
            try replaceFile(marker, Array(script.utf8), mode: 0o644)
        }
    }

    /// The unit starts the filters of folders, and looks after what the initramfs did.
    static func installUnit(state: BytePath) throws {
        guard exists("/run/systemd/system"), FilterArea.isPlain(state) else { return }
        let program = "\(state)/bin/holdfast filter"
        try BootIntegration.install(
            unit: unit,
            """
            # Made by `holdfast filter enable`: filters folders before anything uses them, and says aloud what is not as it was decided.
            [Unit]
            Description=Write filter
            DefaultDependencies=no
            RequiresMountsFor=\(state)
            After=systemd-remount-fs.service holdfast-recover.service zfs-mount.service local-fs-pre.target boot.mount boot-efi.mount home.mount opt.mount srv.mount var.mount
            Before=local-fs.target
            ConditionPathExists=\(state)/filter

            [Service]
            Type=oneshot
            RemainAfterExit=yes
            ExecStart=\(program) start --state \(state)
            StandardOutput=journal+console
            StandardError=journal+console

            [Install]
            WantedBy=local-fs.target

            """, wantedBy: "local-fs.target")
        try BootIntegration.install(
            unit: "holdfast-filter-watch.service",
            """
            # Made by `holdfast filter enable`: remembers how full the overlays are, and calls the hooks.
            [Unit]
            Description=Look at the write filter

            [Service]
            Type=oneshot
            ExecStart=\(program) watch --quiet --state \(state)
            SuccessExitStatus=3

            """, wantedBy: nil)
        try BootIntegration.install(
            unit: "holdfast-filter-watch.timer",
            """
            # Made by `holdfast filter enable`.
            [Unit]
            Description=Look at the write filter once a minute

            [Timer]
            OnBootSec=60
            OnUnitActiveSec=60
            AccuracySec=5

            [Install]
            WantedBy=timers.target

            """, wantedBy: "timers.target")
    }

    private static let hook = """
        #!/bin/sh
        # Made by `holdfast filter enable`: the initramfs takes the overlay file system along.
        [ "$1" = prereqs ] && exit 0
        . /usr/share/initramfs-tools/hook-functions
        manual_add_modules overlay

        """

    static func script(state: BytePath, place: StatePlace) -> String {
        let (type, what) =
            switch place {
            case .inside: ("", "")
            case .mount(let type, let what): (type, what)
            }
        return """
            #!/bin/sh
            # Made by `holdfast filter enable`: puts over / what forgets, and does what the plan says, line by line. All decisions are in the
            # plan; whatever is missing, the machine starts, and what was not done is written to $run/session and to the console.
            [ "$1" = prereqs ] && { echo holdfast; exit 0; }
            state='\(state)'
            type='\(type)'
            what='\(what)'
            run='\(FilterMounts.base(of: "/"))'
            mkdir -p -m 700 '\(Places.runtime)'
            mkdir -p "$run/lower" "$run/overlay" "$run/state"

            note() { echo "$*" >>"$run/session"; }
            alarm() { echo "Holdfast: $*"; note "alarm $*"; }

            # Where the state is.
            there=$rootmnt$state
            source= roottype=
            while read -r from where kind rest; do [ "$where" = "$rootmnt" ] && source=$from && roottype=$kind; done </proc/mounts
            case "$type" in
                btrfs) mount -t btrfs -o "$what" "$source" "$run/state" && there=$run/state ;;
                zfs) mount -t zfs -o zfsutil "$what" "$run/state" && there=$run/state ;;
            esac
            plan=$there/filter/\(FilterMounts.name(of: "/")).plan

            # The clone that held the writes of the last session, where the disk did.
            drop() {
                case "$roottype" in
                    btrfs)
                        mkdir -p "$run/top"
                        mount -t btrfs -o subvolid=5 "$source" "$run/top" || return
                        [ ! -d "$run/top/@\(FilterMounts.session)" ] || btrfs subvolume delete "$run/top/@\(FilterMounts.session)" >/dev/null
                        umount "$run/top" ;;
                    zfs)
                        old=$(zfs get -H -o value origin "${source%%/*}/\(FilterMounts.session)" 2>/dev/null) && zfs destroy -R "$old" ;;
                esac
            }

            # The machine goes on without a filter: the state is mounted again later, by itself.
            leave() {
                note "mode $1"
                drop
                [ "$there" = "$run/state" ] && umount "$run/state"
                exit 0
            }

            if [ ! -e "$plan" ]; then
                [ -d "$there" ] || alarm "the state $state is not there: nothing is known of a write filter"
                leave writable
            fi
            enabled= overlay= size= mode= whole=
            while read -r word first rest; do
                case "$word" in
                    enabled) enabled=$first ;;
                    overlay) overlay=$first ;;
                    size) size=$first ;;
                    mode) mode=$first ;;
                    end) whole=yes ;;
                esac
            done <"$plan"

            # What was committed goes below the overlay first.
            for commit in "$there"/filter/commit-*; do
                [ -d "$commit" ] || continue
                mount -o remount,rw "$rootmnt"
                [ "$there" = "$run/state" ] && mount -o bind "$run/state" "$rootmnt$state"
                for place in dev proc sys run; do mount -o bind "/$place" "$rootmnt/$place"; done
                chroot "$rootmnt" "$state/bin/holdfast" filter apply --state "$state" </dev/null ||
                    alarm "what was committed could not be applied; it waits in $state/filter"
                for place in run sys proc dev; do umount "$rootmnt/$place"; done
                [ "$there" = "$run/state" ] && umount "$rootmnt$state"
                sync
                break
            done

            if [ "$whole" != yes ]; then
                alarm "the plan $state/filter is damaged: the machine is NOT protected"
                leave writable
            fi
            [ "$enabled" = yes ] || leave writable

            # One writable start was wanted: it is spent before anything else runs.
            if [ -e "$there/filter/service" ]; then
                mount -o remount,rw "$rootmnt"
                if rm "$there/filter/service" && sync && [ ! -e "$there/filter/service" ]; then
                    echo "Holdfast: one start without the write filter"
                    leave service
                fi
                alarm "the service start could not be marked as spent; the machine stays protected"
            fi

            # Exceptions and the state are written on the file system itself.
            mount -o remount,rw "$rootmnt" || alarm "$rootmnt cannot be made writable: exceptions keep nothing"
            while read -r word first rest; do
                [ "$word" = make ] && [ ! -e "$rootmnt$first" ] && mkdir -p "$rootmnt$first"
            done <"$plan"

            # What is protected goes aside, and something that forgets comes in its place; if that fails, it comes back.
            back() {
                mount -o move "$run/lower" "$rootmnt"
                umount "$run/overlay" 2>/dev/null
                alarm "$1: the machine is NOT protected"
                leave writable
            }
            case "$overlay:$roottype" in
                memory:*)
                    modprobe -q overlay
                    found=
                    while read -r first second; do [ "$first$second" = overlay ] || [ "$second" = overlay ] && found=yes; done </proc/filesystems
                    if [ -z "$found" ]; then
                        alarm "this kernel has no overlay file system: the machine is NOT protected"
                        leave writable
                    fi
                    mount -o move "$rootmnt" "$run/lower"
                    mount -t tmpfs -o "size=$size,mode=0755" \(FilterMounts.source) "$run/overlay" || back "there is no memory for the overlay"
                    mkdir -m "$mode" "$run/overlay/upper"
                    mkdir "$run/overlay/work"
                    mount -t overlay -o "lowerdir=$run/lower,upperdir=$run/overlay/upper,workdir=$run/overlay/work,\(FolderOverlay.optionText)" \(FilterMounts.source) "$rootmnt" ||
                        back "the overlay could not be mounted" ;;
                disk:btrfs)
                    drop
                    mount -o move "$rootmnt" "$run/lower"
                    mount -t btrfs -o subvolid=5 "$source" "$run/top" || back "the top level cannot be mounted"
                    btrfs subvolume snapshot "$run/lower" "$run/top/@\(FilterMounts.session)" >/dev/null
                    umount "$run/top"
                    mount -t btrfs -o "subvol=/@\(FilterMounts.session)" "$source" "$rootmnt" || back "the clone could not be made" ;;
                disk:zfs)
                    drop
                    mount -o move "$rootmnt" "$run/lower"
                    clone=${source%%/*}/\(FilterMounts.session)
                    # What a start left that was cut between the two.
                    zfs destroy -R "$source@\(FilterMounts.session)" 2>/dev/null
                    zfs snapshot "$source@\(FilterMounts.session)" &&
                        zfs clone -o canmount=noauto -o mountpoint=/ "$source@\(FilterMounts.session)" "$clone"
                    mount -t zfs -o zfsutil "$clone" "$rootmnt" || back "the clone could not be made" ;;
                *)
                    alarm "there is no overlay '$overlay' on $roottype: the machine is NOT protected"
                    leave writable ;;
            esac
            if [ "$there" = "$run/state" ]; then
                mount -o move "$run/state" "$rootmnt$state"
            else
                mount -o bind "$run/lower$state" "$rootmnt$state"
            fi
            there=$rootmnt$state
            plan=$there/filter/\(FilterMounts.name(of: "/")).plan

            # A folder that ought to keep its writes and cannot takes none.
            lock() {
                mkdir -p "$rootmnt$1"
                mount -o bind "$rootmnt$1" "$rootmnt$1" && mount -o remount,bind,ro "$rootmnt$1"
                alarm "the exception $1 is not there: it is read-only now"
                note "except $1 no"
            }

            while read -r word path size mode; do
                case "$word" in
                    except | make)
                        if [ -d "$run/lower$path" ] && [ ! -h "$run/lower$path" ] && mount -o bind "$run/lower$path" "$rootmnt$path"; then
                            note "except $path yes"
                            # Logs are written to the end: it goes with the last of the mounts, not before. A drop-in would not be read, as
                            # there is no unit that it belongs to.
                            mkdir -p /run/systemd/system
                            printf '[Unit]\\nDefaultDependencies=no\\n[Mount]\\nWhat=%s\\nWhere=%s\\nType=none\\nOptions=bind\\n' \\
                                "$run/lower$path" "$path" >"/run/systemd/system/$size"
                        else
                            lock "$path"
                        fi ;;
                    small)
                        [ -d "$run/lower$path" ] && [ ! -h "$run/lower$path" ] || continue
                        few=$run/small$path
                        mkdir -p "$few"
                        mount -t tmpfs -o "size=$size,mode=0755" \(FilterMounts.source) "$few"
                        mkdir -m "$mode" "$few/upper"
                        mkdir "$few/work"
                        mount -t overlay -o "lowerdir=$run/lower$path,upperdir=$few/upper,workdir=$few/work,\(FolderOverlay.optionText)" \(FilterMounts.source) "$rootmnt$path" &&
                            note "small $path" ;;
                esac
            done <"$plan"

            # / is an overlay now, and is not to be mounted again by what the table says of the disk.
            while IFS= read -r line; do
                set -f
                set -- $line
                set +f
                if [ "${2:-}" = / ] && [ "${1#\\#}" = "$1" ]; then echo "# holdfast: $line"; else echo "$line"; fi
            done <"$run/lower/etc/fstab" >"$run/fstab"
            mount -o bind "$run/fstab" "$rootmnt/etc/fstab"
            note "mode overlay"
            exit 0

            """
    }
}
