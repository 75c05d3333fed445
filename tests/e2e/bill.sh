#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# From a series to proven bills, over the real programs: replay, bill, audit; what must not be billed;
# and, where the real series are at hand, the golden quantities of half a year.
. "$(dirname "$0")/lib.sh"

ROOT=$(cd "$(dirname "$0")/../.." && pwd)
TARIFFS=$ROOT/deploy/tariff
DATA=$SHARED/data

install_and_start

# The calendar whose days are those of the meters: standard time all year.
bill() { # bill TARIFF arguments...
    tariff=$1
    shift
    "$METERSEAL" bill run --tariff "$tariff" --calendar "$TARIFFS/calendar-meters.yaml" "$@"
}

# billing "fact" STATUS JQ-CONDITION arguments of bill: status and answer.
billing() {
    fact=$1
    want=$2
    condition=$3
    shift 3
    bill "$@" --json >"$WORK/bill.json" 2>"$WORK/err"
    status=$?
    if [ $status -eq "$want" ] && jq -e "$condition" "$WORK/bill.json" >/dev/null; then
        result 0 "$fact"
    else
        echo "# status $status, wanted $want with $condition"
        sed 's/^/# /' "$WORK/bill.json" "$WORK/err" | cut -c 1-600 | head -10
        result 1 "$fact"
    fi
}

audit() {
    "$METERSEAL" audit --institute "$DIR/pki/institute.crt" --json "$@"
}

meter_number() { # serial -> the id as SQL has it
    printf '%d' "0x$1"
}

rows_of() { # serial
    sql_value "SELECT count(*) FROM reading WHERE meter_id = $(meter_number "$1")"
}

# serial -> how many sequences are known missing, and for which reasons
gaps_of() {
    "$METERSEAL" sql --json -c "SELECT first_seq, last_seq, reason FROM gap
        WHERE meter_id = $(meter_number "$1")" |
        jq -r '.rows | "\(map(.[1] - .[0] + 1) | add // 0) \(map(.[2]) | unique)"'
}

# A counter of the collector, once it is at least that; services publish them every second or so.
collector_count() { # NAME AT-LEAST
    for _ in $(seq 50); do
        count=$(curl -s "http://127.0.0.1:$(($(first_port) + 12))/metrics" |
            awk -v name="meterseal_collector_$1_total" '$1 == name { print $2 }')
        [ "${count:-0}" -ge "$2" ] && break
        sleep 0.1
    done
    echo "$count"
}

# --- a made-up series with a gap and two doubled rows ---

# Four days from Monday, 4 March 2024. An hour of the second night is missing; a row of the third day
# comes twice, and the row behind it once more with another figure.
awk 'BEGIN {
    print "start,kwh,kvarh_lag,kvarh_lead"
    for (i = 0; i < 384; i++) {
        hour = int(i % 96 / 4)
        row = sprintf("2024-03-%02dT%02d:%02d,%d.%02d,%d.%02d,%d.%02d", 4 + int(i / 96), hour,
                      15 * (i % 4), 3 + (hour > 6) * 9 + (hour > 17), i * 7 % 100,
                      1 + (hour > 6) * 5, i * 3 % 100, hour < 6, i * 5 % 100)
        if (i < 104 || i >= 108) print row
        if (i == 230) print row
        if (i == 231) { sub(/,[0-9]*\./, ",1.", row); print row }
    }
}' >"$WORK/series.csv"
ID=30000001
METER=00000000$ID

try "a series with a gap and doubled rows is replayed" \
    "$METERSEAL" meter replay --csv "$WORK/series.csv" --id $ID --json
cp "$WORK/out" "$WORK/replay.json"
same "all its rows are read" "382 2" "$(jq -r '"\(.rows) \(.doubles)"' "$WORK/replay.json")"
same "each interval is stored once" 380 "$(rows_of $ID)"
same "the gap is known missing: the meter had no power" "4 [1]" "$(gaps_of $ID)"
same "the row that came with other content is an event" 1 "$(sql_value "SELECT count(*) FROM event
    WHERE meter_id = $(meter_number $ID) AND code = 'conflict' AND value = 232")"
same "and the only one" 1 "$(sql_value "SELECT count(*) FROM event")"
same "the equal one is counted" 1 "$(collector_count duplicates 1)"
same "the first of two different rows is the one that counts" "$(jq .wh "$WORK/replay.json")" \
    "$(sql_value "SELECT max(e_act) FROM reading WHERE meter_id = $(meter_number $ID)")"

PERIOD="--from 2024-03-04 --to 2024-03-08 --meter $METER"
sed 's/^production: false/production: true/' "$TARIFFS/a4-green-example.yaml" >"$WORK/production.yaml"
# shellcheck disable=SC2086 # a list of arguments
billing "a production tariff bills no simulated readings" 1 '.billed == 0 and
    (.refusals[0].reasons | map(.reason) == ["test"]) and
    (.refusals[0].reasons[0].text | test("380 readings of a simulated meter.*production: true"))' \
    "$WORK/production.yaml" $PERIOD
# shellcheck disable=SC2086
bill "$WORK/production.yaml" $PERIOD >"$WORK/out" 2>&1
same "and says so to people too" 1 "$(grep -c 'simulated meter, and the tariff says production' "$WORK/out")"

row=$(sql_value "SELECT ts FROM reading WHERE meter_id = $(meter_number $ID) AND seq = 200")
quality() { # quality VALUE of that row
    "$METERSEAL" sql -c "UPDATE reading SET quality = $1
        WHERE meter_id = $(meter_number $ID) AND ts = $row" >/dev/null 2>&1
}
for mark in 1:suspect 2:invalid; do
    quality "${mark%:*}"
    # shellcheck disable=SC2086
    billing "a reading marked ${mark#*:} waits for an operator" 1 "(.refusals[0].reasons |
        map(.reason) == [\"quality\"]) and .refusals[0].reasons[0].to == $row and
        (.refusals[0].reasons[0].text | test(\"readings 200 to 200 are ${mark#*:}\"))" \
        "$TARIFFS/a4-green-example.yaml" $PERIOD
done
quality 0
# shellcheck disable=SC2086
billing "after the decision it is billed" 0 '.billed == 1 and .refused == 0' \
    "$TARIFFS/a4-green-example.yaml" $PERIOD
BUNDLE=$DIR/bills/2024-03-04_2024-03-08/$METER
same "the bill lists the gap" '[380,384,{"from":1709614800,"to":1709618400}]' \
    "$(jq -c '.meters[0] | [.received, .expected] + .gaps' "$BUNDLE/bill.json")"
try "a third arithmetic agrees to the centavo" python3 "$ROOT/tests/oracle/bundles.py" "$DIR/bills"
try "the audit finds nothing" audit "$BUNDLE"

# --- a row doubled in the store, under a key that is free ---

double=$("$METERSEAL" sql --json -c "SELECT * FROM reading
    WHERE meter_id = $(meter_number $ID) AND ts = $row" |
    jq -r '.rows[0] | .[1] += 1 | map(if . == null then "NULL" else tostring end) | join(", ")')
try "a row is doubled in the store" "$METERSEAL" sql -c "INSERT INTO reading VALUES ($double)"
try "and exported" "$METERSEAL" bill export --out "$DIR/bills/2024-03-04_2024-03-08" --all
audit "$BUNDLE" >"$WORK/audit.json"
same "the audit names duplicate and clock" '40 {"E303":1,"E406":1}' \
    "$? $(jq -cS .counts "$WORK/audit.json")"
same "both at its sequence" "[200,200]" "$(jq -c '[.findings[].sequence]' "$WORK/audit.json")"
rm -r "$DIR/bills"

# --- half a year of a steel plant ---

if [ ! -r "$DATA/Steel_2018H1.csv" ]; then
    skip "the golden quantities of half a year" "no $DATA/Steel_2018H1.csv"
    skip "a year of a building" "no $DATA/EastCampus_2018.csv"
    skip "a month with a real gap" "no $DATA/SocialScience_2018.csv"
    finish
    exit
fi
ID=20000001
METER=00000000$ID
GREEN=$TARIFFS/a4-green-2018.yaml
try "half a year of a steel plant is replayed" \
    "$METERSEAL" meter replay --csv "$DATA/Steel_2018H1.csv" --id $ID --json
same "all readings are stored" 17376 "$(rows_of $ID)"
same "and none is missing" "0 []" "$(gaps_of $ID)"
same "each day is sealed" 181 \
    "$(sql_value "SELECT count(*) FROM seal WHERE meter_id = $(meter_number $ID)")"
for month in 01 02 03 04 05 06; do
    billing "2018-$month is billed" 0 '.billed == 1 and .refused == 0' "$GREEN" \
        --period 2018-$month --meter $METER
done
try "quantities are the golden ones, amounts agree to the centavo, bills join" python3 \
    "$ROOT/tests/oracle/bundles.py" "$DIR/bills" --golden "$DATA/golden_quantities_2018H1.json"
audit --all "$DIR/bills" >"$WORK/audit.json"
same "the audit finds all six clean" "0 6 0" \
    "$? $(jq -r '"\(.clean) \(.findings | length)"' "$WORK/audit.json")"
billing "a month of daylight saving time has other days than the meter sealed" 1 \
    '(.refusals[0].reasons | map(.reason) | index("seal_missing")) != null' \
    "$GREEN" --calendar "$TARIFFS/calendar-br-2018.yaml" --period 2018-01 --meter $METER --out "$WORK/summer"
rm -r "$DIR/bills"

# --- buildings, in a zone that changes its clocks ---

ID=20000002
try "a year of a building is replayed" "$METERSEAL" meter replay \
    --csv "$DATA/EastCampus_2018.csv" --zone los_angeles --id $ID --json
same "each row is stored" "$(($(wc -l <"$DATA/EastCampus_2018.csv") - 1))" "$(rows_of $ID)"
# The file has one of the two autumn hours; local time left nothing out in spring.
same "the hour that the file lacks is known missing" "4 [1]" "$(gaps_of $ID)"

ID=20000003
METER=00000000$ID
awk -F, 'NR == 1 || $1 ~ /^2018-07/' "$DATA/SocialScience_2018.csv" >"$WORK/july.csv"
try "a month with a real gap is replayed" "$METERSEAL" meter replay \
    --csv "$WORK/july.csv" --zone los_angeles --id $ID --json
same "each of its rows is stored" 2966 "$(rows_of $ID)"
same "the gap is known missing" "10 [1]" "$(gaps_of $ID)"
billing "the whole days of it are billed" 0 '.billed == 1' "$GREEN" \
    --from 2018-07-02 --to 2018-08-01 --meter $METER
same "the bill lists the gap that crosses midnight" 10 \
    "$(jq '.meters[0].gaps | map(.to - .from) | add / 900' "$DIR"/bills/*/$METER/bill.json)"
try "the third arithmetic agrees" python3 "$ROOT/tests/oracle/bundles.py" "$DIR/bills"
audit --all "$DIR/bills" >"$WORK/audit.json"
same "and the audit" "0 1" "$? $(jq -r .clean "$WORK/audit.json")"
same "no reading came twice with other content" 1 \
    "$(sql_value "SELECT count(*) FROM event WHERE code = 'conflict'")"
finish
