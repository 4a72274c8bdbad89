"""A process beside another that is killed before it could look a last time."""

import os
import signal
import sys

print("ready", flush=True)
sys.stdin.read()
os.kill(os.getpid(), signal.SIGBUS)
