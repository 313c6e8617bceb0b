"""`python -m crmmining`."""

from crmmining.cli import main

main()
