"""What if: a discrete-event replay of what was recorded, under other circumstances.

    recording → program (each thread's steps, and who wakes whom) → machine → figures

`predict.what_if` is all of it. `program` and `wakes` say how the program is worked out, `machine` what the
GIL and the CPUs of the model do, `predict.LEFT_OUT` what they don't.
"""
