"""The lecture gallery: every experiment of the GIL talks, run on this machine, measured and drawn.

    python -m plots.gallery [NAME ...] [-o figures/]

An experiment is a module in `experiments/`: it says what it needs, arranges programs from `examples/`, has
them run and recorded, and draws what came out. What all of them share is here: running (`lab`,
`interpreters`), drawing (`slide`, `lanes`, `charts`), what was published (`published`), and what is kept
(`results`, `pages`).
"""
