"""What readers of a destination need: former generations, what is current in one of them, and its documents.

Everybody may call it who has a store. It never writes, and trusts nothing that it reads.
"""
