# cython: language_level=3, embedsignature=True
"""Where Python meets the native core.

The core is one shared object, opened here and by the bootstrap alike, so that a process has one recorder
however many ways lead to it.
"""
import os

from tracer.errors import RecordingError


cdef extern from "<dlfcn.h>" nogil:
    void *dlopen(const char *path, int flags)
    void *dlsym(void *library, const char *name)
    const char *dlerror()
    int RTLD_NOW
    int RTLD_LOCAL


cdef extern from "Python.h":
    int Py_AddPendingCall(int (*function)(void *) noexcept, void *argument)


cdef extern from "gilscope.h":
    enum gs_result:
        GS_OK

    struct gs_status:
        int recording
        int failure
        unsigned long long discarded
        unsigned int gils
        unsigned int streams
        unsigned int threads_lost


cdef extern from "sched/scheduler.h":
    enum gs_sched_scope:
        GS_SCHED_PROGRAM
        GS_SCHED_PROGRAM_ALONE
        GS_SCHED_PROCESS

    struct gs_sched_result:
        unsigned long long events
        unsigned long long lost
        unsigned long long cpu_ns
        int failure


ctypedef int (*install_function)(char *message, size_t size)
ctypedef int (*start_function)(const char *directory, const char *environment, int follow_forks, char *message, size_t size)
ctypedef int (*message_function)(char *message, size_t size)
ctypedef void (*switch_function)(int on) noexcept nogil
ctypedef void (*plain_function)() noexcept nogil
ctypedef void (*status_function)(gs_status *status) noexcept nogil
ctypedef void (*name_function)(unsigned int tid, const char *text) noexcept nogil
ctypedef const char *(*text_function)() noexcept nogil
ctypedef int (*sched_start_function)(const char *directory, const char *environment, int scope, char *message, size_t size)
ctypedef void (*sched_stop_function)(gs_sched_result *result) noexcept nogil

SCHED_PROGRAM = GS_SCHED_PROGRAM
SCHED_PROGRAM_ALONE = GS_SCHED_PROGRAM_ALONE
SCHED_PROCESS = GS_SCHED_PROCESS
CORE_PATH = os.path.join(os.path.dirname(os.path.abspath(__file__)), "native", "libgilscope.so")

cdef enum:
    MESSAGE_SIZE = 8192

cdef struct Core:
    install_function install
    message_function install_without_gil
    message_function locks_find
    plain_function locks_leave
    start_function start
    message_function stacks_find
    message_function stacks_text
    switch_function stacks_use
    switch_function samples_use
    plain_function stop
    plain_function uninstall
    status_function get_status
    name_function name_thread
    text_function process_directory
    sched_start_function sched_start
    sched_stop_function sched_stop
    plain_function sched_pause
    plain_function sched_resume

cdef Core core


cdef void *symbol(void *library, bytes name) except NULL:
    cdef void *address = dlsym(library, name)
    if address == NULL:
        raise RecordingError(f"{CORE_PATH} does not fit this gilscope ({name.decode()} is missing): build it again")
    return address


cdef int open_core() except -1:
    cdef void *library = dlopen(os.fsencode(CORE_PATH), RTLD_NOW | RTLD_LOCAL)
    if library == NULL:
        raise RecordingError(f"the native recorder can't be loaded: {dlerror().decode()}")
    core.install = <install_function>symbol(library, b"gs_install")
    core.install_without_gil = <message_function>symbol(library, b"gs_install_without_gil")
    core.locks_find = <message_function>symbol(library, b"gs_locks_find")
    core.locks_leave = <plain_function>symbol(library, b"gs_locks_leave")
    core.start = <start_function>symbol(library, b"gs_start")
    core.stacks_find = <message_function>symbol(library, b"gs_stacks_find")
    core.stacks_text = <message_function>symbol(library, b"gs_stacks_text")
    core.stacks_use = <switch_function>symbol(library, b"gs_stacks_use")
    core.samples_use = <switch_function>symbol(library, b"gs_samples_use")
    core.stop = <plain_function>symbol(library, b"gs_stop")
    core.uninstall = <plain_function>symbol(library, b"gs_uninstall")
    core.get_status = <status_function>symbol(library, b"gs_get_status")
    core.name_thread = <name_function>symbol(library, b"gs_name_thread")
    core.process_directory = <text_function>symbol(library, b"gs_process_directory")
    core.sched_start = <sched_start_function>symbol(library, b"gs_sched_start")
    core.sched_stop = <sched_stop_function>symbol(library, b"gs_sched_stop")
    core.sched_pause = <plain_function>symbol(library, b"gs_sched_pause")
    core.sched_resume = <plain_function>symbol(library, b"gs_sched_resume")
    return 0


open_core()


def install(bint without_gil=False):
    """Find this interpreter's GIL and put the hooks in.

    Parameters
    ----------
    without_gil : bool
        This interpreter has none now: only put the hooks in.

    Raises
    ------
    RecordingError
        If this build's GIL can't be seen, or is off.
    """
    cdef char message[MESSAGE_SIZE]
    # The GIL stays held by Cython: the core releases and takes it once, to learn where it is.
    if (core.install_without_gil if without_gil else core.install)(message, MESSAGE_SIZE) != GS_OK:
        raise RecordingError(message.decode("utf-8", "replace"))


def locks_find():
    """Put in the hooks of all other locks; after `install`.

    Returns
    -------
    str
        Why they can't be seen; ``""``: they can.
    """
    cdef char message[MESSAGE_SIZE]
    return message.decode("utf-8", "replace") if core.locks_find(message, MESSAGE_SIZE) != GS_OK else ""


def uninstall():
    """Stop recording and take out every hook that is still ours."""
    core.uninstall()


def locks_leave():
    """Take those hooks out again."""
    core.locks_leave()


def start(directory, str environment, bint follow_forks=True):
    """Begin recording into `directory`, which exists.

    Parameters
    ----------
    directory : path
        The trace; this process gets a directory of its own in it.
    environment : str
        TSDL assignments for the metadata's ``env`` block.
    follow_forks : bool
        Whether a forked child goes on, in a directory of its own.

    Returns
    -------
    str
        The process's directory.

    Raises
    ------
    RecordingError
        If this process is recorded already, or the files can't be made.
    """
    cdef char message[MESSAGE_SIZE]
    cdef bytes path = os.fsencode(os.path.abspath(directory))
    cdef bytes text = environment.encode()
    if core.start(path, text, follow_forks, message, MESSAGE_SIZE) != GS_OK:
        raise RecordingError(message.decode("utf-8", "replace"))
    return os.fsdecode(core.process_directory())


def stacks_find():
    """Learn where this interpreter keeps its frames; recordings have no stacks from here on.

    Returns
    -------
    str
        Why they can't be read; ``""``: they can.
    """
    cdef char message[MESSAGE_SIZE]
    if core.stacks_find(message, MESSAGE_SIZE) != GS_OK:
        return message.decode("utf-8", "replace")
    return ""


def stacks_text():
    """The calling thread's stack as the core sees it.

    Returns
    -------
    str
        A line a frame, innermost first: ``<offset>\t<first line>\t<qualified name>\t<file>\n``. The last line
        may be cut.
    """
    cdef char text[8 * MESSAGE_SIZE]
    core.stacks_text(text, sizeof(text))
    return text.decode("utf-8", "replace")


def stacks_use(bint on):
    """Whether recordings from now on have stacks; only after `stacks_find`."""
    core.stacks_use(on)


def samples_use(bint on):
    """Whether recordings from now on have samples, where they have stacks."""
    core.samples_use(on)


def stop():
    """End the recording; nothing happens when there is none."""
    core.stop()


def status():
    """What the recorder is doing.

    Returns
    -------
    dict
        ``recording`` (bool), ``failure`` (errno that ended recording early, or 0), ``discarded`` (events lost
        since), ``gils`` and ``streams`` (how many), ``threads_lost`` (threads that are not recorded, or no further).
    """
    cdef gs_status now
    core.get_status(&now)
    return {
        "recording": now.recording != 0,
        "failure": now.failure,
        "discarded": now.discarded,
        "gils": now.gils,
        "streams": now.streams,
        "threads_lost": now.threads_lost,
    }


def name_thread(unsigned int tid, str name):
    """Give the thread with this `tid` (of the OS) a name in the trace; a later call replaces it."""
    cdef bytes text = name.encode("utf-8", "replace")
    core.name_thread(tid, text)


def process_directory():
    """Where this process is recorded now, or ``""``."""
    return os.fsdecode(core.process_directory())


def sched_start(directory, str environment, int scope):
    """Begin to record what the scheduler does, into ``sched/`` in `directory`.

    Parameters
    ----------
    directory : path
        The trace.
    environment : str
        TSDL assignments for the metadata's ``env`` block.
    scope : int
        ``SCHED_PROGRAM``: the next program that this thread starts, and all that it starts;
        ``SCHED_PROGRAM_ALONE``: no other process; ``SCHED_PROCESS``: this process, and all that it starts.

    Returns
    -------
    str
        Why it can't be recorded and what would allow it; ``""``: it is.
    """
    cdef char message[MESSAGE_SIZE]
    cdef bytes path = os.fsencode(os.path.abspath(directory))
    cdef bytes text = environment.encode()
    # The GIL stays held: what would start a thread now waits until the events are open.
    if core.sched_start(path, text, scope, message, MESSAGE_SIZE) != 0:
        return message.decode("utf-8", "replace")
    return ""


def sched_stop():
    """End what `sched_start` began, and wait until all is written.

    Returns
    -------
    dict
        ``events`` (written), ``lost`` (records that there was no room for), ``cpu_ns`` (what draining cost),
        ``failure`` (errno that ended it early, or 0). All 0 when nothing was recorded.
    """
    cdef gs_sched_result result
    with nogil:
        core.sched_stop(&result)
    return {
        "events": result.events,
        "lost": result.lost,
        "cpu_ns": result.cpu_ns,
        "failure": result.failure,
    }


def sched_pause():
    """End the draining thread of a recording of this process, until `sched_resume_soon`."""
    core.sched_pause()


cdef int resume(void *unused) noexcept:
    core.sched_resume()
    return 0


def sched_resume_soon():
    """Begin it again, as soon as the main thread is about to run Python code."""
    if Py_AddPendingCall(resume, NULL) != 0:
        core.sched_resume()
