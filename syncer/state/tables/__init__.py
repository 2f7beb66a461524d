"""The ledger and the store in SQL that SQLite and PostgreSQL both understand: one meaning, written once.

`state/sqlite` and `state/postgres` open a database and hand in its transactions; `Transaction` names what each of them
does in its own words. Nothing here knows which of the two it speaks to.
"""
