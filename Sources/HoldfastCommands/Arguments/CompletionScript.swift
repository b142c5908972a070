// ArgumentParser's completion scripts, with what they lack put right: functions of the same names stand behind theirs.

enum CompletionScript {
    static let option = "--generate-completion-script"

    static func mended(_ script: String, of program: String) -> String {
        func named(_ text: String) -> String { text.replacing("PROGRAM", with: program) }
        let bashEnd = "complete -o filenames -F _\(program) \(program)"
        if script.contains(bashEnd) { return script.replacing(bashEnd, with: named(bash)) }
        let zshEnd = "if [[ \"${funcstack[1]}\" = _\(program) ]]"
        if script.contains(zshEnd) {
            return withEquals(script).replacing(zshEnd, with: named(zsh) + zshEnd)
        }
        return script + "\n" + named(fish)
    }

    /// For bash ArgumentParser takes every word for a file, so that a verb gets a slash where a folder has its name, and does not know that
    /// readline breaks words at : and =, which times, URLs and `--option=value` have.
    private static let bash = #"""
        # Adds what begins with the current word: files and folders, or words, a line / among which stands for folders.
        __PROGRAM_add_completions() {
            local completion
            if [[ "${1}" != -W || $'\n'"${2}"$'\n' = *$'\n/\n'* ]]; then
                compopt -o filenames 2> /dev/null
                [[ "${1}" != -W ]] || set -- -d -W "${2%/}"
                while IFS='' read -r completion; do
                    COMPREPLY+=("${completion}")
                done < <(IFS=$'\n' compgen "${@}" -- "${cur}")
                return
            fi
            while IFS='' read -r completion; do
                [[ "${cur}" = [\"\']* ]] || printf -v completion %q "${completion}"
                COMPREPLY+=("${completion}")
            done < <(IFS=$'\n' compgen "${@}" -- "${cur}")
        }

        __PROGRAM_custom_complete() {
            "${COMP_WORDS[0]}" "${@}" "${COMP_WORDS[@]}" 2> /dev/null
        }

        # Completes with words that end at blanks alone.
        __PROGRAM_complete() {
            local line="${COMP_LINE:0:${COMP_POINT}}" word blank
            local -a words=("${COMP_WORDS[0]}") after=("${COMP_WORDS[@]:$((COMP_CWORD + 1))}")
            local -i index
            line="${line#*"${COMP_WORDS[0]}"}"
            for ((index = 1; index <= COMP_CWORD; index++)); do
                blank=false
                while [[ "${line}" = [[:space:]]* ]]; do line="${line:1}" blank=true; done
                # The current one ends at the cursor.
                word="${COMP_WORDS[index]}"
                if [[ "${index}" -eq "${COMP_CWORD}" ]]; then
                    [[ -n "${line}" || "${COMP_LINE:${COMP_POINT}:1}" != [[:space:]] ]] || after=("${word}" "${after[@]}")
                    word="${line}"
                fi
                line="${line#"${word}"}"
                if "${blank}"; then words+=("${word}"); else words[${#words[@]} - 1]+="${word}"; fi
            done
            word="${words[${#words[@]} - 1]}"
            if [[ "${word}" = --*=* ]]; then
                words[${#words[@]} - 1]="${word%%=*}"
                words+=("${word#*=}")
                word="${word#*=}"
            fi

            # What readline replaces is the end of the word.
            local -r prefix="${word%"${2}"}"
            [[ -n "${prefix}" ]] || word="${2}"
            local -a COMP_WORDS=("${words[@]}" "${after[@]}")
            local -i COMP_CWORD="$((${#words[@]} - 1))"
            COMPREPLY=()
            _PROGRAM "${1}" "${word}" "${words[${#words[@]} - 2]}"
            for index in "${!COMPREPLY[@]}"; do COMPREPLY[index]="${COMPREPLY[index]#"${prefix}"}"; done
        }

        complete -F __PROGRAM_complete PROGRAM
        """#

    /// Lets the options of a script for zsh that take a value take it behind a = as well.
    private static func withEquals(_ script: String) -> String {
        script.split(separator: "\n", omittingEmptySubsequences: false).map { line in
            let spec = line.drop { $0 == " " }
            // In a description brackets and colons have a backslash.
            guard spec.hasPrefix("'--") || spec.hasPrefix("'*--"), spec.contains("]:"),
                let end = spec.firstIndex(of: "[")
            else { return String(line) }
            return line[..<end] + "=" + line[end...]
        }.joined(separator: "\n")
    }

    /// A line / stands for folders.
    private static let zsh = #"""
        __PROGRAM_custom_complete() {
            local -a completions
            completions=("${(@f)"$("${command_name}" "${@}" "${command_line[@]}" 2> /dev/null)"}")
            local -i result=1
            if ((${completions[(Ie)/]})); then
                completions=("${(@)completions:#/}")
                _files -/ && result=0
            fi
            if [[ "${#completions[@]}" -gt 1 ]]; then
                __PROGRAM_complete "${completions[@]:0:-1}" && result=0
            fi
            return "${result}"
        }


        """#

    /// The same.
    private static let fish = #"""
        functions -e __PROGRAM_custom_completion_alone
        functions -c __PROGRAM_custom_completion __PROGRAM_custom_completion_alone

        function __PROGRAM_custom_completion
            for line in (__PROGRAM_custom_completion_alone $argv 2> /dev/null)
                if test "$line" = /
                    __fish_complete_directories (commandline -ct)
                else if test -n "$line"
                    printf '%s\n' $line
                end
            end
        end

        # The package's own puts a blank's backslash twice.
        function __PROGRAM_complete_directories
            __fish_complete_directories (commandline -ct)
        end
        """#
}
