#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# A disk that runs full to the last octet, because nothing is kept in reserve: what was acknowledged
# is stored, reads go on, and with room again writes go on in the same process.
. "$(dirname "$0")/lib.sh"
install_place

if ! mount -t tmpfs -o size=288m tmpfs "$DIR/data" 2>/dev/null; then
    skip "a disk that is full to the last octet loses nothing" "mounting a small file system needs root"
    finish
    exit $?
fi
trap '"$METERSEAL" down >/dev/null 2>&1; umount "$DIR/data"; cleanup' EXIT
mkdir -p "$DIR/data/kvs" "$WORK/acked"
# Small memtables, so that tables are written, and not only the log.
printf 'disk_reserve_bytes: 1\nmemtable_bytes: 8388608\n' >>"$DIR/etc/kvs.yaml"
try "everything starts on a very small disk" "$METERSEAL" up
try "some readings are stored" "$METERSEAL" meter fleet --count 4 --days 2 --seed 1 --json
stored=$(sql_value 'SELECT count(*) FROM reading')
try "four more meters are enrolled" "$METERSEAL" meter enrol --count 4 --first 30000001 --seed 2
try "a space is made" "$METERSEAL" kv create load
kvs=$(pid_of kvs)

put() { # put NUMBER: a value of its own that does not compress, kept aside when it is acknowledged
    head -c 100000 /dev/urandom >"$WORK/value"
    "$METERSEAL" kv put load "$1" <"$WORK/value" >"$WORK/put.out" 2>"$WORK/put.err" || return 1
    cp "$WORK/value" "$WORK/acked/$1"
}

all_there() {
    for value in "$WORK"/acked/*; do
        "$METERSEAL" kv get load "$(basename "$value")" | cmp -s - "$value" || return 1
    done
}

for n in $(seq 1000 4000); do
    put "$n" || break
done
grep -q 507 "$WORK/put.err"
result $? "a put is refused with 507 when there is no room"
test "$(find "$WORK/acked" -type f | wc -l)" -gt 200
result $? "many were taken before"

"$METERSEAL" meter fleet --count 4 --days 3 --first 30000001 --seed 2 --json >"$WORK/fleet.json" \
    2>"$WORK/fleet.err" &
fleet=$!
refused=0
for n in $(seq 5000 5040); do
    put "$n" || refused=$((refused + 1))
done
test $refused -gt 30
result $? "and so are those that follow"
same "reads go on" "$stored" \
    "$(sql_value "SELECT count(*) FROM reading WHERE meter_id < 805306369")"
all_there
result $? "all that was acknowledged can be read while the disk is full"
same "the store runs on" "$kvs" "$(pid_of kvs)"

mount -o remount,size=900m "$DIR/data"
again=1
for n in $(seq 6000 6100); do
    put "$n" && again=0 && break
    sleep 0.2
done
result $again "with room again puts are taken"
wait $fleet
result $? "and the fleet comes to its end"
same "all of it is acknowledged" 1152 "$(jq .acknowledged "$WORK/fleet.json")"
same "and stored, each once" $((stored + 1152)) "$(sql_value 'SELECT count(*) FROM reading')"
same "all in the same process" "$kvs" "$(pid_of kvs)"
all_there
result $? "all that was acknowledged is there"
try "everything stops" "$METERSEAL" down
try "and starts again" "$METERSEAL" up
all_there
result $? "all that was acknowledged is there after a new start"
same "each reading, too" $((stored + 1152)) "$(sql_value 'SELECT count(*) FROM reading')"
finish
