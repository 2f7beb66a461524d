"""`python -m syncer.demo.platform`."""

from syncer.demo.platform.server import main

main()
