// The scripts of a live system: the one that finds its medium, and the one that begins the system on it. They decide nothing but that.

internal import Platform

enum LiveScripts {
    /// `/init` of the initramfs: it has the system in memory, so that its medium may be pulled, and starts it.
    /// - Parameters:
    ///   - find: a function `find_system` of the shell, which has the system at /live/system.
    ///   - digest: SHA-256 of that, in hexadecimal digits.
    static func early(_ find: String, digest: String) -> String {
        """
        #!/usr/bin/busybox sh
        # Takes the system into memory, and starts it. Nothing is written to any disk.
        /usr/bin/busybox --install -s /usr/bin
        export PATH=/usr/bin
        mount -t proc proc /proc
        mount -t sysfs sys /sys
        mount -t devtmpfs dev /dev
        mkdir -p /stick /live /lower /upper /system
        echo "Holdfast: starting"
        digest=\(digest)
        for module in $(cat /modules); do insmod "/modules.d/$module" 2>/dev/null; done

        \(find)
        find_system
        mount -t squashfs -o loop,ro /live/system /lower &&
            mount -t tmpfs -o mode=755 upper /upper && mkdir /upper/files /upper/work &&
            mount -t overlay -o lowerdir=/lower,upperdir=/upper/files,workdir=/upper/work system /system || exec sh
        for place in proc sys dev; do mount -o move /$place /system/$place; done
        exec switch_root /system /usr/lib/holdfast/begin

        """
    }

    /// - Parameters:
    ///   - id: the medium has a file /holdfast/ID.
    ///   - size: bytes of the system.
    static func finding(medium id: String, size: UInt64) -> String {
        """
        # The boot partition of the medium, mounted at /stick.
        find_medium() {
            for device in /sys/class/block/*; do
                device=${device##*/}
                case $device in loop* | ram*) continue ;; esac
                # FAT32 has its label at byte 71.
                [ "$(dd if="/dev/$device" bs=1 skip=71 count=7 2>/dev/null)" = HF-BOOT ] || continue
                mount -t vfat -o ro,nosuid,nodev,noexec "/dev/$device" /stick 2>/dev/null || continue
                [ -e "/stick/holdfast/\(id)" ] && return 0
                umount /stick
            done
            return 1
        }

        # The system in memory, as it was made.
        take_system() {
            mount -t tmpfs -o size=$((\(size) / 1024 + 1024))k,mode=700 live /live || return 1
            found=$(tee /live/system </stick/holdfast/live.squashfs | sha256sum)
            umount /stick
            [ "${found%% *}" = "$digest" ] && return 0
            umount /live
            echo "Holdfast: the stick cannot be read as it was written. Another stick, or: holdfast stick update"
            return 1
        }

        find_system() {
            tries=0
            until find_medium && take_system; do
                tries=$((tries + 1))
                [ $((tries % 20)) = 10 ] && echo "Holdfast: waiting for the stick; plug it in, in another socket if need be"
                sleep 0.5
            done
        }

        """
    }

    /// The boot loader has brought it.
    static let foundInMemory = """
        find_system() {
            found=$(sha256sum </live/system)
            [ "${found%% *}" = "$digest" ] && return 0
            echo "Holdfast: the recovery system is damaged. Start the entry of the one before it, or a stick"
            sleep 30
            reboot -f
        }

        """

    /// What the live system runs first: it finds the devices and hands over to busybox's init, which keeps a menu on each console.
    static let begin = """
        #!/bin/sh
        # Begins the live system. No disk is mounted, no array or volume group is put together: all that waits for somebody's choice.
        export PATH=/usr/sbin:/usr/bin
        mount -t tmpfs -o mode=755,nosuid,nodev run /run
        mount -t tmpfs -o mode=1777,nosuid,nodev tmp /tmp
        mkdir -p /dev/pts /dev/shm /run/lock
        mount -t devpts -o mode=620,gid=5 pts /dev/pts
        mount -t tmpfs -o mode=1777,nosuid,nodev shm /dev/shm
        [ ! -d /sys/firmware/efi/efivars ] || mount -t efivarfs efivarfs /sys/firmware/efi/efivars
        mount -t securityfs securityfs /sys/kernel/security 2>/dev/null
        echo 4 >/proc/sys/kernel/printk
        hostname holdfast
        ip link set lo up
        /usr/lib/systemd/systemd-udevd --daemon
        udevadm trigger --type=subsystems --action=add
        udevadm trigger --type=devices --action=add
        udevadm settle --timeout=60
        # A menu on the screen, and on each serial console that the kernel was given.
        consoles=""
        for console in $(cat /sys/class/tty/console/active); do
            [ "$console" = tty0 ] && console=tty1
            [ -c "/dev/$console" ] && consoles="$consoles $console"
        done
        {
            [ ! -x /usr/lib/holdfast/return ] || echo "::wait:/usr/lib/holdfast/return"
            for console in ${consoles:-tty1}; do echo "$console::respawn:/usr/lib/holdfast/console $console"; done
            echo "::ctrlaltdel:/usr/bin/reboot"
            echo "::shutdown:/usr/bin/sync"
        } >/etc/inittab
        exec /usr/bin/init

        """

    /// The menu with the partition of the medium that holds images, under whatever name that is plugged in.
    static func menu(medium id: String) -> String { "--stick /dev/disk/by-uuid/\(id.prefix(4))-\(id.suffix(4))" }

    /// What a stick for series production does by itself.
    static let auto: BytePath = "/usr/lib/holdfast/auto.toml"

    /// The menu of a machine that repairs itself.
    static let menuOfMachine = "--machine"

    /// - Parameter menu: what the menu is told.
    static func console(menu: String) -> String {
        """
        #!/bin/sh
        # The menu on one console; init starts it anew when it ends.
        export PATH=/usr/sbin:/usr/bin HOME=/root LANG=C.UTF-8 TERM=linux
        case $1 in tty[0-9]*) ;; *) TERM=vt220 ;; esac
        cd /root || exit
        stty sane
        holdfast menu --live \(menu)
        status=$?
        [ $status = 0 ] || echo "The menu ended with $status."
        # Not again and again in no time, whatever happens.
        sleep 1

        """
    }

    /// What busybox's DHCP client calls with what it was given.
    static let addressed = """
        #!/bin/sh
        # Called by udhcpc: gives an interface the address that the server has for it.
        case $1 in
            deconfig) ip address flush dev "$interface"; ip link set "$interface" up ;;
            bound | renew)
                ip address flush dev "$interface"
                ip address add "$ip/${mask:-24}" dev "$interface"
                for gateway in $router; do ip route replace default via "$gateway" dev "$interface"; break; done
                : >/etc/resolv.conf
                for server in $dns; do echo "nameserver $server" >>/etc/resolv.conf; done ;;
        esac
        exit 0

        """
}
