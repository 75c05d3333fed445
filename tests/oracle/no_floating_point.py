#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""No floating point in billing and audit, nor in the documents they share.

usage: no_floating_point.py SOURCE_ROOT
"""
import pathlib
import re
import sys

FOLDERS = ("src/report/billing", "src/report/audit")
DOCUMENTS = ("bill", "bill_read", "bundle", "calendar", "canon", "fixed", "tariff")
WORDS = re.compile(r"\b(double|float|sqrtl?f?|round|lround|floor|ceil|strtod|json_real\w*|"
                   r"json_write_number|json_number_value)\b|math\.h")
COMMENT = re.compile(r"/\*.*?\*/|\"(?:\\.|[^\"\\])*\"", re.S)


def main():
    root = pathlib.Path(sys.argv[1])
    files = [p for f in FOLDERS for p in (root / f).glob("*.[ch]")]
    files += [root / "src/lib/wire" / (d + s) for d in DOCUMENTS for s in (".c", ".h")
              if (root / "src/lib/wire" / (d + s)).exists()]
    bad = 0
    for path in files:
        text = COMMENT.sub(lambda m: "\n" * m.group().count("\n"), path.read_text())
        for number, line in enumerate(text.splitlines(), 1):
            if WORDS.search(line):
                print(f"not ok - {path.relative_to(root)}:{number}: {line.strip()}")
                bad += 1
    print(f"ok - no floating point in {len(files)} files" if bad == 0 else f"{bad} places")
    return 1 if bad or len(files) < 20 else 0


if __name__ == "__main__":
    sys.exit(main())
