#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# docs/tour.md cannot rot: its blocks marked sh are run in order, each by a shell that ends at the
# first command that fails, and what they must show is shown.
. "$(dirname "$0")/lib.sh"
PAGE=$(cd "$(dirname "$0")/../.." && pwd)/docs/tour.md
REAL=$(cd "$(dirname "$METERSEAL")" && pwd)/$(basename "$METERSEAL")
METERSEAL=$REAL
export DIR="$WORK/meterseal-data" # as the page has it
unset METERSEAL_DIR

# The page takes the usual ports; here any free ones.
mkdir "$WORK/bin"
cat >"$WORK/bin/meterseal" <<END
#!/bin/sh
[ "\$1" != init ] || exec "$REAL" "\$@" --first-port auto
exec "$REAL" "\$@"
END
chmod +x "$WORK/bin/meterseal"

# One file a block: 01, 02 ...
awk -v dir="$WORK" '/^```sh$/ { n++; on = 1; name = sprintf("%s/block.%02d", dir, n); next }
                    /^```/ { on = 0 }
                    on { print >name }' "$PAGE"
blocks=$(find "$WORK" -name 'block.*' | sort)
[ -n "$blocks" ]
result $? "the page has blocks"

cd "$WORK" || exit 1
: >"$WORK/all.out"
for block in $blocks; do
    PATH=$WORK/bin:$PATH sh -e "$block" >"$WORK/out" 2>&1
    status=$?
    [ $status -eq 0 ] || sed 's/^/# /' "$WORK/out" | tail -20
    result $status "$(grep -m 1 '^meterseal' "$block" | cut -c 1-70)"
    cat "$WORK/out" >>"$WORK/all.out"
done

shows() { # shows COUNT "pattern": so many lines of all output have it
    same "shown: $2" "$1" "$(grep -c -e "$2" "$WORK/all.out")"
}
shows 1 "29760 readings sent, 29760 acknowledged"
shows 1 "^nothing$"
shows 1 "^10 of 10 bundles clean"
shows 1 "8 of 10 bundles clean; E301 x 1, E308 x 3, E402 x 2, E502 x 2, E601 x 1, E401 x 1"
shows 1 "E203: the bill is not signed by the utility"
shows 2 "exit status 60"
shows 1 "2688 readings sent, 2688 acknowledged"
shows 1 "^1 of 1 bundles clean"
shows 1 "57600 readings sent, 57600 acknowledged"
shows 1 "an older state was put back"
shows 1 "this was written today"
same "the thief whose days changed is first" 0000000010000004 \
    "$(sed -n 's/^1  *\(0[0-9a-f]*\) .*/\1/p' "$WORK/all.out")"

try "the demo runs by itself" "$METERSEAL" demo --meters 6 --days 10 --json
same "and catches what it tampered with, and nobody else" "3 0" \
    "$(jq -r '.audits | "\(.tampered_caught) \(.wrongly_accused)"' "$WORK/out")"
finish
