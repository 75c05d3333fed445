#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The way of a reading, over the real programs: sent = acknowledged = stored, sealed on disk.
. "$(dirname "$0")/lib.sh"
install_and_start

try "a fleet of six meters sends two days" \
    "$METERSEAL" meter fleet --count 6 --days 2 --seed 7 --json
cp "$WORK/out" "$WORK/fleet.json"
same "all readings are sent" 1152 "$(jq .sent "$WORK/fleet.json")"
same "all are acknowledged" 1152 "$(jq .acknowledged "$WORK/fleet.json")"
same "all are stored" 1152 "$(sql_value 'SELECT count(*) FROM reading')"
same "every day of every meter is sealed" 12 "$(sql_value 'SELECT count(*) FROM seal')"
same "nothing is strange" 0 "$(sql_value 'SELECT count(*) FROM event')"

meter=$(sql_value 'SELECT meter_id FROM meter ORDER BY meter_id LIMIT 1')
same "a key prefix gives one meter's rows" 192 \
    "$(sql_value "SELECT count(*) FROM reading WHERE meter_id = $meter")"
same "the sequence has no hole" "1 192" "$("$METERSEAL" sql --json -c \
    "SELECT min(seq), max(seq) FROM reading WHERE meter_id = $meter" | jq -r '.rows[0] | "\(.[0]) \(.[1])"')"
same "registers never fall" true "$("$METERSEAL" sql --json -c \
    "SELECT e_act FROM reading WHERE meter_id = $meter" | jq '[.rows[][0]] | . == sort')"

try "status says all is ready" "$METERSEAL" status
try "status as JSON says that sim is not secure" \
    sh -c "'$METERSEAL' status --json | jq -e '.ready and (.secure | not) and (.services | length == 5)'"
try "the doctor finds nothing wrong" "$METERSEAL" doctor
try "a value goes into the store" "$METERSEAL" kv create notes
try "and comes out again" sh -c "
    '$METERSEAL' kv put notes greeting 'a sentence that must not be readable on disk' &&
    test \"\$('$METERSEAL' kv get notes greeting)\" = 'a sentence that must not be readable on disk'"

for service in kvs sql collector authenticator aggregator; do
    port=$(($(first_port) + 10 + $(printf 'kvs\nsql\ncollector\nauthenticator\naggregator\n' |
        grep -n "^$service\$" | cut -d: -f1) - 1))
    try "$service tells its metrics" \
        sh -c "curl -sf http://127.0.0.1:$port/metrics | grep -q '^meterseal_'"
done

"$METERSEAL" down
refuse "down twice is told" 1 "is not up" "$METERSEAL" down
for words in "a sentence that must not" "greeting" "notes" "reading" "meter_id" "industry"; do
    if grep -r -a -q -e "$words" "$DIR/data"; then
        result 1 "the store's files do not show '$words'"
    else
        result 0 "the store's files do not show '$words'"
    fi
done
if grep -r -a -q -e "PRIVATE KEY" -e "msk_" "$DIR/log"; then
    result 1 "no log holds a key"
else
    result 0 "no log holds a key"
fi
try "everything starts again" "$METERSEAL" up
same "and all readings are still there" 1152 "$(sql_value 'SELECT count(*) FROM reading')"
same "and so is the value" "a sentence that must not be readable on disk" \
    "$("$METERSEAL" kv get notes greeting)"
finish
