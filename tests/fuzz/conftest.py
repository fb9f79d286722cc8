"""What pytest leaves alone here: it needs atheris, which only `make deep` installs."""

collect_ignore = ["instrumented.py"]
