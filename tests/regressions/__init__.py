"""Bugs that others had: what went wrong in programs of this kind, each as a test here, by name and with its link.

What it proves: the very situations that broke others do not break this library, whatever its code looks like next year.
What it cannot: that it has no bugs of its own kind; `test_own` holds those that were found here, and the other layers
look for more. The situations were rebuilt from the reports in terms of shadows; none of their code was used.

`catalogue` lists the reports; `test_catalogue` fails if one has no test, or a test's docstring has no link.
"""
