#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Determinants and tariff arithmetic of the green tariff, a third time and in another language.

usage: bills.py CASES_PROGRAM [FIRST_SEED COUNT]

Reads bills with the readings they rest on, computes every determinant, line, tax and total from
those readings with fractions and dates of Python's own, and compares to the centavo. Written from the
rules, not from the C.
"""
import json
import math
import subprocess
import sys
from datetime import date, timedelta
from fractions import Fraction

EPOCH = date(1970, 1, 1)
PULSE_W = 8


def easter(year):
    """Gauss, as completed for the Gregorian calendar."""
    a, b, c = year % 19, year % 4, year % 7
    k = year // 100
    p = (13 + 8 * k) // 25
    q = k // 4
    m = (15 - p + k - q) % 30
    n = (4 + k - q) % 7
    d = (19 * a + m) % 30
    e = (2 * b + 4 * c + 6 * d + n) % 7
    if d == 29 and e == 6:
        return date(year, 4, 19)
    if d == 28 and e == 6 and (11 * m + 11) % 30 < 19:
        return date(year, 4, 18)
    return date(year, 3, 22) + timedelta(days=d + e)


class Calendar:
    def __init__(self, doc):
        self.doc = doc
        self.holidays = {}

    def offset(self, utc):
        at = [z["offset"] for z in self.doc["zone"] if z["from"] <= utc]
        return at[-1] if at else self.doc["zone"][0]["offset"]

    def holidays_of(self, year):
        if year not in self.holidays:
            days = {easter(year) + timedelta(days=d) for d in self.doc["easter"]}
            for text in self.doc["fixed"]:
                day, _, since = text.partition("@")
                if not since or year >= int(since):
                    try:
                        days.add(date(year, int(day[:2]), int(day[3:])))
                    except ValueError:
                        pass  # 29 February
            self.holidays[year] = days
        return self.holidays[year]

    def rest(self, day):
        return day.weekday() >= 5 or day in self.holidays_of(day.year)

    def flag(self, day):
        return [f["colour"] for f in self.doc["flags"] if f["from"] <= day.isoformat()][-1]


def money(text):
    sign, text = (-1, text[1:]) if text[0] == "-" else (1, text)
    whole, _, cents = text.partition(".")
    return sign * (int(whole) * 100 + int(cents))


def scaled(text, decimals):
    value = Fraction(text) * 10**decimals
    assert value.denominator == 1
    return value.numerator


def half_even(value):
    """round() of a Fraction is half-even by definition."""
    return round(value)


class Slot:
    def __init__(self, case, index):
        bill, self.utc = case["bill"], case["bill"]["period"]["start"]
        interval = bill["parameters"]["interval_s"]
        self.utc += index * interval
        calendar, tariff = case["cal"], case["tariff"]
        offset = calendar.offset(self.utc)
        civil = self.utc + offset
        self.day = EPOCH + timedelta(days=civil // 86400)
        second = civil % 86400
        rows = tariff["weekend" if calendar.rest(self.day) else "weekday"]
        row = rows[self.day.month - 1]
        self.post = "peak" if row[second * len(row) // 86400] == "1" else "off_peak"
        self.flag = calendar.flag(self.day)
        since_window = (second // 60 - tariff["window_start_min"]) % 1440
        self.capacitive = since_window < 360
        # Hours are whole hours counted from the window's start; a clock change separates them.
        self.hour = (offset, (civil // 60 - tariff["window_start_min"]) // 60, self.post)


def agrees(demand, active, interval):
    return demand >= 0 and abs(active * 3600 // interval - demand) <= PULSE_W


def determinants(case):
    bill = case["bill"]
    meter, interval = bill["meters"][0], bill["parameters"]["interval_s"]
    start, end = bill["period"]["start"], bill["period"]["end"]
    slots = [Slot(case, i) for i in range((end - start) // interval)]
    d = {name: 0 for name in bill["determinants"]}
    hours = {}

    for s in slots:
        hours.setdefault(s.hour, [0, 0, 0, s])

    def put(slot, energy, whole):
        d[f"energy_{slot.post}_Wh"] += energy[0]
        d[f"flag_{slot.flag}_Wh"] += energy[0]
        for i in range(3):
            hours[slot.hour][i] += energy[i]
        if whole:
            key = f"demand_{slot.post}_mW"
            d[key] = max(d[key], energy[0] * 3600 * 1000 // interval)

    opening, closing = meter["opening"], meter["closing"]
    before = [opening["e_act"], opening["e_ind"], opening["e_cap"]]
    following = 0
    gaps = []
    for end_s, act, ind, cap, demand in case["records"]:
        index = (end_s - start) // interval - 1
        energy = [act - before[0], ind - before[1], cap - before[2]]
        assert min(energy) >= 0
        whole = index == following
        if not whole:
            gaps.append((start + following * interval, start + index * interval))
            whole = agrees(demand, energy[0], interval)
        put(slots[index], energy, whole)
        before, following = [act, ind, cap], index + 1
    if following < len(slots):
        gaps.append((start + following * interval, end))
        energy = [closing[k] - b for k, b in zip(("e_act", "e_ind", "e_cap"), before)]
        put(slots[-1], energy, False)

    d["hours"] = len(hours)
    d["reactive_inductive_varh"] = closing["e_ind"] - opening["e_ind"]
    d["reactive_capacitive_varh"] = closing["e_cap"] - opening["e_cap"]
    for p, inductive, capacitive, slot in hours.values():
        q = capacitive if slot.capacitive else inductive
        equivalent = 1000 * p
        if p > 0 and Fraction(p * p, p * p + q * q) < Fraction(92, 100) ** 2:
            equivalent = math.isqrt(846400 * (p * p + q * q))
            d["hours_with_excess"] += 1
            d[f"reactive_excess_{slot.post}_mWh"] += equivalent - 1000 * p
        key = f"reactive_equivalent_{slot.post}_mW"
        d[key] = max(d[key], equivalent)

    contracted = bill["parameters"]["contracted_W"] * 1000
    measured = max(d["demand_peak_mW"], d["demand_off_peak_mW"])
    limit = Fraction(case["tariff"]["overrun"]["percent"], 100) * contracted
    d["demand_measured_mW"] = measured
    d["demand_billed_mW"] = max(measured, contracted)
    d["demand_unused_mW"] = max(contracted - measured, 0)
    d["demand_overrun_mW"] = measured - contracted if measured > limit else 0
    largest = max(d["reactive_equivalent_peak_mW"], d["reactive_equivalent_off_peak_mW"])
    d["reactive_demand_excess_mW"] = max(largest - d["demand_billed_mW"], 0)
    return d, gaps


def lines(case, d):
    tariff = case["tariff"]
    price = {k: scaled(v, 5) for k, v in tariff["prices"].items()}
    flag = {k: scaled(v, 5) for k, v in tariff["flags"].items()}
    icms = Fraction(tariff["taxes"]["icms_ppm"], 10**6)
    pis = Fraction(tariff["taxes"]["pis_cofins_ppm"], 10**6)
    wanted = [
        ("demand", d["demand_measured_mW"], price["demand"], "kW"),
        ("demand_unused", d["demand_unused_mW"], price["demand"], "kW"),
        ("overrun", d["demand_overrun_mW"], price["demand"] * tariff["overrun"]["factor"], "kW"),
    ]
    for what in ("te", "tusd"):
        for post in ("off_peak", "peak"):
            wanted.append((f"{what}_{post}", d[f"energy_{post}_Wh"] * 1000,
                           price[f"{what}_{post}"], "kWh"))
    for colour in ("green", "red1", "red2", "yellow"):
        wanted.append((f"flag_{colour}", d[f"flag_{colour}_Wh"] * 1000, flag[colour], "kWh"))
    excess = d["reactive_excess_peak_mWh"] + d["reactive_excess_off_peak_mWh"]
    wanted.append(("reactive_energy", excess, price["reactive_energy"], "kWh"))
    wanted.append(("reactive_demand", d["reactive_demand_excess_mW"], price["reactive_demand"],
                   "kW"))
    for name, quantity, unit_price, unit in wanted:
        if quantity == 0 or unit_price == 0:
            continue
        i = Fraction(0) if name == "demand_unused" else icms
        # Milli-units times 10^-8 R$ are 10^-11 R$, so 10^-9 centavos.
        net = Fraction(quantity * unit_price, 10**9)
        gross = half_even(net / ((1 - i) * (1 - pis)))
        of_state = half_even(gross * i)
        federal = half_even((gross - of_state) * pis)
        yield name, unit, quantity, unit_price, gross, of_state, federal


def check(case):
    bill = case["bill"]
    case["cal"] = Calendar(case["calendar"])
    d, gaps = determinants(case)
    assert d == bill["determinants"], {
        k: (v, bill["determinants"][k]) for k, v in d.items() if v != bill["determinants"][k]}
    assert gaps == [(g["from"], g["to"]) for g in bill["meters"][0]["gaps"]], gaps
    sums = {"kW": 0, "kWh": 0}
    found = iter(bill["lines"])
    for name, unit, quantity, price, gross, icms, pis in lines(case, d):
        line = next(found)
        assert (line["id"], line["unit"]) == (name, unit), (line, name)
        assert scaled(line["quantity"], 6) == quantity, (line, quantity)
        assert scaled(line["price"], 5) == price, (line, price)
        got = [money(line[k]) for k in ("gross", "icms", "pis_cofins", "net")]
        assert got == [gross, icms, pis, gross - icms - pis], (line, gross, icms, pis)
        sums[unit] += gross
    assert next(found, None) is None, "more lines than expected"
    withheld = 0
    if bill["parameters"]["public_body"]:
        taxes = case["tariff"]["taxes"]
        withheld = half_even(Fraction(sums["kWh"] * taxes["withheld_energy_ppm"] +
                                      sums["kW"] * taxes["withheld_demand_ppm"], 10**6))
    assert money(bill["withheld"]) == withheld, withheld
    assert money(bill["total"]) == sums["kW"] + sums["kWh"] - withheld
    return len(bill["lines"]), len(gaps)


def check_easter():
    known = {2000: (4, 23), 2018: (4, 1), 2019: (4, 21), 2024: (3, 31), 2025: (4, 20),
             2026: (4, 5), 2038: (4, 25)}
    for year, (month, day) in known.items():
        assert easter(year) == date(year, month, day), year


def main():
    program = sys.argv[1]
    first, count = (int(v) for v in sys.argv[2:4]) if len(sys.argv) > 2 else (100000, 250)
    check_easter()
    totals = [0, 0, 0]
    output = subprocess.run([program, str(first), str(count)], check=True, capture_output=True)
    for number, text in enumerate(output.stdout.splitlines()):
        try:
            priced, gaps = check(json.loads(text))
        except AssertionError as e:
            print(f"not ok - seed {first + number}: {e}")
            return 1
        totals = [totals[0] + 1, totals[1] + priced, totals[2] + gaps]
    assert totals[0] == count
    print(f"ok - {totals[0]} bills with {totals[1]} lines and {totals[2]} gaps agree to the centavo")
    return 0


if __name__ == "__main__":
    sys.exit(main())
