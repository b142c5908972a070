// The scripts of a recovery system, and what a boot loader is told of it.

enum RecoveryScripts {
    /// Mounts the machine's own system, at a place that the menu is given, and takes it down again.
    static let machine = """
        #!/bin/sh
        # machine up | down: the machine's / at /run/machine/root, and the state of Holdfast where `machine state` says. Only what is asked for is
        # mounted, and a file system that is not in order is put in order first, as the machine's own start does it.
        export PATH=/usr/sbin:/usr/bin
        type='' uuid='' options='' pool='' dataset='' state='' state_type='' state_device='' state_options='' boot=''
        . /usr/lib/holdfast/machine.conf
        root=/run/machine/root

        device() { readlink -f "/dev/disk/by-uuid/$1"; }

        # What stands on arrays, logical volumes or encryption is put together now, and not before.
        find_device() {
            [ -e "/dev/disk/by-uuid/$uuid" ] && return 0
            mdadm --assemble --scan --quiet 2>/dev/null
            lvm vgchange -ay 2>/dev/null >/dev/null
            udevadm settle --timeout=20
            [ -e "/dev/disk/by-uuid/$uuid" ] && return 0
            for one in $(blkid -t TYPE=crypto_LUKS -o device); do
                [ -e "/dev/mapper/open-${one##*/}" ] || cryptsetup open "$one" "open-${one##*/}"
            done
            lvm vgchange -ay 2>/dev/null >/dev/null
            udevadm settle --timeout=20
            [ -e "/dev/disk/by-uuid/$uuid" ]
        }

        up() {
            mkdir -p /run/machine
            chmod 700 /run/machine
            mkdir -p "$root" /run/machine/state
            if [ "$type" = zfs ]; then
                modprobe zfs && { zpool list "$pool" >/dev/null 2>&1 || zpool import -N -f "$pool"; } || return 1
                now=$(zpool get -H -o value bootfs "$pool")
                case $now in '' | -) now=$dataset ;; esac
                mount -t zfs -o zfsutil "$now" "$root" || return 1
            else
                find_device || { echo "the disk with / is not here (UUID $uuid)"; return 1; }
                case $type in ext*) e2fsck -p "$(device "$uuid")" ;; esac
                mount -t "$type" ${options:+-o "$options"} "$(device "$uuid")" "$root" || return 1
            fi
            if [ -n "$state_type" ]; then
                mount -t "$state_type" -o "$state_options" "${state_device:-$(device "$uuid")}" /run/machine/state || return 1
            fi
            echo "$boot" | tr ';' '\\n' | while IFS=, read -r id kind place; do
                [ -z "$id" ] || mount -t "$kind" "$(device "$id")" "$root$place"
            done
            return 0
        }

        down() {
            for place in $(awk '$2 ~ "^/run/machine/" { print $2 }' /proc/mounts | sort -r); do umount "$place" || umount -l "$place"; done
            sync
            [ "$type" != zfs ] || zpool export "$pool" 2>/dev/null
            return 0
        }

        case $1 in
            up) up || { down; exit 1; } ;;
            down) down ;;
            root) echo "$root" ;;
            state) if [ -n "$state_type" ]; then echo /run/machine/state; else echo "$root$state"; fi ;;
            later) echo "$state" ;;
        esac

        """

    /// What the recovery system runs before its menus: where the boot loader has started it since a state on trial was not confirmed, it returns and
    /// restarts, with nobody there. Where it cannot, the boot loader tries again, and after its last try the machine starts as it is.
    static let comingBack = """
        #!/bin/sh
        export PATH=/usr/sbin:/usr/bin HOME=/root LANG=C.UTF-8
        grep -qw \(StartCounterMenu.returnWord) /proc/cmdline || exit 0
        say() { for console in $(cat /sys/class/tty/console/active); do cat "$1" >"/dev/$console"; done; }
        said=/run/return.said
        echo "Holdfast: what is on trial was not confirmed; this machine returns by itself, and restarts" >$said
        say $said
        status=1
        if /usr/lib/holdfast/machine up >$said 2>&1 </dev/null; then
            holdfast trial return --state "$(/usr/lib/holdfast/machine state)" --machine-at "$(/usr/lib/holdfast/machine root)" \\
                >>$said 2>&1 </dev/null
            status=$?
        fi
        /usr/lib/holdfast/machine down >>$said 2>&1
        say $said
        case $status in
            0 | 3) ;;
            *)
                echo "Holdfast: it could not return; it restarts in 60 s. Enter has the menu of this recovery system instead" >$said
                say $said
                if read -r -t 60 _ </dev/console; then exit 0; fi ;;
        esac
        sync
        reboot -f

        """

    /// The recovery system's own part of a boot menu: this generation, and the one before it.
    static func menu(_ place: RecoveryPlace, id: String, current: String, kernels: [String: String]) -> String {
        func entry(_ title: String, _ generation: String, _ words: String) -> String {
            let folder = "\(place.loaderPath)/\(generation)"
            return """
                menuentry "\(title)" --unrestricted {
                    linux \(folder)/vmlinuz holdfast.recovery=\(id) panic=30 quiet $\(StartCounterMenu.returnVariable) \(words)
                    initrd \(folder)/live \(folder)/initrd
                }

                """
        }
        let consoles = "console=ttyS0,115200n8 console=tty0"
        var text = """
            # Made by `holdfast setup`: the system that starts when the machine's own does not. \(current): Linux \(kernels[current] ?? "").
            search --no-floppy --file --set=root \(place.loaderPath)/\(id)
            set timeout=5
            set default=0

            """
        text += entry("Holdfast: roll back, repair", current, consoles)
        text += entry("Holdfast, simple graphics", current, consoles + " nomodeset")
        for other in kernels.keys.sorted() where other != current {
            text += entry("Holdfast as it was before its last update", other, consoles)
        }
        return text
    }

    static let title = "Holdfast: roll back, repair"

    /// What grub-mkconfig takes into the machine's own menu: it never changes, whatever becomes of the recovery system.
    static func entry(_ place: RecoveryPlace, id: String) -> String {
        """
        #!/bin/sh
        # Made by `holdfast setup`: the way to the system that starts when the machine's own does not.
        exec tail -n +4 "$0"
        menuentry "\(title)" --class recovery --unrestricted --id holdfast-recovery --hotkey=r {
            insmod part_gpt
            insmod part_msdos
            insmod fat
            insmod ext2
            insmod btrfs
            insmod xfs
            search --no-floppy --file --set=root \(place.loaderPath)/\(id)
            configfile ($root)\(place.loaderPath)/grub.cfg
        }

        """
    }

    /// Where the machine's menu is not shown at all there would be no way to the entry.
    /// - Parameter isCounting: GRUB counts the starts of a state on trial.
    static func settings(isCounting: Bool) -> String {
        """
        # Made by `holdfast setup`: with no time at all for the boot menu nobody could choose the recovery system. Esc or Space shows it.
        if [ "${GRUB_TIMEOUT:-5}" = 0 ]; then GRUB_TIMEOUT=2; GRUB_TIMEOUT_STYLE=hidden; fi

        """
            + (isCounting
                ? """
                # GRUB's own variable, which is empty but for a start in a state on trial.
                \(StartCounterMenu.setting)

                """ : "")
    }
}
