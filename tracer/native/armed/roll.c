/* A table of a fixed size: what finds no place has no name. Whoever can't have it at once goes on without, so that nobody
 * waits for a thread that was stopped or forked away. */
#define _GNU_SOURCE
#include "armed/roll.h"

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "stream/names.h"

#define PLACES 4096u
#define NEIGHBOURS 32u /* places looked at for one thread */
#define TEXT 124u
#define TRIES 1000

struct entry {
    uint32_t tid; /* 0: free */
    char text[TEXT];
};

static struct entry *_Atomic roll;
static atomic_bool taken;

bool gs_roll_begin(void)
{
    if (atomic_load(&roll) != NULL)
        return true;
    void *memory = mmap(NULL, PLACES * sizeof(struct entry), PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED)
        return false;
    atomic_store(&taken, false);
    atomic_store(&roll, memory);
    return true;
}

static bool take(void)
{
    for (int i = 0; i < TRIES; i++)
        if (!atomic_exchange(&taken, true))
            return true;
    return false;
}

static bool lives(uint32_t tid)
{
    int saved = errno;
    bool there = syscall(SYS_tgkill, getpid(), tid, 0) == 0;
    errno = saved;
    return there;
}

/* Its own place, or else a free one, or else one of a thread that has ended. */
static struct entry *place_of(uint32_t tid)
{
    struct entry *entries = atomic_load(&roll), *free = NULL;
    for (uint32_t i = 0; i < NEIGHBOURS; i++) {
        struct entry *entry = &entries[(tid * 2654435761u + i) % PLACES];
        if (entry->tid == tid)
            return entry;
        if (entry->tid == 0)
            return free != NULL ? free : entry; /* nobody was ever further on */
        if (free == NULL && !lives(entry->tid))
            free = entry;
    }
    return free;
}

static size_t fitting(const char *text)
{
    size_t length = strnlen(text, TEXT);
    if (length == TEXT) {
        length--;
        while (length > 0 && ((unsigned char)text[length] & 0xC0) == 0x80) /* whole characters */
            length--;
    }
    return length;
}

void gs_roll_note(uint32_t tid, const char *text)
{
    if (atomic_load(&roll) == NULL || tid == 0 || !take())
        return;
    struct entry *entry = place_of(tid);
    if (entry != NULL) {
        size_t length = fitting(text);
        entry->tid = tid;
        memcpy(entry->text, text, length);
        entry->text[length] = '\0';
    }
    atomic_store(&taken, false);
}

void gs_roll_call(void)
{
    struct entry *entries = atomic_load(&roll);
    if (entries == NULL || !take())
        return;
    for (uint32_t i = 0; i < PLACES; i++)
        if (entries[i].tid != 0 && lives(entries[i].tid))
            gs_names_write(gs_thread_name, entries[i].tid, entries[i].text);
    atomic_store(&taken, false);
}
