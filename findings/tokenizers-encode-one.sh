#!/bin/sh
# tokenizers 0.23.3: `encode(text)` holds the GIL from begin to end, `encode_batch([text])` lets go of it.
#
# The result is the same. A server that tokenizes one long prompt at a time blocks its event loop and all other
# threads with `encode`; putting the one text into a list is enough to set them free.
#
# Exit status 0: it is still so; 1: it has changed. PYTHON: the interpreter (3.11 or later).
set -eu
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
"${PYTHON:-python3}" -m venv "$place/venv"
"$place/venv/bin/python" -m pip install -q --only-binary :all: tokenizers==0.23.3
"$place/venv/bin/python" - <<'PROGRAM'
import threading, time


def pause(call):
    """Share of a call's time for which a thread that wakes up each millisecond got no turn; least of three."""
    least = 1.0
    for _ in range(3):
        stamps, over = [], threading.Event()

        def tick():
            while not over.is_set():
                stamps.append(time.perf_counter())
                time.sleep(0.001)

        thread = threading.Thread(target=tick)
        thread.start()
        time.sleep(0.05)
        begin = time.perf_counter()
        call()
        end = time.perf_counter()
        over.set()
        thread.join()
        marks = [begin, *(stamp for stamp in stamps if begin < stamp < end), end]
        least = min(least, max(b - a for a, b in zip(marks, marks[1:])) / (end - begin))
    return least


import os

os.environ["TOKENIZERS_PARALLELISM"] = "false"
from tokenizers import Tokenizer, models, pre_tokenizers, trainers

tokenizer = Tokenizer(models.BPE())
tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
tokenizer.train_from_iterator(["abc abd acd bcd"] * 10, trainers.BpeTrainer(vocab_size=50, show_progress=False))
letters = str.maketrans("0123456789", "abcdabcdab")
text = " ".join(f"{i:05}" for i in range(300_000)).translate(letters)
assert tokenizer.encode(text).ids == tokenizer.encode_batch([text])[0].ids
found = {
    "encode": pause(lambda: tokenizer.encode(text)),
    "encode_batch": pause(lambda: tokenizer.encode_batch([text])),
}
print(", ".join(f"{what}: {share:.0%} of its time in one pause" for what, share in found.items()))

assert found["encode"] > 0.8, "encode lets go of the GIL now"
assert found["encode_batch"] < 0.2, "encode_batch holds the GIL now"
PROGRAM
