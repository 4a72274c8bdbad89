/* Hashing, for tables that are looked up in hooks. */
#ifndef GILSCOPE_HASH_H
#define GILSCOPE_HASH_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* Folds the 128-bit product of its arguments, which differ from the constants below in every use. */
static inline uint64_t gs_mix(uint64_t a, uint64_t b)
{
    unsigned __int128 product = (unsigned __int128)(a ^ UINT64_C(0xA0761D6478BD642F)) * (b ^ UINT64_C(0xE7037ED1A0B428DB));
    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

static inline uint64_t gs_rotate(uint64_t value, unsigned bits)
{
    return value << bits | value >> (64 - bits);
}

static inline uint64_t gs_word(const char *at)
{
    uint64_t word;
    memcpy(&word, at, sizeof word);
    return word;
}

static inline uint64_t gs_half(const char *at)
{
    uint32_t half;
    memcpy(&half, at, sizeof half);
    return half;
}

/* Of more than 16 bytes: the first 16, and the last 16. */
static inline uint64_t gs_hash_two_ends(const char *first, const char *last, size_t size)
{
    return gs_mix(gs_word(first) ^ size, gs_word(first + 8)) ^ gs_rotate(gs_mix(gs_word(last), gs_word(last + 8)), 32); /* neither waits */
}

/* The first and the last 16 bytes, or all of fewer. */
static inline uint64_t gs_hash_ends(const char *data, size_t size)
{
    const char *end = data + size;
    if (size > 16)
        return gs_hash_two_ends(data, end - 16, size);
    if (size >= 8)
        return gs_mix(gs_word(data) ^ size, gs_word(end - 8));
    if (size >= 4)
        return gs_mix(gs_half(data) ^ size, gs_half(end - 4));
    uint64_t bytes = size == 0 ? 0 : (unsigned char)data[0] | (unsigned)(unsigned char)data[size / 2] << 8 | (unsigned)(unsigned char)end[-1] << 16;
    return gs_mix(bytes ^ size, 0);
}

/* All of up to 128 bytes, of more the first and the last 64. */
static inline uint64_t gs_hash(const char *data, size_t size)
{
    uint64_t hash = gs_hash_ends(data, size);
    if (size <= 32)
        return hash;
    size_t gap = size > 128 ? size - 128 : 0;
    for (size_t at = 16; at + 16 < size; at += 16) {
        if (at == 64)
            at += gap;
        hash += gs_mix(gs_word(data + at) + at, gs_word(data + at + 8)); /* no step waits for the one before */
    }
    return hash;
}

#endif
