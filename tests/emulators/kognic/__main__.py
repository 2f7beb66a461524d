"""`python -m tests.emulators.kognic`: the platform in this process."""

from tests.emulators.kognic.process import main

main()
