/* tracer.mark and tracer.span: Python's way to the core's marks, in C because it is called often and in any interpreter:
 * subinterpreters with a GIL of their own, and builds without one.
 *
 * The core that is in memory already is the one that records this process, wherever it was started from. Without a core
 * marks do nothing: a program runs the same whether anybody looks or not. */
#define PY_SSIZE_T_CLEAN
#define _GNU_SOURCE
#include <Python.h>
#include <dlfcn.h>
#include <limits.h>
#include <link.h>
#include <stdbool.h>
#include <string.h>

#include "gilscope.h"

#define CORE "libgilscope.so"

static struct {
    int (*say_mark)(uint64_t hash, const char *text);
    int (*begin_span)(uint64_t hash, const char *text, struct gs_span *span);
    void (*end_span)(const struct gs_span *span);
} core; /* of the process; every interpreter finds the same */

/* In an object that is begun again before it has ended: what was begun first. */
struct begun {
    struct gs_span span;
    struct begun *before;
};

struct span {
    PyObject_HEAD
    PyObject *text;
    struct gs_span begun; /* the latest */
    struct begun *before;
};

struct state {
    PyTypeObject *span_type;
};

#if PY_VERSION_HEX < 0x030D0000
#define Py_BEGIN_CRITICAL_SECTION(object) {
#define Py_END_CRITICAL_SECTION() }
#endif

/* The hash of a str is made once, and the same in all interpreters of a process. */
static uint64_t hash_of(PyObject *text)
{
    return (uint64_t)PyUnicode_Type.tp_hash(text);
}

/* UTF-8 as the core takes it: without what can't be written, and without a NUL. NULL with an exception. */
static PyObject *encoded(PyObject *text)
{
    PyObject *bytes = PyUnicode_AsEncodedString(text, "utf-8", "replace");
    if (bytes == NULL)
        return NULL;
    char *data = PyBytes_AS_STRING(bytes);
    for (Py_ssize_t i = 0; i < PyBytes_GET_SIZE(bytes); i++)
        if (data[i] == '\0')
            data[i] = '?';
    return bytes;
}

static bool is_text(PyObject *object, const char *function)
{
    if (PyUnicode_Check(object))
        return true;
    PyErr_Format(PyExc_TypeError, "%s() takes a str, not %.100s", function, Py_TYPE(object)->tp_name);
    return false;
}

static PyObject *mark(PyObject *module, PyObject *text)
{
    (void)module;
    if (!is_text(text, "mark"))
        return NULL;
    if (core.say_mark != NULL && core.say_mark(hash_of(text), NULL) != 0) {
        PyObject *bytes = encoded(text);
        if (bytes == NULL)
            return NULL;
        core.say_mark(hash_of(text), PyBytes_AS_STRING(bytes));
        Py_DECREF(bytes);
    }
    Py_RETURN_NONE;
}

static PyObject *span(PyObject *module, PyObject *text)
{
    struct state *state = PyModule_GetState(module);
    if (!is_text(text, "span"))
        return NULL;
    struct span *made = PyObject_New(struct span, state->span_type);
    if (made == NULL)
        return NULL;
    made->text = Py_NewRef(text);
    made->begun = (struct gs_span){0};
    made->before = NULL;
    return (PyObject *)made;
}

static void span_dealloc(PyObject *object)
{
    struct span *self = (struct span *)object;
    PyTypeObject *type = Py_TYPE(object);
    for (struct begun *next; self->before != NULL; self->before = next) {
        next = self->before->before;
        PyMem_Free(self->before);
    }
    Py_DECREF(self->text);
    PyObject_Free(self);
    Py_DECREF(type);
}

/* Remember what the object began: mostly nothing is open. Without memory an outer end is not known. */
static void push(struct span *self, struct gs_span begun)
{
    if (self->begun.epoch != 0) {
        struct begun *outer = PyMem_Malloc(sizeof *outer);
        if (outer != NULL) {
            *outer = (struct begun){self->begun, self->before};
            self->before = outer;
        }
    }
    self->begun = begun;
}

/* The last that this thread has begun: another's are ended by that one. All 0: there is none. */
static struct gs_span pop(struct span *self, uint32_t tid)
{
    struct gs_span found = self->begun;
    if (self->before == NULL) {
        self->begun = (struct gs_span){0};
        return found;
    }
    if (found.tid == tid || tid == 0) {
        struct begun *outer = self->before;
        self->begun = outer->span;
        self->before = outer->before;
        PyMem_Free(outer);
        return found;
    }
    for (struct begun **at = &self->before; *at != NULL; at = &(*at)->before)
        if ((*at)->span.tid == tid) {
            struct begun *mine = *at;
            found = mine->span;
            *at = mine->before;
            PyMem_Free(mine);
            return found;
        }
    return (struct gs_span){0};
}

static PyObject *span_enter(PyObject *object, PyObject *unused)
{
    (void)unused;
    struct span *self = (struct span *)object;
    struct gs_span begun = {0};
    if (core.begin_span != NULL && core.begin_span(hash_of(self->text), NULL, &begun) != 0) {
        PyObject *bytes = encoded(self->text);
        if (bytes == NULL)
            return NULL;
        core.begin_span(hash_of(self->text), PyBytes_AS_STRING(bytes), &begun);
        Py_DECREF(bytes);
    }
    if (begun.epoch != 0) {
        Py_BEGIN_CRITICAL_SECTION(object);
        push(self, begun);
        Py_END_CRITICAL_SECTION();
    }
    return Py_NewRef(object);
}

static PyObject *span_exit(PyObject *object, PyObject *const *arguments, Py_ssize_t count)
{
    (void)arguments;
    (void)count;
    struct span *self = (struct span *)object;
    struct gs_span begun;
    Py_BEGIN_CRITICAL_SECTION(object);
    begun = pop(self, self->before != NULL ? (uint32_t)PyThread_get_thread_native_id() : 0);
    Py_END_CRITICAL_SECTION();
    if (begun.epoch != 0)
        core.end_span(&begun);
    Py_RETURN_NONE;
}

static PyObject *span_call(PyObject *object, PyObject *arguments, PyObject *keywords)
{
    PyObject *function;
    if ((keywords != NULL && PyDict_GET_SIZE(keywords) > 0) || !PyArg_ParseTuple(arguments, "O:span", &function)) {
        if (!PyErr_Occurred())
            PyErr_SetString(PyExc_TypeError, "a span decorates one function");
        return NULL;
    }
    PyObject *module = PyImport_ImportModule("tracer.spans");
    if (module == NULL)
        return NULL;
    PyObject *made = PyObject_CallMethod(module, "decorated", "OO", ((struct span *)object)->text, function);
    Py_DECREF(module);
    return made;
}

static PyObject *span_repr(PyObject *object)
{
    return PyUnicode_FromFormat("span(%R)", ((struct span *)object)->text);
}

static PyMethodDef span_methods[] = {
    {"__enter__", span_enter, METH_NOARGS, "Begin it."},
    {"__exit__", (PyCFunction)(void (*)(void))span_exit, METH_FASTCALL, "End it, whatever has happened."},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot span_slots[] = {
    {Py_tp_doc, "A stretch of a thread's time with a name: for a with-block, or to decorate a function with."},
    {Py_tp_dealloc, span_dealloc},
    {Py_tp_methods, span_methods},
    {Py_tp_call, span_call},
    {Py_tp_repr, span_repr},
    {0, NULL},
};

static PyType_Spec span_spec = {
    .name = "tracer.Span",
    .basicsize = sizeof(struct span),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = span_slots,
};

/* The path of a core that is in memory. */
static int loaded_core(struct dl_phdr_info *info, size_t size, void *path)
{
    (void)size;
    size_t length = strlen(info->dlpi_name), tail = strlen("/" CORE);
    if (length < tail || length >= PATH_MAX || strcmp(info->dlpi_name + length - tail, "/" CORE) != 0)
        return 0;
    strcpy(path, info->dlpi_name);
    return 1;
}

/* The one that lies beside this module. */
static bool own_core(char *path)
{
    Dl_info here;
    if (dladdr((void *)own_core, &here) == 0 || here.dli_fname == NULL)
        return false;
    const char *end = strrchr(here.dli_fname, '/');
    size_t length = end != NULL ? (size_t)(end - here.dli_fname) : 0;
    if (end == NULL || length + sizeof "/native/" CORE > PATH_MAX)
        return false;
    memcpy(path, here.dli_fname, length);
    strcpy(path + length, "/native/" CORE);
    return true;
}

static void find_core(void)
{
    char path[PATH_MAX];
    if (!dl_iterate_phdr(loaded_core, path) && !own_core(path))
        return;
    void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (library == NULL)
        return;
    *(void **)&core.end_span = dlsym(library, "gs_end_span");
    *(void **)&core.begin_span = dlsym(library, "gs_begin_span");
    *(void **)&core.say_mark = dlsym(library, "gs_say_mark");
    if (core.end_span == NULL || core.begin_span == NULL || core.say_mark == NULL)
        core.begin_span = NULL, core.say_mark = NULL; /* of another version */
}

static int begin_module(PyObject *module)
{
    struct state *state = PyModule_GetState(module);
    state->span_type = (PyTypeObject *)PyType_FromModuleAndSpec(module, &span_spec, NULL);
    if (state->span_type == NULL)
        return -1;
    find_core();
    return 0;
}

static int traverse_module(PyObject *module, visitproc visit, void *arg)
{
    Py_VISIT(((struct state *)PyModule_GetState(module))->span_type);
    return 0;
}

static int clear_module(PyObject *module)
{
    Py_CLEAR(((struct state *)PyModule_GetState(module))->span_type);
    return 0;
}

static PyMethodDef functions[] = {
    {"mark", mark, METH_O,
     "mark(text, /)\n--\n\nSay in the trace that this thread is here now. Costs next to nothing while nothing is recorded."},
    {"span", span, METH_O,
     "span(text, /)\n--\n\nName a stretch of this thread's time: `with span(\"parse\"):`, or `@span(\"parse\")` on a function.\n\n"
     "Spans nest. A coroutine's goes on over its awaits: it is the time from its begin to its end, whatever the thread\n"
     "does meanwhile. The thread that began it has to end it; else its end is not known."},
    {NULL, NULL, 0, NULL},
};

static PyModuleDef_Slot slots[] = {
    {Py_mod_exec, begin_module},
#if PY_VERSION_HEX >= 0x030C0000
    {Py_mod_multiple_interpreters, Py_MOD_PER_INTERPRETER_GIL_SUPPORTED},
#endif
#if PY_VERSION_HEX >= 0x030D0000
    {Py_mod_gil, Py_MOD_GIL_NOT_USED},
#endif
    {0, NULL},
};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT, .m_name = "tracer._marks", .m_size = sizeof(struct state), .m_methods = functions,
    .m_slots = slots, .m_traverse = traverse_module, .m_clear = clear_module,
};

PyMODINIT_FUNC PyInit__marks(void)
{
    return PyModuleDef_Init(&definition);
}
