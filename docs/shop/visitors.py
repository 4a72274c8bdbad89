"""The tutorial's visitors: 3 that ask for /photos, beside a report if told. Says how long an answer took."""

import http.client
import statistics
import sys
import threading
import time

PORT, REQUESTS = 8077, 40


def ask(path: str) -> float:
    """Return how long an answer took, in seconds."""
    begin = time.perf_counter()
    connection = http.client.HTTPConnection("127.0.0.1", PORT, timeout=60)
    connection.request("GET", path)
    connection.getresponse().read()
    connection.close()
    return time.perf_counter() - begin


def visit(path: str, requests: int, times: list[float]) -> None:
    for _ in range(requests):
        times.append(ask(path))


for _ in range(300):  # until the server is there
    try:
        ask("/photos")
        break
    except OSError:
        time.sleep(0.1)
times: list[float] = []
if "--report" in sys.argv:
    ask("/report")
visitors = [threading.Thread(target=visit, args=("/photos", REQUESTS, times)) for _ in range(3)]
for visitor in visitors:
    visitor.start()
for visitor in visitors:
    visitor.join()
milliseconds = sorted(1000 * time for time in times)
print(f"/photos: median {statistics.median(milliseconds):.0f} ms, worst {milliseconds[-1]:.0f} ms")
