"""`python -m tests.contract.documents` says which generated parts are out of date; `--write` renews them."""

import argparse
import sys

from tests.contract.documents.all import outdated


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true", help="renew them")
    write = parser.parse_args().write
    found = outdated()
    for path, text in found.items():
        if write:
            path.write_text(text)
        else:
            print(f"{path.name} is out of date; run: python -m tests.contract.documents --write")
    return 1 if found and not write else 0


if __name__ == "__main__":
    sys.exit(main())
