"""``python -m crdtshadow_cli.demo_data`` writes ``fleet.jsonl`` anew, beside this file."""

from __future__ import annotations

from pathlib import Path

from crdtshadow_cli.demo_data import FILE, live

if __name__ == "__main__":
    Path(__file__).with_name(FILE).write_bytes("".join(f"{line}\n" for line in live().lines).encode())
