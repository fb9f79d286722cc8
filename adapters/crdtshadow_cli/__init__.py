"""The command line, `crdtshadow`."""
