"""`python -m mimica` is `mimica`."""

import sys

from mimica.cli import main

if __name__ == "__main__":
    sys.exit(main())
