/* The core as a module that any Python 3 imports, so that no ctypes is needed for it: importing that may open a file
 * of libffi's in the program, and keep it.
 *
 * No Python.h: what is used of the C API is in its stable part, and found by name when the module is imported. So is
 * what is written down here of its structures. A build with trace references has other ones; it is not for this. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "elf/symbols.h"
#include "gilscope.h"

typedef struct object object;

struct method {
    const char *name;
    object *(*function)(object *module, object *arguments);
    int flags;
    const char *text;
};

#define VARARGS 1

struct slot {
    int number;
    void *value;
};

/* Slots, and since when they are known. */
#define SEVERAL_INTERPRETERS 3 /* value 2: each with a GIL of its own */
#define SEVERAL_SINCE 0x030c0000ul
#define WITHOUT_GIL 4 /* value 1: it need not be switched on */
#define WITHOUT_GIL_SINCE 0x030d0000ul

/* What follows an object's head in the definition of a module. */
struct definition {
    object *(*initialise)(void);
    intptr_t index;
    object *copy;
    const char *name, *text;
    intptr_t size;
    struct method *methods;
    struct slot *slots;
    void *traverse, *clear, *free;
};

struct plain_definition {
    intptr_t references;
    void *type;
    struct definition rest;
};

struct free_threaded_definition {
    uintptr_t thread;
    uint16_t flags;
    uint8_t mutex, collector;
    uint32_t local;
    intptr_t shared;
    void *type;
    struct definition rest;
};

static struct {
    object *(*init)(void *definition);
    intptr_t (*size)(object *tuple);
    object *(*item)(object *tuple, intptr_t at);
    int (*is_a)(object *one, object *type);
    char *(*bytes)(object *of), *(*bytearray)(object *of);
    long (*long_of)(object *number);
    object *(*occurred)(void);
    object *(*make)(const char *format, ...);
    void (*fail)(object *type, const char *text);
    object *bytes_type, *bytearray_type, **no_attribute;
} api;

static bool find_api(void)
{
    const struct {
        void *place;
        const char *name;
    } wanted[] = {
        {&api.init, "PyModuleDef_Init"},           {&api.size, "PyTuple_Size"},
        {&api.item, "PyTuple_GetItem"},            {&api.is_a, "PyObject_IsInstance"},
        {&api.bytes, "PyBytes_AsString"},          {&api.bytearray, "PyByteArray_AsString"},
        {&api.long_of, "PyLong_AsLong"},           {&api.occurred, "PyErr_Occurred"},
        {&api.make, "Py_BuildValue"},              {&api.fail, "PyErr_SetString"},
        {&api.bytes_type, "PyBytes_Type"},         {&api.bytearray_type, "PyByteArray_Type"},
        {&api.no_attribute, "PyExc_AttributeError"},
    };
    if (!gs_symbols_find())
        return false;
    for (unsigned i = 0; i < sizeof wanted / sizeof *wanted; i++) {
        void *found = gs_symbol(wanted[i].name);
        if (found == NULL)
            return false;
        memcpy(wanted[i].place, &found, sizeof found);
    }
    return true;
}

/* A number, or where the bytes of an object are. False: an exception says why not. */
static bool argument_of(object *value, long *argument)
{
    if (api.is_a(value, api.bytes_type) == 1)
        *argument = (long)api.bytes(value);
    else if (api.is_a(value, api.bytearray_type) == 1)
        *argument = (long)api.bytearray(value);
    else
        *argument = api.long_of(value);
    return api.occurred() == NULL;
}

#define MOST_ARGUMENTS 6 /* all go into registers, whatever their types are */

/* The core's own functions; of the C library where that is asked for. */
static void *function_of(const char *name, long of_library)
{
    Dl_info own;
    if (of_library)
        return dlsym(RTLD_DEFAULT, name);
    void *core = dladdr((void *)&api, &own) != 0 ? dlopen(own.dli_fname, RTLD_LAZY | RTLD_NOLOAD) : NULL;
    void *function = core != NULL ? dlsym(core, name) : NULL;
    if (core != NULL)
        dlclose(core);
    return function;
}

/* call(name, of the C library?, argument, ...) -> what it returns, as a number. */
static object *call(object *module, object *arguments)
{
    long values[2 + MOST_ARGUMENTS] = {0};
    intptr_t count = api.size(arguments);
    (void)module;
    for (intptr_t i = 0; i < count && i < 2 + MOST_ARGUMENTS; i++)
        if (!argument_of(api.item(arguments, i), &values[i]))
            return NULL;
    long (*function)(long, long, long, long, long, long) = NULL;
    void *found = count >= 2 ? function_of((const char *)values[0], values[1]) : NULL;
    memcpy(&function, &found, sizeof found);
    if (function == NULL) {
        api.fail(*api.no_attribute, count >= 2 ? (const char *)values[0] : "call");
        return NULL;
    }
    const long *of = values + 2;
    return api.make("l", function(of[0], of[1], of[2], of[3], of[4], of[5]));
}

/* text_at(address) -> the bytes there, up to a NUL. */
static object *text_at(object *module, object *arguments)
{
    long address = 0;
    (void)module;
    if (api.size(arguments) == 1 && !argument_of(api.item(arguments, 0), &address))
        return NULL;
    return api.make("y", (const char *)address);
}

static struct method methods[] = {
    {"call", call, VARARGS, NULL},
    {"text_at", text_at, VARARGS, NULL},
    {NULL, NULL, 0, NULL},
};

static struct slot slots[3];

static void choose_slots(void)
{
    const unsigned long *version = gs_symbol("Py_Version"); /* from 3.11 on */
    unsigned count = 0;
    memset(slots, 0, sizeof slots);
    if (version != NULL && *version >= SEVERAL_SINCE)
        slots[count++] = (struct slot){SEVERAL_INTERPRETERS, (void *)2};
    if (version != NULL && *version >= WITHOUT_GIL_SINCE)
        slots[count++] = (struct slot){WITHOUT_GIL, (void *)1};
}

#define DEFINITION {.name = "gilscope_native", .methods = methods, .slots = slots}

/* Both live as long as the process, and so say that many refer to them. */
static struct plain_definition plain = {.references = 1 << 30, .rest = DEFINITION};
static struct free_threaded_definition free_threaded = {.local = UINT32_MAX, .rest = DEFINITION};

static object *initialise(void *definition)
{
    if (!find_api())
        return NULL;
    choose_slots();
    return api.init(definition);
}

/* What Python calls when it imports the module: of builds with a GIL, and of those where it can be off. */
GS_API object *PyInit_gilscope_native(void);
object *PyInit_gilscope_native(void)
{
    return initialise(&plain);
}

GS_API object *PyInit_gilscope_native_t(void);
object *PyInit_gilscope_native_t(void)
{
    return initialise(&free_threaded);
}
