"""State in PostgreSQL, for processes on more than one machine (extra `postgres`; psycopg is imported on first use).

`state/open.py` opens a store here. Nothing here knows what the rows mean: the statements stand in `state/tables`.
"""
