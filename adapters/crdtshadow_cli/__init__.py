"""The command line, `crdtshadow`.

:mod:`~crdtshadow_cli.main` reads the arguments and turns errors into one line and an exit code.
Every command is a module with ``add_parser(commands)`` and ``run(args, out)``, listed there.
:mod:`~crdtshadow_cli.output` is where all that is printed goes, :mod:`~crdtshadow_cli.inputs` where
files come from, :mod:`~crdtshadow_cli.wording` how stamps, values and conflicts are said.
"""
