#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# kill -9 of any one service while the fleet sends: the supervisor starts it again, nothing that was
# acknowledged is lost, nothing is stored twice.
. "$(dirname "$0")/lib.sh"
install_and_start

METERS=4
DAYS=6
READINGS=$((METERS * DAYS * 96))
round=0
for service in kvs sql collector authenticator aggregator; do
    first=$((20000001 + round * 100))
    round=$((round + 1))
    "$METERSEAL" meter enrol --count $METERS --first $first --seed $round >/dev/null 2>&1
    "$METERSEAL" meter fleet --count $METERS --first $first --days $DAYS --seed $round --json \
        >"$WORK/fleet.json" 2>"$WORK/fleet.err" &
    fleet=$!
    sleep 0.7
    old=$(pid_of $service)
    kill -9 "$old"
    wait $fleet
    result $? "the fleet ends well although $service was killed"
    same "$service: all readings are acknowledged" $READINGS "$(jq .acknowledged "$WORK/fleet.json")"
    wait_ready
    result $? "$service is ready again"
    if [ "$(pid_of $service)" != "$old" ]; then
        result 0 "$service runs anew"
    else
        result 1 "$service runs anew"
    fi
    same "$service: stored is what was sent, each once" $((READINGS * round)) \
        "$(sql_value 'SELECT count(*) FROM reading')"
done
same "no reading came twice with other content" 0 \
    "$(sql_value "SELECT count(*) FROM event WHERE code = 'conflict'")"
finish
