/* A stamp that is earlier than the one before it, where a packet ends: the next packet begins with the later one. Built
 * with the core's sources, whose inner functions it calls. */
#include <stdio.h>
#include <string.h>

#include "stream/stream.h"

int main(void)
{
    static _Alignas(4096) char memory[2][GS_PACKET_SIZE];
    static struct gs_stream stream;
    stream.packet = (struct gs_packet_header *)memory[0];
    stream.next = (struct gs_packet_header *)memory[1];
    stream.used = GS_PACKET_SIZE - GS_EVENT_SIZE;
    stream.tid = 7;
    gs_stream_write(&stream, 1000, gs_gil_acquired, 0, 0);
    gs_stream_write(&stream, 930, gs_gil_released, 0, 0);
    const struct gs_event *event = (const struct gs_event *)(memory[1] + GS_HEADER_SIZE);
    printf("%d %lu %lu %lu\n", stream.packet == (struct gs_packet_header *)memory[1],
           (unsigned long)stream.packet->timestamp_begin, (unsigned long)stream.packet->timestamp_end,
           (unsigned long)event->timestamp);
    return 0;
}
