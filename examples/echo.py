"""An I/O thread that echoes UDP packets on loopback, beside threads that compute: how long do answers take?

    python examples/echo.py [CPU_THREADS] [SWITCH_INTERVAL] [SECONDS] [FILE]
    python -m tracer examples/echo.py 1

The client is a process of its own, so it shares no GIL with them: it sends the next packet when it has the
answer to the one before. FILE gets a line for each: when it was sent and answered, in ns.
"""

import socket
import subprocess
import sys
import time
from threading import Thread


def serve(server: socket.socket) -> None:
    while True:
        packet, address = server.recvfrom(64)
        server.sendto(packet, address)


def compute() -> None:
    while True:
        pass


def ask(port: int, seconds: float, path: str) -> None:
    client = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    client.connect(("127.0.0.1", port))
    begin = time.monotonic_ns()
    times = [(begin, begin)]
    while times[-1][1] < begin + seconds * 1e9:
        sent = time.monotonic_ns()
        client.send(b"packet")
        client.recv(64)
        times.append((sent, time.monotonic_ns()))
    latencies = sorted(answered - sent for sent, answered in times[1:])
    print(f"rate    {len(latencies) * 1e9 / (times[-1][1] - begin):.1f} requests/s")
    print(f"median  {latencies[len(latencies) // 2] / 1e6:.6f} ms")
    if path:
        with open(path, "w") as file:
            file.writelines(f"{sent} {answered}\n" for sent, answered in times[1:])


if __name__ == "__main__":
    if sys.argv[1:2] == ["ask"]:
        ask(int(sys.argv[2]), float(sys.argv[3]), sys.argv[4])
        sys.exit()
    cpu_threads, interval, seconds, path = [*sys.argv[1:], *["1", "0.005", "2", ""][len(sys.argv) - 1 :]]
    sys.setswitchinterval(float(interval))
    server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    server.bind(("127.0.0.1", 0))
    Thread(target=serve, args=(server,), name="I/O", daemon=True).start()
    for n in range(int(cpu_threads)):
        Thread(target=compute, name=f"CPU {n + 1}", daemon=True).start()
    port = str(server.getsockname()[1])
    sys.exit(subprocess.call([sys.executable, __file__, "ask", port, seconds, path]))
