"""The atlas: which calls of which libraries let go of the GIL, measured here.

`library` reads what to call, `survey` runs it, `kept` keeps what was measured, `page` and `figure` show it.
"""
