#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Figures come in one form, with the machine they are of.
. "$(dirname "$0")/lib.sh"

has() { # has "fact" FILTER: the filter says true of the last output
    jq -e "$2" "$WORK/out" >"$WORK/jq" 2>&1
    result $? "$1"
}

try "the idle bench measures a server of its own" "$METERSEAL" bench idle --quick --json
has "the report names bench and machine" '.bench == "idle" and .machine.cores > 0'
has "an idle TLS connection costs some KiB" \
    '.results[] | select(.name == "idle/server") | .value > 1024 and .value < 65536 and .unit == "octets"'
has "a GET costs some CPU time" '.results[] | select(.name == "get") | .value > 0 and .unit == "us"'
# shellcheck disable=SC2016 # the inner shell expands
refuse "too few descriptors are told" 1 "ulimit -n" \
    sh -c 'ulimit -n 256; exec "$0" bench idle --quick' "$METERSEAL"
refuse "an unknown bench" 2 "usage" "$METERSEAL" bench nothing
finish
