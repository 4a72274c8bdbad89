"""What a recording needs of Python, shared by the bootstrap (any interpreter from 2.7 on) and by tracer's API."""

VERSION = "0.1.0"
