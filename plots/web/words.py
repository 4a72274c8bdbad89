"""What the page says, in one place: the page's code fills the braces."""

from __future__ import annotations

from typing import Final

WORDS: Final = {
    "of_span": "In these {span} somebody waited for the GIL {contended} of the time, and it was held {held}.",
    "longest": "{who} waited longest: {wait}{where}.",
    "charged": "{who} held the lock for {part} of the waiting.",
    "line": "{place}, made {threads} wait {waited} in {holds}, longest {longest}.",
    "nothing": "Nobody waited for the GIL in these {span}.",
    "nothing_to_explain": "There is nothing to explain: hardly anybody waited.",
    "waited_for": "{who} waited {wait}{where}; meanwhile {count} had the lock, in turn:",
    "waited_for_lock": "{who} waited {wait} for {lock}{where}; ",
    "let_go_by": "{who} let go of it{where}.",
    "let_go_unknown": "who let go of it is not known.",
    "nobody": "nobody",
    "unknown_line": "line not recorded",
    "at": ", at {place}",
    "grid": "Boundaries of intervals are drawn to the nearest {step}; the figures of the whole trace and the"
    " shares of wide views are exact.",
    "left_out": "This file has no room for every interval: where little was waited it has exact shares of"
    " {width} only. python -m plots TRACE -o part.png --start … --end … draws the rest.",
    "no_script": "This page draws with JavaScript, which is switched off here.",
    "too_old": "This browser lacks DecompressionStream, which this page needs: use one of 2023 or later.",
    "keys": [
        ["w s", "zoom in and out (the wheel, too)"],
        ["a d", "left and right (drag, too)"],
        ["f", "fit all of the trace"],
        ["/", "search threads, lines, patterns and spans; Enter goes to the next"],
        ["↑ ↓", "the lane above or below"],
        ["← →", "the interval before or after"],
        ["Enter", "whom it waited for (click, too)"],
        ["m", "take this interval as the span (shift and drag, or drag on the axis, too)"],
        ["z", "zoom to the span"],
        ["Esc", "let go of span, arrows and highlight"],
        ["?", "these keys"],
    ],
}
