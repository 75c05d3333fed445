#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# A full disk: writes are refused, reads go on, nothing acknowledged is lost, and when there is room
# again everything goes on by itself.
. "$(dirname "$0")/lib.sh"
install_place

if ! mount -t tmpfs -o size=800m tmpfs "$DIR/data" 2>/dev/null; then
    skip "a full disk loses nothing" "mounting a small file system needs root"
    finish
    exit $?
fi
trap '"$METERSEAL" down >/dev/null 2>&1; umount "$DIR/data"; cleanup' EXIT
mkdir -p "$DIR/data/kvs"
try "everything starts on a small disk" "$METERSEAL" up
try "some readings are stored" "$METERSEAL" meter fleet --count 4 --days 2 --seed 1 --json
stored=$(sql_value 'SELECT count(*) FROM reading')
same "they are all there" 768 "$stored"

try "four more meters are enrolled" "$METERSEAL" meter enrol --count 4 --first 30000001 --seed 2
head -c 900000000 /dev/zero >"$DIR/data/ballast" 2>/dev/null
sleep 2 # the store looks at the free space once a second
"$METERSEAL" meter fleet --count 4 --days 3 --first 30000001 --seed 2 --json >"$WORK/fleet.json" 2>"$WORK/fleet.err" &
fleet=$!
sleep 5
refuse "a value is refused with the reason" 1 "507" "$METERSEAL" kv put sql never stored
same "reads go on while the disk is full" "$stored" \
    "$(sql_value "SELECT count(*) FROM reading WHERE meter_id < 805306369")"
if kill -0 $fleet 2>/dev/null; then
    result 0 "the fleet still waits: nothing is acknowledged that is not stored"
else
    result 1 "the fleet still waits: nothing is acknowledged that is not stored"
fi
rm "$DIR/data/ballast"
wait $fleet
result $? "with room again the fleet comes to its end"
same "all of it is acknowledged" 1152 "$(jq .acknowledged "$WORK/fleet.json")"
same "and stored, each once" $((stored + 1152)) "$(sql_value 'SELECT count(*) FROM reading')"
finish
