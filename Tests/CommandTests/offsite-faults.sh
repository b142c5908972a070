# For bash, to be read by OffsiteFaultTests: a store `off` behind a line with faults, and what has to hold whatever happened.
#
# Wanted: the program as `holdfast`, this folder with `tree` in it, and `store_url NAME` and `store_settings` (set by the test). What is
# not as it should be is one line of output; so is nothing else.
# shellcheck shell=bash

mkdir -p line trees seen tree/sub
[ -e tree/fixed ] || { head -c 600000 /dev/urandom > tree/fixed; seq 20000 > tree/text; ln -s ../text tree/sub/link; }

# What becomes of the requests from the next one on: options of Tests/Servers/faults.
faults() {
    printf '%s' "$*" > line/new
    mv line/new line/control
}

# How many requests there were since then.
requests() {
    local mark number
    # Before the first one nobody has counted.
    [ -e line/count ] || { echo 0; return; }
    read -r mark number _ < line/count
    # Nothing was asked since the control file is another one.
    [ "$mark" = "$(stat -c '%i' line/control).$(stat -c '%.9Y' line/control | tr -d .).$(stat -c '%s' line/control)" ] || number=0
    echo "$number"
}

# Whether the store may lack images that this machine has seen elsewhere.
behind=

# An empty store `off`, in the place of the one before.
begin() {
    printf '[stores.off]\nurl = "%s"\n%s\ncreate = true\n' "$(store_url "$1")" "$(store_settings)" > config.toml
    faults
    rm -rf seen trees near-* replica-*
    mkdir seen trees
    store=$1
}

# The same, with an image in it.
begun() {
    begin "$1"
    must holdfast store init off --quiet
    next "begun-$1"
}

# Changes the tree, and keeps what it is now by this name, which is in it.
change() {
    head -c $((50000 + RANDOM * 10)) /dev/urandom > tree/changing
    echo "$1" > tree/name
    rm -rf "trees/$1"
    cp -a tree "trees/$1"
}

# A command, to be judged: it succeeds, or says in one sentence what it could not.
judged() {
    local status=0
    "$@" > said 2>&1 || status=$?
    verdict "$status" "$*"
}

verdict() {
    last=$1
    case $last in
        0) ! grep -qE '^(error|damaged): ' said || echo "$2: succeeded, and said: $(tr '\n' ' ' < said)" ;;
        1 | 3) [ "$(grep -cE '^(error|damaged): ' said)" = 1 ] && [ "$(grep -vc '^warning: ' said)" -le 2 ] || echo "$2: status $last, with other than one sentence: $(tr '\n' ' ' < said)" ;;
        *) echo "$2: status $last: $(tr '\n' ' ' < said)" ;;
    esac
}

# A command that nothing stands in the way of.
must() {
    "$@" > said 2>&1 || echo "$*: status $?: $(tr '\n' ' ' < said)"
}

# Every image that is listed is what its tree was, read by somebody who has seen nothing of it before. Those of an earlier call are not
# read again.
whole() {
    local id
    faults
    rm -rf fresh
    # Where a copy ended before its time, it is said that images of this machine are not there yet.
    holdfast images --from off --json > images.json 2> said || [ "$? $behind" = "3 yes" ] || echo "images: $(tr '\n' ' ' < said)"
    # What says itself that it is unfinished is no image to rely on.
    python3 -c 'import json; [print(i["image"]) for i in json.load(open("images.json"))["images"] if not i["unfinished"]]' > list
    while read -r id; do
        [ ! -e "seen/$id" ] || continue
        rm -rf out
        XDG_CACHE_HOME=$PWD/fresh must holdfast restore "$id" --from off --to out --quiet
        diff -r --no-dereference "trees/$(cat out/name)" out > /dev/null || echo "image $id is not what its tree was"
        cp out/name "seen/$id"
    done < list
}

# Whether a step does without what others have done as well.
sparing=

# The next backup needs nothing to be unlocked, and is whole.
next() {
    [ -z "$sparing" ] || return 0
    faults
    change "$1"
    must holdfast backup tree --to off --quiet
    whole
    grep -qx "$1" seen/* || echo "$1 is not listed"
}

# What is there is undamaged: nothing is cited that is gone.
undamaged() {
    faults
    local allowed='ended before it was finished'
    [ "$behind" != yes ] || allowed="$allowed\\|a copy that is behind\\|not chosen when this copy was made"
    holdfast verify --from "${1:-off}" --read-data --quiet > said 2>&1 || { [ -s said ] && ! grep -v "$allowed" said > /dev/null; } ||
        echo "verify: $(tr '\n' ' ' < said)"
}

# --- Steps that meet faults: NAME, and the faults.

first() {
    begin "$1"
    change "$1"
    faults "$2"
    judged holdfast store init off --quiet
    # What was begun is found and made whole by the same command.
    if [ "$last" != 0 ]; then
        faults
        must holdfast store init off --quiet
        faults "$2"
    fi
    judged holdfast backup tree --to off --quiet
    passed=$(requests) gave=$last
    whole
    next "$1-next"
}

second() {
    change "$1"
    faults "$2"
    judged holdfast backup tree --to off --quiet
    passed=$(requests) gave=$last
    whole
    next "$1-next"
}

# To the store, of an image that it does not have.
sent() {
    local near=near-$store
    faults
    must holdfast copy --from off --to "$near" --quiet
    change "$1"
    must holdfast backup tree --to "$near" --quiet
    faults "$2"
    judged holdfast copy --from "$near" --to off --quiet
    passed=$(requests) gave=$last
    [ "$last" = 0 ] || behind=yes
    whole
    must holdfast copy --from "$near" --to off --quiet
    behind=
    [ -z "$sparing" ] || whole
    next "$1-next"
    grep -qx "$1" seen/* || echo "$1 was not copied"
}

# From the store.
fetched() {
    faults "$2"
    judged holdfast copy --from off --to "replica-$1" --quiet
    passed=$(requests) gave=$last
    faults
    must holdfast copy --from off --to "replica-$1" --quiet
    undamaged "replica-$1"
}

restored() {
    local newest
    rm -rf result fresh
    faults "$2"
    XDG_CACHE_HOME=$PWD/fresh judged holdfast restore latest --from off --to result --quiet
    passed=$(requests) gave=$last
    faults
    if [ "$last" != 0 ]; then
        # What is there is whole.
        [ ! -d result ] || diff -r --no-dereference -x '.holdfast-partial-*' tree result | grep -v '^Only in tree'
        must holdfast restore latest --from off --to result --quiet
    fi
    newest=$(cat result/name)
    diff -r --no-dereference "trees/$newest" result > /dev/null || echo "$newest is not restored"
}

# A step; what is not as it should be is said with its name and faults.
step() {
    "$@" > problems
    [ ! -s problems ] || sed "s#^#$2 $3: #" problems
}

# A step with faults at some of its requests.
some() {
    step "$1" "$1-some" "--cut-before 2,19,70 --cut-after 7,13,90 --cut-within 10"
}

# A step with one fault at each of its requests: those that are so many apart in one run. Of the runs a line of `runs` tells.
apart=24
every() {
    local number count gaveup=0
    # Without faults, and counted.
    step "$1" "$1-whole-$2" "--delay 0"
    count=$passed
    for number in $(seq $((count < apart ? count : apart))); do
        # A store that grows costs more each time, and tells no more.
        sparing=
        [ $((number % 8)) != 0 ] || begun "$1-$2-of-$number"
        # That nothing has to be unlocked is shown by the next run, too.
        [ $((number % 4)) = 0 ] || sparing=yes
        step "$1" "$1-$2-$number" "--$2 $(seq -s , "$number" "$apart" "$count")"
        [ "$gave" = 0 ] || gaveup=$((gaveup + 1))
        rm -rf replica-*
    done
    sparing=
    echo "$1 $2: $count requests, $((count < apart ? count : apart)) runs, of which $gaveup said that they could not, $SECONDS s" >> runs
}

# --- Ends that nobody planned.

# What ssh and its like are known by, where there are any: none may outlive the program.
child=

no_child() {
    [ -n "$child" ] || return 0
    for _ in $(seq 100); do
        pgrep -f "$child" > /dev/null || return 0
        sleep 0.1
    done
    echo "left behind: $(pgrep -af "$child" | head -3 | tr '\n' ' ')"
}

# A command, killed at a moment of the time that it takes, which is $span.
killed() {
    local process
    "$@" > said 2>&1 &
    process=$!
    sleep "$(awk -v part=$RANDOM -v span="$span" 'BEGIN { print part / 32768 * span }')"
    kill -9 $process 2> /dev/null
    { wait $process; } 2> /dev/null
    no_child
}

timed() {
    local begun=$EPOCHREALTIME
    "$@"
    span=$(awk -v from="$begun" -v to="$EPOCHREALTIME" 'BEGIN { print to - from }')
}

# Kills: BACKUP-, COPY- and RESTORE- and a number, and how many of each.
kills() {
    local number near=near-$store
    faults
    change kills
    timed must holdfast backup tree --to off --quiet
    for number in $(seq "$1"); do
        change "kill-$number"
        killed holdfast backup tree --to off --quiet
        whole
    done
    undamaged
    next after-backups
    must holdfast copy --from off --to "$near" --quiet
    change copied
    must holdfast backup tree --to "$near" --quiet
    timed must holdfast copy --from "$near" --to off --quiet
    for number in $(seq "$1"); do
        change "copied-$number"
        must holdfast backup tree --to "$near" --quiet
        killed holdfast copy --from "$near" --to off --quiet
        behind=yes
        whole
    done
    undamaged
    must holdfast copy --from "$near" --to off --quiet
    behind=
    next after-copies
    rm -rf result
    timed must holdfast restore latest --from off --to result --quiet
    for number in $(seq "$1"); do
        rm -rf result
        killed holdfast restore latest --from off --to result --quiet
        [ ! -d result ] || diff -r --no-dereference -x '.holdfast-partial-*' tree result | grep -v '^Only in tree'
        must holdfast restore latest --from off --to result --quiet
        diff -r --no-dereference tree result > /dev/null || echo "$number: not restored"
    done
    undamaged
}

# A laptop that is closed in the middle of a backup, is taken where there is no network, and comes back after so many seconds.
day() {
    local process
    change "$1"
    head -c 2500000 /dev/urandom > tree/grown
    cp tree/grown "trees/$1/"
    faults --rate 0.7
    holdfast backup tree --to off --quiet > said 2>&1 &
    process=$!
    sleep 1.5
    kill -STOP $process || echo "it had ended"
    faults "$2"
    sleep "$3"
    kill -CONT $process
    sleep 2
    faults
    wait $process
    verdict $? "a day"
    rm tree/grown
    whole
    next "$1-next"
}

# A command that is asked to end while the server is silent, from a request on, ends at once.
stopped() {
    local process status begun took
    change "$1"
    rm -rf result fresh
    faults --silent-after "$2"
    XDG_CACHE_HOME=$PWD/fresh "${@:3}" > said 2>&1 &
    process=$!
    for _ in $(seq 200); do
        [ "$(requests)" -le "$2" ] || break
        sleep 0.1
    done
    sleep 1.5
    begun=$EPOCHREALTIME
    kill -TERM $process
    wait $process
    status=$?
    took=$(awk -v from="$begun" -v to="$EPOCHREALTIME" 'BEGIN { printf "%.1f", to - from }')
    echo "$1 $took s" >> took
    [ "$status" = 130 ] || echo "$1: status $status: $(tr '\n' ' ' < said)"
    awk -v took="$took" 'BEGIN { exit took > 5 }' || echo "$1: it took $took s to end"
    no_child
}

# A server that is silent until the client gives it up, and then answers again.
silent() {
    change "$1"
    faults --silent-after "$2"
    holdfast backup tree --to off --quiet > said 2>&1 &
    sleep "$3"
    faults
    wait $!
    verdict $? "a silence of $3 s"
    whole
    next "$1-next"
}

# --- Secrets

# What can be seen of a command and of those that it started, while it runs; that of its children alone in `children`.
watched() {
    local process one
    ulimit -c unlimited
    "$@" > said 2>&1 &
    process=$!
    : > shown
    : > children
    while kill -0 $process 2> /dev/null; do
        cat /proc/$process/cmdline /proc/$process/environ /proc/$process/comm >> shown 2> /dev/null
        cat /proc/$process/limits > limits.new 2> /dev/null && mv limits.new limits
        for one in $(pgrep -P $process); do cat "/proc/$one/cmdline" "/proc/$one/environ" >> children 2> /dev/null; done
        sleep 0.05
    done
    wait $process
    verdict $? "$*"
    grep -q 'Max core file size *0 *0 ' limits || echo "a core may be written: $(grep core limits)"
}
