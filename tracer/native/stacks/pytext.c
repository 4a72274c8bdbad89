/* Runs in hooks: no allocation. */
#include "stacks/pytext.h"

static uint32_t character(struct gs_pytext text, uint64_t index)
{
    if (text.kind == 1)
        return (unsigned char)text.characters[index];
    if (text.kind == 2)
        return gs_load(uint16_t, text.characters, 2 * index);
    return gs_load(uint32_t, text.characters, 4 * index);
}

static int encode(uint32_t code, char *out)
{
    if (code < 0x80) {
        out[0] = (char)code;
        return 1;
    }
    int size = code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
    for (int i = size - 1; i > 0; i--, code >>= 6)
        out[i] = (char)(0x80 | (code & 0x3F));
    out[0] = (char)((0xF00 >> size & 0xFF) | code);
    return size;
}

void gs_pytext_append(struct gs_pytext text, bool one_line, char **at, const char *end)
{
    for (uint64_t i = 0; text.characters != NULL && i < text.length; i++) {
        uint32_t code = character(text, i);
        if (code == 0 || code > 0x10FFFF || (code >= 0xD800 && code < 0xE000) || (one_line && code == '\n'))
            code = 0xFFFD;
        char encoded[4];
        int size = encode(code, encoded);
        if (end - *at < size)
            return;
        memcpy(*at, encoded, (size_t)size);
        *at += size;
    }
}
