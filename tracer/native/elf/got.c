/* The walk over one ELF object's relocations. Runs in gs_install and gs_uninstall only, never in a hook. */
#define _GNU_SOURCE
#include "elf/got.h"

#include <dlfcn.h>
#include <elf.h>
#include <inttypes.h>
#include <link.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "gil/hooks.h"

#if defined(__x86_64__)
#define JUMP_SLOT R_X86_64_JUMP_SLOT
#define GLOB_DAT R_X86_64_GLOB_DAT
#elif defined(__aarch64__)
#define JUMP_SLOT R_AARCH64_JUMP_SLOT
#define GLOB_DAT R_AARCH64_GLOB_DAT
#elif defined(__i386__)
#define JUMP_SLOT R_386_JMP_SLOT
#define GLOB_DAT R_386_GLOB_DAT
#else
#error "gilscope does not know this machine's relocation types"
#endif

#if __ELF_NATIVE_CLASS == 64
#define R_SYM ELF64_R_SYM
#define R_TYPE ELF64_R_TYPE
#else
#define R_SYM ELF32_R_SYM
#define R_TYPE ELF32_R_TYPE
#endif

struct object {
    uintptr_t code; /* an address inside, to find it by */
    uintptr_t base, low, high;
    const ElfW(Dyn) * dynamic;
    const char *strings;
    const ElfW(Sym) * symbols;
    const ElfW(Half) * versions;
    const char *needed_versions;
};

/* A slot of the table; up to two a function, one by each relocation type. */
struct slot {
    void **address;
    void *value; /* before us */
    bool patched;
};

#define SLOTS_EACH 4
#define MOST_TABLES 2 /* the GIL's hooks, and those of other locks */

struct patched {
    const struct gs_hook *hooks; /* NULL: none yet */
    const void *found;           /* the code whose object the slots are of */
    struct slot slots[GS_MOST_HOOKS][SLOTS_EACH];
    int slot_count[GS_MOST_HOOKS];
};

static struct patched tables[MOST_TABLES];

static int find_object(struct dl_phdr_info *info, size_t size, void *data)
{
    struct object *object = data;
    bool found = false;
    (void)size;
    uintptr_t low = UINTPTR_MAX, high = 0;
    const ElfW(Dyn) *dynamic = NULL;
    for (int i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *part = &info->dlpi_phdr[i];
        uintptr_t start = info->dlpi_addr + part->p_vaddr;
        if (part->p_type == PT_DYNAMIC)
            dynamic = (const ElfW(Dyn) *)start;
        if (part->p_type != PT_LOAD)
            continue;
        low = start < low ? start : low;
        high = start + part->p_memsz > high ? start + part->p_memsz : high;
        found = found || (object->code >= start && object->code < start + part->p_memsz);
    }
    if (!found || dynamic == NULL)
        return 0;
    object->base = info->dlpi_addr;
    object->low = low;
    object->high = high;
    object->dynamic = dynamic;
    return 1;
}

/* The loader turns these into addresses on most machines, not on all. */
static const void *dynamic_address(const struct object *object, ElfW(Sxword) tag)
{
    for (const ElfW(Dyn) *entry = object->dynamic; entry->d_tag != DT_NULL; entry++)
        if (entry->d_tag == tag)
            return (const void *)(entry->d_un.d_ptr < object->base ? entry->d_un.d_ptr + object->base
                                                                   : entry->d_un.d_ptr);
    return NULL;
}

static size_t dynamic_value(const struct object *object, ElfW(Sxword) tag)
{
    for (const ElfW(Dyn) *entry = object->dynamic; entry->d_tag != DT_NULL; entry++)
        if (entry->d_tag == tag)
            return entry->d_un.d_val;
    return 0;
}

/* The version that the object asks for: glibc has two pthread_cond_signal, which must not be mixed. */
static const char *version_of(const struct object *object, size_t symbol)
{
    if (object->versions == NULL || object->needed_versions == NULL)
        return NULL;
    ElfW(Half) wanted = object->versions[symbol] & 0x7fff;
    const char *at = object->needed_versions;
    for (;;) {
        const ElfW(Verneed) *file = (const ElfW(Verneed) *)at;
        const char *aux = at + file->vn_aux;
        for (int i = 0; i < file->vn_cnt; i++) {
            const ElfW(Vernaux) *version = (const ElfW(Vernaux) *)aux;
            if (version->vna_other == wanted)
                return object->strings + version->vna_name;
            aux += version->vna_next;
        }
        if (file->vn_next == 0)
            return NULL;
        at += file->vn_next;
    }
}

/* A slot that lazy binding has not filled yet points into its own object: calling that would bind it and put
 * the libc function over our hook. */
static void *resolved(const struct object *object, size_t symbol, const char *name, void *value)
{
    uintptr_t address = (uintptr_t)value;
    if (address < object->low || address >= object->high)
        return value;
    const char *version = version_of(object, symbol);
    return version ? dlvsym(RTLD_DEFAULT, name, version) : dlsym(RTLD_DEFAULT, name);
}

static void consider(struct patched *table, const struct object *object, size_t type, size_t symbol, uintptr_t offset)
{
    if ((type != JUMP_SLOT && type != GLOB_DAT) || symbol == 0)
        return;
    const char *name = object->strings + object->symbols[symbol].st_name;
    for (int i = 0; table->hooks[i].name != NULL; i++) {
        if (strcmp(name, table->hooks[i].name) != 0 || table->slot_count[i] == SLOTS_EACH)
            continue;
        void **address = (void **)(object->base + offset);
        void *value = resolved(object, symbol, name, *address);
        if (value != NULL)
            table->slots[i][table->slot_count[i]++] = (struct slot){.address = address, .value = value};
    }
}

static void consider_relocations(struct patched *table, const struct object *object, const void *from, size_t size,
                                 bool addends)
{
    if (from == NULL)
        return;
    if (addends)
        for (const ElfW(Rela) *r = from; (const char *)r < (const char *)from + size; r++)
            consider(table, object, R_TYPE(r->r_info), R_SYM(r->r_info), r->r_offset);
    else
        for (const ElfW(Rel) *r = from; (const char *)r < (const char *)from + size; r++)
            consider(table, object, R_TYPE(r->r_info), R_SYM(r->r_info), r->r_offset);
}

static void find_slots(struct patched *table, struct object *object)
{
    memset(table->slots, 0, sizeof table->slots);
    memset(table->slot_count, 0, sizeof table->slot_count);
    object->strings = dynamic_address(object, DT_STRTAB);
    object->symbols = dynamic_address(object, DT_SYMTAB);
    object->versions = dynamic_address(object, DT_VERSYM);
    object->needed_versions = dynamic_address(object, DT_VERNEED);
    consider_relocations(table, object, dynamic_address(object, DT_JMPREL), dynamic_value(object, DT_PLTRELSZ),
                         dynamic_value(object, DT_PLTREL) == DT_RELA);
    consider_relocations(table, object, dynamic_address(object, DT_RELA), dynamic_value(object, DT_RELASZ), true);
    consider_relocations(table, object, dynamic_address(object, DT_REL), dynamic_value(object, DT_RELSZ), false);
}

/* Full RELRO makes the table read-only after start-up; what a page allows is put back as it was. */
static int protection_of(uintptr_t address)
{
    FILE *maps = fopen("/proc/self/maps", "re");
    char line[512], read, write, execute;
    uintptr_t start, end;
    int protection = -1;
    if (maps == NULL)
        return -1;
    while (protection < 0 && fgets(line, sizeof line, maps) != NULL)
        if (sscanf(line, "%" SCNxPTR "-%" SCNxPTR " %c%c%c", &start, &end, &read, &write, &execute) == 5 &&
            address >= start && address < end)
            protection = (read == 'r' ? PROT_READ : 0) | (write == 'w' ? PROT_WRITE : 0) |
                         (execute == 'x' ? PROT_EXEC : 0);
    fclose(maps);
    return protection;
}

static bool write_slot(void **address, void *value)
{
    uintptr_t page_size = (uintptr_t)sysconf(_SC_PAGESIZE);
    void *page = (void *)((uintptr_t)address & ~(page_size - 1));
    int protection = protection_of((uintptr_t)address);
    bool locked = protection >= 0 && !(protection & PROT_WRITE);
    if (protection < 0 || (locked && mprotect(page, page_size, protection | PROT_WRITE) != 0))
        return false;
    __atomic_store_n(address, value, __ATOMIC_RELEASE);
    if (locked)
        mprotect(page, page_size, protection);
    return true;
}

/* A slot that still holds somebody else's hook over ours is left as it is: theirs calls ours, and taking theirs
 * for the original would make the two call each other for ever. */
static bool patch_slot(struct slot *slot, const struct gs_hook *hook)
{
    void *value = *slot->address;
    if (value == hook->hook || (slot->patched && value != slot->value))
        slot->patched = true;
    else
        slot->patched = write_slot(slot->address, hook->hook);
    return slot->patched;
}

/* After a restore: another interposer may have come into a slot that is not ours any more. */
static void refresh(struct patched *table)
{
    for (int i = 0; table->hooks[i].name != NULL; i++)
        for (int k = 0; k < table->slot_count[i]; k++)
            if (!table->slots[i][k].patched)
                table->slots[i][k].value = *table->slots[i][k].address;
}

static bool find_once(struct patched *table, const void *code, char *message, size_t size)
{
    const struct gs_hook *hooks = table->hooks;
    if (table->found == code) {
        refresh(table);
        return true;
    }
    struct object object = {.code = (uintptr_t)code};
    if (dl_iterate_phdr(find_object, &object) == 0) {
        snprintf(message, size, "the object that holds the interpreter has no dynamic section (a static build), "
                                "so its GIL can't be traced");
        return false;
    }
    find_slots(table, &object);
    for (int i = 0; hooks[i].name != NULL; i++)
        if (table->slot_count[i] == 0 && hooks[i].needed) {
            snprintf(message, size,
                     "the interpreter's calls to %s can't be seen (a build with a static libc?), so its locks can't "
                     "be traced",
                     hooks[i].name);
            return false;
        }
    table->found = code;
    return true;
}

/* The place that a table of hooks has been given, or is now. */
static struct patched *table_of(const struct gs_hook *hooks)
{
    for (int i = 0; i < MOST_TABLES; i++)
        if (tables[i].hooks == hooks || tables[i].hooks == NULL) {
            tables[i].hooks = hooks;
            return &tables[i];
        }
    return NULL;
}

static void restore(struct patched *table)
{
    const struct gs_hook *hooks = table->hooks;
    for (int i = 0; hooks[i].name != NULL; i++)
        for (int k = 0; k < table->slot_count[i]; k++) {
            struct slot *slot = &table->slots[i][k];
            if (slot->patched && *slot->address == hooks[i].hook && write_slot(slot->address, slot->value))
                slot->patched = false;
        }
}

bool gs_got_patch(const void *code, const struct gs_hook *hooks, char *message, size_t size)
{
    struct patched *table = table_of(hooks);
    if (table == NULL || !find_once(table, code, message, size))
        return false;
    /* All originals before the first hook can run. */
    for (int i = 0; hooks[i].name != NULL; i++)
        if (table->slot_count[i] > 0 && !table->slots[i][0].patched)
            __atomic_store_n(hooks[i].original, table->slots[i][0].value, __ATOMIC_RELAXED);
    for (int i = 0; hooks[i].name != NULL; i++)
        for (int k = 0; k < table->slot_count[i]; k++)
            if (!patch_slot(&table->slots[i][k], &hooks[i])) {
                snprintf(message, size, "the interpreter's global offset table can't be written (%m)");
                restore(table);
                return false;
            }
    return true;
}

void gs_got_restore_table(const struct gs_hook *hooks)
{
    for (int i = 0; i < MOST_TABLES; i++)
        if (tables[i].hooks == hooks)
            restore(&tables[i]);
}

void gs_got_restore(void)
{
    for (int i = 0; i < MOST_TABLES && tables[i].hooks != NULL; i++)
        restore(&tables[i]);
}
