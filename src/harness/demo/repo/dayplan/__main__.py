import sys
from pathlib import Path

from dayplan.agenda import read, report


def main() -> None:
    if len(sys.argv) != 2:
        sys.exit("usage: python -m dayplan AGENDA")
    print(report(read(Path(sys.argv[1]).read_text(encoding="utf-8"))))


main()
