#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# What must be refused, each with a clear message and the right status, and nothing lost.
. "$(dirname "$0")/lib.sh"

refuse "no verb" 2 "usage" "$METERSEAL"
refuse "an unknown verb" 2 "no verb frobnicate" "$METERSEAL" frobnicate
refuse "an unknown option" 2 "unknown option --colour" "$METERSEAL" status --colour
refuse "a directory that is none" 1 "meterseal init" "$METERSEAL" up
mkdir -m 0777 "$WORK/open"
refuse "init where others may write" 1 "can be changed by others" "$METERSEAL" init "$WORK/open"
mkdir -p "$WORK/own/etc" "$WORK/elsewhere"
chmod -R go-w "$WORK/own"
ln -s "$WORK/elsewhere" "$WORK/own/secrets"
refuse "init through a link that was there before" 1 "is a link" "$METERSEAL" init "$WORK/own"
same "no secret went there" "" "$(ls "$WORK/elsewhere")"
install_place
refuse "init over an installation" 1 "already a Meterseal directory" "$METERSEAL" init "$DIR"

: >"$WORK/held"
# A port in use: another program holds the SQL port.
python3 -c "
import socket, time
s = socket.socket(); s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
s.bind(('127.0.0.1', $(first_port) + 1)); s.listen(); print('held', flush=True); time.sleep(60)" >"$WORK/held" &
holder=$!
while ! grep -q held "$WORK/held"; do sleep 0.1; done
refuse "a port in use is named" 1 "$(($(first_port) + 1))" "$METERSEAL" up
kill $holder
wait $holder 2>/dev/null

mv "$DIR/pki/sql.crt" "$DIR/pki/sql.crt.away"
refuse "a missing certificate is named" 1 "sql.crt" "$METERSEAL" up
mv "$DIR/pki/sql.crt.away" "$DIR/pki/sql.crt"
chmod 644 "$DIR/pki/sql.key"
refuse "a key that others may read is named" 1 "sql.key" "$METERSEAL" up
chmod 600 "$DIR/pki/sql.key"
cp "$DIR/etc/sql.yaml" "$WORK/sql.yaml"
echo "speed: fast" >>"$DIR/etc/sql.yaml"
refuse "an unknown setting is named" 1 "speed" "$METERSEAL" up
cp "$WORK/sql.yaml" "$DIR/etc/sql.yaml"
for end in crt key; do
    mv "$DIR/pki/kvs.$end" "$WORK/kvs.$end"
    cp -p "$DIR/pki/authenticator.$end" "$DIR/pki/kvs.$end"
done
refuse "another service of our CA does not pass for the store" 1 "'kvs'" "$METERSEAL" up
for end in crt key; do
    mv "$WORK/kvs.$end" "$DIR/pki/kvs.$end"
done

try "then everything starts" "$METERSEAL" up
refuse "a second up on one directory" 1 "already up" "$METERSEAL" up

SQL=https://127.0.0.1:$(($(first_port) + 1))
KVS=https://127.0.0.1:$(first_port)
CA=$DIR/pki/ca.crt
SQL_KEY=$(cat "$DIR/secrets/sql-cli.key")
KVS_KEY=$(cat "$DIR/secrets/kvs-cli.key")

status_of() { # curl arguments -> HTTP status; the body is in $WORK/body
    curl -s -o "$WORK/body" -w '%{http_code}' --cacert "$CA" "$@"
}

same "a wrong API key is 401" 401 "$(status_of -H "Authorization: Bearer msk_aaaaaaaa_$(head -c 43 /dev/zero | tr '\0' a)" "$KVS/v1/kv/sql/x")"
same "no API key is 401" 401 "$(status_of "$KVS/v1/kv/sql/x")"
same "a key without the right is 403" 403 \
    "$(status_of -X PUT -d v -H "Authorization: Bearer $(cat "$DIR/secrets/kvs-billing.key")" "$KVS/v1/kv/sql/x")"
same "a key too long is 400" 400 \
    "$(status_of -X PUT -d v -H "Authorization: Bearer $KVS_KEY" "$KVS/v1/kv/sql/$(head -c 1025 /dev/zero | tr '\0' k)")"
same "an unknown space is 404" 404 \
    "$(status_of -X PUT -d v -H "Authorization: Bearer $KVS_KEY" "$KVS/v1/kv/nowhere/k")"
head -c 5000000 /dev/zero | tr '\0' ' ' >"$WORK/large"
same "a body too large is 413" 413 \
    "$(status_of -X POST --data-binary "@$WORK/large" -H "Authorization: Bearer $SQL_KEY" "$SQL/sql")"
same "unknown SQL is 400" 400 \
    "$(status_of -X POST -d '{"sql":"FROBNICATE reading"}' -H "Authorization: Bearer $SQL_KEY" "$SQL/sql")"
same "with a syntax error's SQLSTATE" 42601 "$(jq -r .error.code "$WORK/body")"
same "an unknown table is 42P01" 42P01 \
    "$(status_of -X POST -d '{"sql":"SELECT * FROM nothing"}' -H "Authorization: Bearer $SQL_KEY" "$SQL/sql" >/dev/null; jq -r .error.code "$WORK/body")"
refuse "the command line tells the SQLSTATE" 1 "42P01" "$METERSEAL" sql -c "SELECT * FROM nothing"
if curl -s --tlsv1.2 --tls-max 1.2 --cacert "$CA" "$KVS/healthz" >/dev/null 2>&1; then
    result 1 "TLS 1.2 is refused"
else
    result 0 "TLS 1.2 is refused"
fi
if curl -s --cacert "$CA" "https://127.0.0.1:$(($(first_port) + 2))/" >/dev/null 2>&1; then
    result 1 "the collector talks to nobody without a certificate"
else
    result 0 "the collector talks to nobody without a certificate"
fi

printf 'start,kwh,kvarh_lag,volume\n2018-01-01T00:00,1.00,0.50,0.00\n' >"$WORK/column.csv"
refuse "a CSV with a bad column" 1 "no column \"kvarh_lead\"" "$METERSEAL" meter replay --csv "$WORK/column.csv"
printf 'start,kwh,kvarh_lag,kvarh_lead\n2018-01-01T00:00,1.00,many,0.00\n' >"$WORK/number.csv"
refuse "a CSV with a bad number names the line" 1 "line 2" "$METERSEAL" meter replay --csv "$WORK/number.csv"

before=$("$METERSEAL" sql --json -c "SELECT count(*) FROM event" | jq '.rows[0][0]')
head -c 4096 /dev/urandom >"/dev/null"
python3 -c "
import os, socket
s = socket.create_connection(('127.0.0.1', $(first_port) + 4)); s.sendall(os.urandom(4096)); s.close()"
same "noise on the meters' port changes nothing" "$before" "$(sql_value 'SELECT count(*) FROM event')"
try "and all services are still ready" "$METERSEAL" status

"$METERSEAL" kv create damaged
head -c 200000 /dev/urandom | "$METERSEAL" kv put damaged large
file=$(find "$DIR/data/kvs/o" -size +195k -size -197k)
printf '!' | dd of="$file" bs=1 seek=20000 conv=notrunc 2>/dev/null
refuse "a changed octet of a sealed file is told" 1 "data_loss" "$METERSEAL" kv get damaged large
try "and the log names the file" grep -q "event=data_loss.*$(basename "$file")" "$DIR/log/kvs.log"
"$METERSEAL" kv delete damaged large

kill -9 "$(cat "$DIR/run/lock")"
sleep 0.2
refuse "services without a supervisor are named" 1 "still runs without a supervisor" "$METERSEAL" up
for service in aggregator authenticator collector sql kvs; do
    kill "$(pid_of $service)"
done
sleep 2
try "and when they are ended, everything starts again" "$METERSEAL" up
"$METERSEAL" init "$WORK/other" --first-port "$(first_port)" >/dev/null
refuse "the ports of another installation are not taken for its own" 1 "another installation" \
    "$METERSEAL" up --dir "$WORK/other"
finish
