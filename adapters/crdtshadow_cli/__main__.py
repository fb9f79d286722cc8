"""``python -m crdtshadow_cli`` is the command ``crdtshadow``."""

from __future__ import annotations

import sys

from crdtshadow_cli.main import main

if __name__ == "__main__":
    sys.exit(main())
