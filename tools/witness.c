/* A second opinion on what the atlas says, by other means than gilscope: the calls of extension modules to
 * PyEval_SaveThread and PyEval_RestoreThread (and PyGILState_Ensure between them), counted and timed where they are made. What the interpreter calls
 * itself goes another way and isn't seen. */
#define _GNU_SOURCE
#include <elf.h>
#include <link.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

static void *(*save)(void);
static void (*restore)(void *);
static int (*ensure)(void);
static void (*release)(int);
static __thread int64_t since, without, times, outer[16];
static __thread unsigned depth;

static int64_t now(void) {
    struct timespec at;
    clock_gettime(CLOCK_MONOTONIC, &at);
    return at.tv_sec * 1000000000LL + at.tv_nsec;
}

static void *saved(void) {
    void *state = save();
    times++;
    since = now();
    return state;
}

static void restored(void *state) {
    if (since) without += now() - since;
    since = 0;
    restore(state);
}

/* What has let go may take it again for a while, in the same thread, before it is done: that is no time without. */
static int ensured(void) {
    int64_t begun = since;
    if (since) without += now() - since;
    since = 0;
    int state = ensure();
    outer[depth++ & 15] = begun;
    return state;
}

static void released(int state) {
    release(state);
    if (outer[--depth & 15]) since = now();
}

/* Puts `ours` where a table of addresses has `name`. */
static int replace(ElfW(Addr) base, ElfW(Rela) *table, size_t size, ElfW(Sym) *symbols, const char *strings) {
    long page = sysconf(_SC_PAGESIZE);
    int found = 0;
    for (ElfW(Rela) *each = table; (char *)each < (char *)table + size; each++) {
        const char *name = strings + symbols[ELF64_R_SYM(each->r_info)].st_name;
        void *ours = !strcmp(name, "PyEval_SaveThread") ? (void *)saved
                   : !strcmp(name, "PyEval_RestoreThread") ? (void *)restored
                   : !strcmp(name, "PyGILState_Ensure") ? (void *)ensured
                   : !strcmp(name, "PyGILState_Release") ? (void *)released : NULL;
        if (!ours) continue;
        void **slot = (void **)(base + each->r_offset);
        if (mprotect((void *)((uintptr_t)slot & -page), 2 * page, PROT_READ | PROT_WRITE)) continue;
        *slot = ours;
        found++;
    }
    return found;
}

static int object(struct dl_phdr_info *info, size_t size, void *count) {
    if (!info->dlpi_name[0] || strstr(info->dlpi_name, "libpython")) return 0;
    ElfW(Rela) *jumps = NULL, *others = NULL;
    ElfW(Sym) *symbols = NULL;
    const char *strings = NULL;
    size_t of_jumps = 0, of_others = 0;
    for (int i = 0; i < info->dlpi_phnum; i++) {
        if (info->dlpi_phdr[i].p_type != PT_DYNAMIC) continue;
        for (ElfW(Dyn) *entry = (void *)(info->dlpi_addr + info->dlpi_phdr[i].p_vaddr); entry->d_tag; entry++) {
            switch (entry->d_tag) {
            case DT_JMPREL: jumps = (void *)entry->d_un.d_ptr; break;
            case DT_PLTRELSZ: of_jumps = entry->d_un.d_val; break;
            case DT_RELA: others = (void *)entry->d_un.d_ptr; break;
            case DT_RELASZ: of_others = entry->d_un.d_val; break;
            case DT_SYMTAB: symbols = (void *)entry->d_un.d_ptr; break;
            case DT_STRTAB: strings = (void *)entry->d_un.d_ptr; break;
            }
        }
    }
    if ((uintptr_t)symbols < info->dlpi_addr) return 0; /* the vdso's are no addresses */
    *(int *)count += replace(info->dlpi_addr, jumps, of_jumps, symbols, strings);
    *(int *)count += replace(info->dlpi_addr, others, of_others, symbols, strings);
    return 0;
}

/* Looks at all objects that are loaded; the interpreter's own functions are given. Returns how many places call ours. */
int witness(void *its_save, void *its_restore, void *its_ensure, void *its_release) {
    int count = 0;
    save = its_save;
    restore = its_restore;
    ensure = its_ensure;
    release = its_release;
    dl_iterate_phdr(object, &count);
    return count;
}

/* Of the thread that asks, since it last did: how often it let go, and for how long, ns. */
void seen(int64_t *its_times, int64_t *its_without) {
    *its_times = times;
    *its_without = without;
    times = without = 0;
}
