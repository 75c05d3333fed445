# shellcheck shell=sh
# SPDX-License-Identifier: Apache-2.0
# For end-to-end tests over the real programs: one installation in a new directory with free ports,
# TAP on standard output, everything stopped and removed at the end.
#
#     . "$(dirname "$0")/lib.sh"
#     install_and_start
#     try "a fact" command arguments...
#     finish

set -u

METERSEAL=${METERSEAL:-$(cd "$(dirname "$0")/../.." && pwd)/build/bin/meterseal}
# Real series for the tests that can use them; they say skipped when it is not there.
export SHARED="${METERSEAL_SHARED:-$(cd "$(dirname "$0")/../.." && pwd)/../shared}"
WORK=$(mktemp -d /tmp/meterseal-e2e-XXXXXX)
DIR=$WORK/place
export METERSEAL_DIR="$DIR"
test_count=0
failed_count=0

cleanup() {
    "$METERSEAL" down --dir "$DIR" >/dev/null 2>&1
    if [ "$failed_count" -gt 0 ] && [ -d "$DIR/log" ]; then
        grep -h -E "level=(warn|error)" "$DIR"/log/*.log | tail -n 30 | cut -c 1-300 | sed 's/^/# /'
    fi
    rm -rf "$WORK"
}
trap cleanup EXIT
trap 'exit 1' INT TERM

result() { # result STATUS "fact"
    test_count=$((test_count + 1))
    if [ "$1" -eq 0 ]; then
        echo "ok $test_count - $2"
    else
        failed_count=$((failed_count + 1))
        echo "not ok $test_count - $2"
    fi
}

skip() { # skip "fact" "why"
    test_count=$((test_count + 1))
    echo "ok $test_count - $1 # SKIP $2"
}

# The command must succeed; what it prints is told when it does not.
try() {
    fact=$1
    shift
    "$@" >"$WORK/out" 2>"$WORK/err"
    status=$?
    [ $status -eq 0 ] || sed 's/^/# /' "$WORK/out" "$WORK/err" | head -30
    result $status "$fact"
}

# refuse "fact" STATUS "words" command: must end with that status and say these words on stderr.
refuse() {
    fact=$1
    want=$2
    words=$3
    shift 3
    "$@" >"$WORK/out" 2>"$WORK/err"
    status=$?
    if [ $status -eq "$want" ] && grep -q -e "$words" "$WORK/err"; then
        result 0 "$fact"
    else
        echo "# status $status, wanted $want with '$words'"
        sed 's/^/# /' "$WORK/err" | head -10
        result 1 "$fact"
    fi
}

# same "fact" WANT GOT
same() {
    if [ "$2" = "$3" ]; then
        result 0 "$1"
    else
        echo "# wanted $2"
        echo "# got    $3"
        result 1 "$1"
    fi
}

install_place() {
    "$METERSEAL" init "$DIR" --first-port auto >"$WORK/out" 2>&1 || {
        sed 's/^/# /' "$WORK/out"
        echo "Bail out! no installation"
        exit 1
    }
}

install_and_start() {
    install_place
    "$METERSEAL" up >"$WORK/out" 2>&1 || {
        sed 's/^/# /' "$WORK/out"
        echo "Bail out! the services do not start"
        failed_count=1
        exit 1
    }
}

sql_value() { # the first column of the first row
    "$METERSEAL" sql --json -c "$1" | jq -r '.rows[0][0]'
}

first_port() {
    cat "$DIR/etc/ports"
}

pid_of() {
    cat "$DIR/run/$1.pid"
}

wait_ready() { # until all services are ready again, at most 60 s
    for _ in $(seq 300); do
        "$METERSEAL" status >/dev/null 2>&1 && return 0
        sleep 0.2
    done
    return 1
}

finish() {
    echo "1..$test_count"
    [ "$failed_count" -eq 0 ]
}
