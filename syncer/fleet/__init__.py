"""A fleet: workers on any number of machines that do the runs of one configuration together (extra `postgres`).

The rows of a run (`orders`, `shares`) are the truth; the task queue procrastinate only carries their numbers to whoever
is free. `submit` and `control` speak to those rows alone; `worker` and what it stands on import the queue, which takes
half a second. `cli` comes in here. Nothing here knows what an item is: `flow` does the work, in parts.
"""
