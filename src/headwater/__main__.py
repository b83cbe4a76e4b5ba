"""`python -m headwater` is the command line."""

from headwater.app.cli import main

main()
