// What GRUB's menu does with the counter of starts, in GRUB's own language.

internal import Platform

enum StartCounterMenu {
    /// What grub-mkconfig takes into the machine's menu, behind everything else.
    static let place: BytePath = "/etc/grub.d/43_holdfast"
    /// Where a tree has it whose menu counts.
    static let placeInTree = "etc/grub.d/43_holdfast"
    private static let menu: BytePath = "/boot/grub/grub.cfg"

    /// The kernel of a state on trial starts the machine anew where it panics; Debian's entries have the variable by way of /etc/default/grub.d.
    static let kernelWords = "panic=30 oops=panic"
    /// Has every entry for Linux take those words, while there are any.
    static let setting = #"GRUB_CMDLINE_LINUX="$GRUB_CMDLINE_LINUX \$holdfast""#
    /// What has the recovery system return without being asked.
    static let returnWord = "holdfast.return"
    static let returnVariable = "holdfast_return"

    /// Whether the menu that GRUB reads counts by this file.
    static func isTaken(_ counter: StartCounter) throws -> Bool {
        guard exists(menu) else { return false }
        let text = String(decoding: try readRegular(menu, limit: 1 << 24), as: UTF8.self)
        return text.contains(counter.loaderPath.text) && text.contains("\(StartCounter.variable)=$holdfast_next")
            && text.contains(" $holdfast")
    }

    /// - Parameters:
    ///   - system: the recovery system's place, and its id.
    static func text(_ counter: StartCounter, recovery place: RecoveryPlace, id: String) -> String {
        let file = counter.loaderPath
        return """
            #!/bin/sh
            # Made by `holdfast setup`: counts the starts of a state on trial, and starts what returns from it where nobody has confirmed it.
            exec tail -n +4 "$0"
            insmod part_gpt
            insmod part_msdos
            insmod fat
            insmod ext2
            insmod xfs
            insmod loadenv
            set holdfast=
            set \(returnVariable)=
            set holdfast_place=
            set holdfast_next=
            export holdfast
            export \(returnVariable)
            search --no-floppy --file --set=holdfast_place \(file)
            if [ -n "$holdfast_place" ]; then
                set \(StartCounter.variable)=
                load_env --file ($holdfast_place)\(file) \(StartCounter.variable)
                if [ "$\(StartCounter.variable)" = 5 ]; then set holdfast_next=4
                elif [ "$\(StartCounter.variable)" = 4 ]; then set holdfast_next=3
                elif [ "$\(StartCounter.variable)" = 3 ]; then set holdfast_next=2
                elif [ "$\(StartCounter.variable)" = 2 ]; then set holdfast_next=1
                elif [ "$\(StartCounter.variable)" = 1 ]; then set holdfast_next=0
                fi
            fi
            if [ -n "$holdfast_next" ]; then
                if [ "$\(StartCounter.variable)" = 5 -o "$\(StartCounter.variable)" = 4 ]; then
                    set holdfast="\(kernelWords)"
                else
                    set \(returnVariable)=\(returnWord)
                    set default=holdfast-return
                    set timeout_style=menu
                    set timeout=5
                fi
                set \(StartCounter.variable)=$holdfast_next
                save_env --file ($holdfast_place)\(file) \(StartCounter.variable)
            fi
            if [ -n "$\(returnVariable)" ]; then
                menuentry "Holdfast: return from what is on trial" --class recovery --unrestricted --id holdfast-return {
                    insmod btrfs
                    search --no-floppy --file --set=root \(place.loaderPath)/\(id)
                    configfile ($root)\(place.loaderPath)/grub.cfg
                }
            fi

            """
    }
}
