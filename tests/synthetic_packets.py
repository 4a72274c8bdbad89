"""Packets and metadata of a written trace: see `synthetic`."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import numpy.typing as npt

from analysis.reader.format import (
    CTF_MAGIC,
    EVENT_RECORD,
    FORMAT_VERSION,
    HEADER_SIZE,
    NAME_RECORD,
    PACKET_HEADER,
    PACKET_SIZE,
    STREAM_NAMES,
    Event,
    Name,
    Native,
    Sched,
)

EVENT_IDS = {event.name.lower(): int(event) for event in Event}
NAME_IDS = {name.name.lower(): int(name) for name in Name}


def one_packet(records: npt.NDArray[np.void], stream_class: int, pid: int) -> bytes:
    """Return these events as a packet."""
    header = np.zeros(1, PACKET_HEADER)
    header["magic"], header["stream_class"], header["pid"] = CTF_MAGIC, stream_class, pid
    header["timestamp_begin"], header["timestamp_end"] = records["timestamp"][[0, -1]]
    header["content_size"] = 8 * (HEADER_SIZE + records.nbytes)
    header["packet_size"] = 8 * PACKET_SIZE
    return (header.tobytes() + records.tobytes()).ljust(PACKET_SIZE, b"\0")


def name_packets(names: list[tuple[int, int, int, str]], pid: int) -> npt.NDArray[np.void]:
    """Return the packets of a names stream of (time, kind, ref, text)."""
    packets: list[tuple[int, int, bytearray]] = []
    for time, kind, ref, text in sorted(names, key=lambda record: record[0]):
        record = np.array([(time, kind, 0, ref)], NAME_RECORD).tobytes() + text.encode() + b"\0"
        if not packets or len(packets[-1][2]) + 8 + len(record) > PACKET_SIZE:
            packets.append((time, time, bytearray(HEADER_SIZE)))
        begin, _, content = packets[-1]
        packets[-1] = (begin, time, content + bytes(-len(content) % 8) + record)
    data = b"".join(bytes(content.ljust(PACKET_SIZE, b"\0")) for _, _, content in packets)
    table = np.frombuffer(bytearray(data), EVENT_RECORD).reshape(
        len(packets), PACKET_SIZE // EVENT_RECORD.itemsize
    )
    headers = packet_headers(table, STREAM_NAMES, pid)
    headers["timestamp_begin"] = [begin for begin, _, _ in packets]
    headers["timestamp_end"] = [end for _, end, _ in packets]
    headers["content_size"] = [8 * len(content) for _, _, content in packets]
    return table


def packet_headers(packets: npt.NDArray[np.void], stream_class: int, pid: int) -> npt.NDArray[np.void]:
    """Return the headers in these packets, with what is the same in all of them."""
    headers = packets[:, : HEADER_SIZE // EVENT_RECORD.itemsize].view(PACKET_HEADER)[:, 0]
    headers["magic"] = CTF_MAGIC
    headers["stream_class"] = stream_class
    headers["packet_size"] = 8 * PACKET_SIZE
    headers["pid"] = pid
    return headers


def metadata(pid: int, ppid: int, begin: int, utc_offset: int, environment: dict[str, Any]) -> str:
    """Return the TSDL text of a process, as the recorder writes it."""
    known: dict[str, Any] = {
        "hostname": "synthetic",
        "argv": ["script.py"],
        "executable": "/usr/bin/python3",
        "python_implementation": "CPython",
        "python_version": "3.11.7",
        "python_build": "3.11.7 (synthetic)",
        "switch_interval_ns": 5_000_000,
        "cpus": 2,
        "kernel": "6.1.0",
        "gilscope_version": "0.1.0",
    }
    known.update(environment)
    known["argv"] = json.dumps(list(known["argv"]))
    env = {"gilscope_format": FORMAT_VERSION, "pid": pid, "ppid": ppid, "recording_start": begin, **known}
    context = (
        "packet.context := struct { timestamp_t timestamp_begin; timestamp_t timestamp_end;"
        " uint64_t content_size; uint64_t packet_size; uint64_t events_discarded; uint32_t tid; uint32_t pid;"
        " uint64_t given_up; uint64_t reserved[8]; };"
    )
    header = "event.header := struct { timestamp_t timestamp; uint16_t id; };"
    lines = ["/* CTF 1.8 */"]
    lines += [
        f"typealias integer {{ size = {bits}; align = {bits}; signed = false; }} := uint{bits}_t;"
        for bits in (8, 16, 32, 64)
    ]
    lines += [
        "trace { major = 1; minor = 8; byte_order = le;"
        " packet.header := struct { uint32_t magic; uint32_t stream_id; }; };",
        "env {",
        *(f"  {key} = {_literal(value)};" for key, value in env.items()),
        "};",
        f"clock {{ name = monotonic; freq = 1000000000; offset = {utc_offset}; }};",
        "typealias integer { size = 64; align = 64; signed = false; map = clock.monotonic.value; }"
        " := timestamp_t;",
        f"stream {{ id = 0; {context} {header} event.context := struct {{ uint16_t gil; }}; }};",
    ]
    lines += [
        f'event {{ name = "{name}"; id = {number}; stream_id = 0; fields := struct {{ uint32_t arg; }}; }};'
        for name, number in EVENT_IDS.items()
    ]
    lines += [f"stream {{ id = 1; {context} {header} }};"]
    lines += [
        f'event {{ name = "{name}"; id = {number}; stream_id = 1;'
        " fields := struct { uint32_t ref; string text; }; };"
        for name, number in NAME_IDS.items()
    ]
    if env.get("kind") == "sched":
        lines += [f"stream {{ id = 2; {context} {header} event.context := struct {{ uint16_t cpu; }}; }};"]
        lines += [
            f'event {{ name = "{event.name.lower()}"; id = {event}; stream_id = 2;'
            " fields := struct { uint32_t tid; }; };"
            for event in Sched
        ]
        lines += [
            "typealias integer { size = 64; align = 32; signed = false; } := address_t;",
            f"stream {{ id = 4; {context} {header} event.context := struct {{ uint16_t cpu; }}; }};",
            f'event {{ name = "native_sample"; id = {Native.NATIVE_SAMPLE:d}; stream_id = 4;'
            " fields := struct { uint32_t tid; address_t address; }; };",
        ]
    return "\n".join(lines) + "\n"


def _literal(value: object) -> str:
    if isinstance(value, int):
        return str(value)
    return '"' + str(value).replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'
