"""The six-step walk of a shadow event: ingest, decode, merge, resolve, store, publish."""
