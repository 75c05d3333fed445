#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Bundles on disk, as `meterseal bill run` writes them, once more by the arithmetic of bills.py.

usage: bundles.py FOLDER [--golden FILE]

Computes every bill below FOLDER from its readings to the centavo, and that the bills of each meter
join: each opens with the seal that closed the one before, and names its hash. With --golden, the
quantities of the bills are those of the file, month by month, no more and no less.
"""
import hashlib
import json
import struct
import sys
from datetime import datetime, timedelta, timezone
from pathlib import Path

import bills

RECORD_BYTES = 156
DEMAND_MISSING = -(2**31)


def records(path):
    """(end, active, inductive, capacitive, demand) of each canonical record."""
    octets = path.read_bytes()
    assert len(octets) % RECORD_BYTES == 0, f"{path}: a cut record"
    for at in range(0, len(octets), RECORD_BYTES):
        (end,) = struct.unpack_from(">I", octets, at + 16)
        demand, active, inductive, capacitive = struct.unpack_from(">iQQQ", octets, at + 128)
        yield end, active, inductive, capacitive, demand if demand != DEMAND_MISSING else -1


def load(folder):
    text = (folder / "bill.json").read_bytes()
    return {
        "bill": json.loads(text),
        "hash": hashlib.sha256(b"meterseal.bill.v1\0" + text).hexdigest(),
        "tariff": json.loads((folder / "tariff.json").read_bytes()),
        "calendar": json.loads((folder / "calendar.json").read_bytes()),
        "records": list(records(folder / "readings.bin")),
    }


def check_counts(case):
    bill = case["bill"]
    meter, period = bill["meters"][0], bill["period"]
    expected = (period["end"] - period["start"]) // bill["parameters"]["interval_s"]
    missing = sum(g["to"] - g["from"] for g in meter["gaps"]) // bill["parameters"]["interval_s"]
    assert meter["expected"] == expected, (meter["expected"], expected)
    assert meter["received"] == meter["measured"] == len(case["records"]) == expected - missing


def check_chain(cases):
    """The bills of one meter, by time."""
    for before, now in zip(cases, cases[1:]):
        a, b = before["bill"], now["bill"]
        assert b["period"]["start"] == a["period"]["end"], "the periods do not join"
        assert b["previous"] == before["hash"], "the hash of the bill before"
        assert b["meters"][0]["opening"] == a["meters"][0]["closing"], "the seals do not join"
    assert cases[0]["bill"]["previous"] is None


def month_of(bill, offset):
    start = datetime.fromtimestamp(bill["period"]["start"], timezone.utc)
    return (start + timedelta(seconds=offset)).strftime("%Y-%m")


def quantities(bill):
    d = bill["determinants"]

    def per_post(name, unit=1):
        return {post: d[name.format(post)] // unit for post in ("peak", "off_peak")}

    return {
        "intervals": bill["meters"][0]["received"],
        "energy_Wh": per_post("energy_{}_Wh"),
        "max_demand_15min_W": per_post("demand_{}_mW", 1000),
        "reactive_excess_mWh": per_post("reactive_excess_{}_mWh"),
        "max_hourly_equivalent_demand_mW": per_post("reactive_equivalent_{}_mW"),
    }


def check_golden(cases, golden):
    found = [{"month": month_of(c["bill"], bills.Calendar(c["calendar"]).offset(
        c["bill"]["period"]["start"])), **quantities(c["bill"])} for c in cases]
    for got, want in zip(found, golden["months"]):
        assert got == want, f"{got} is not {want}"
    assert len(found) == len(golden["months"]), f"{len(found)} bills"
    totals = golden["totals"]
    sums = {k: sum(c["bill"]["determinants"][k] for c in cases)
            for k in cases[0]["bill"]["determinants"]}
    for ours, theirs in (("hours", "hours"), ("hours_with_excess", "hours_with_excess"),
                         ("reactive_inductive_varh", "lagging_varh"),
                         ("reactive_capacitive_varh", "leading_varh")):
        assert sums[ours] == totals[theirs], (ours, sums[ours], totals[theirs])


def main():
    folder = Path(sys.argv[1])
    golden = json.loads(Path(sys.argv[3]).read_bytes()) if sys.argv[2:3] == ["--golden"] else None
    meters = {}
    for path in folder.glob("**/bill.json"):
        case = load(path.parent)
        meters.setdefault(case["bill"]["meters"][0]["id"], []).append(case)
    if not meters:
        print(f"not ok - no bills below {folder}")
        return 1
    count = lines = gaps = 0
    for meter, cases in meters.items():
        cases.sort(key=lambda c: c["bill"]["period"]["start"])
        try:
            for case in cases:
                check_counts(case)
                priced, missing = bills.check(case)
                count, lines, gaps = count + 1, lines + priced, gaps + missing
            check_chain(cases)
            if golden:
                check_golden(cases, golden)
        except AssertionError as e:
            print(f"not ok - meter {meter}: {e}")
            return 1
    print(f"ok - {count} bills of {len(meters)} meters with {lines} lines and {gaps} gaps agree")
    return 0


if __name__ == "__main__":
    sys.exit(main())
