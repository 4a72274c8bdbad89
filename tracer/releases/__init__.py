"""Does this call let go of the GIL? A statement is run in a thread of its own, recorded, and judged.

`program` runs it (in any interpreter), `recording` records that, `windows` reads what its thread did,
`judgement` says what it means, `sizes` looks for the size from which on it lets go; `command` and `words` are
for people.
"""
