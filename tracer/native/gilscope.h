/* The native core's interface: what the Cython module and the ctypes bootstrap call.
 *
 * Plain C over libc, no Python.h: one build serves every interpreter. All calls are made from a thread that
 * holds the GIL (ctypes: use PyDLL, not CDLL), one at a time.
 */
#ifndef GILSCOPE_H
#define GILSCOPE_H

#include <stddef.h>
#include <stdint.h>

#define GS_API __attribute__((visibility("default")))

enum gs_result {
    GS_OK = 0,
    GS_NO_INTERPRETER = 1, /* no CPython in this process */
    GS_NO_CALLS = 2,       /* the GIL's pthread calls can't be seen in this build */
    GS_NO_GIL_FOUND = 3,   /* a release and a take made no call: the GIL is off */
    GS_ALREADY = 4,        /* recording already */
    GS_OS_ERROR = 5,       /* the trace could not be made */
    GS_NO_STACKS = 6,      /* this build's frames can't be read */
    GS_NO_LOCKS = 7,       /* this build's other locks can't be seen */
};

struct gs_status {
    int32_t recording;  /* 1: events are being written */
    int32_t failure;    /* errno that ended recording early, or 0 */
    uint64_t discarded; /* events lost since */
    uint32_t gils;      /* GILs known */
    uint32_t streams;   /* stream files made */
    uint32_t threads_lost; /* threads that are not recorded, or no further */
};

/* Find the GIL of this process and put the hooks in. Idempotent. message gets one line when the result is
 * not GS_OK. */
GS_API int gs_install(char *message, size_t size);

/* The same for a build without a GIL: it may be switched on later. After a gs_install that found none. */
GS_API int gs_install_without_gil(char *message, size_t size);

/* Put in the hooks of all other locks too, and learn how this build waits for them. After gs_install. message gets
 * one line when the result is not GS_OK. */
GS_API int gs_locks_find(char *message, size_t size);

/* The calling thread's import of a module has switched the GIL on. text: its name, a newline, its file. */
GS_API void gs_gil_enabled_by(const char *text);

/* Begin to record the calling thread, if it is not yet: where there is no GIL to show it. */
GS_API void gs_attach_thread(void);

/* Take those out again. */
GS_API void gs_locks_leave(void);

/* Whether it is for the calling interpreter to begin a recording: nothing is recorded, and it is no subinterpreter. */
GS_API int gs_may_begin(void);

/* Take out every hook that is still ours. */
GS_API void gs_uninstall(void);

/* Begin recording into directory/<pid>/ (directory exists, absolute path). environment: TSDL assignments for
 * the metadata's env block ("  name = \"text\";\n"...), to which the core adds pid, ppid and the start. A
 * forked child goes on in a directory of its own if follow_forks. process_directory, when not NULL, gets the
 * path made. */
GS_API int gs_start(const char *directory, const char *environment, int follow_forks, char *message, size_t size);

GS_API void gs_stop(void);

/* Whom to ask for files that this process may not make itself: see stream/broker.h. Before gs_start. */
GS_API void gs_use_broker(const char *address);

/* Learn where this build keeps its frames. Stacks are off after this. message gets one line when the result is not
 * GS_OK. */
GS_API int gs_stacks_find(char *message, size_t size);

/* The calling thread's stack as the core sees it, for a comparison with what Python says: a line a frame, innermost
 * first, "<offset>\t<first line>\t<qualified name>\t<file>\n" in UTF-8. Returns how many; -1: text is too small.
 * Only after gs_stacks_find. */
GS_API int gs_stacks_text(char *text, size_t size);

/* Whether recordings from now on have stacks. Only after gs_stacks_find. */
GS_API void gs_stacks_use(int on);

/* Whether recordings from now on have samples, where they have stacks; at first they have. */
GS_API void gs_samples_use(int on);

GS_API void gs_get_status(struct gs_status *status);

/* Name a thread, now or again. text: UTF-8. Does nothing while not recording. */
GS_API void gs_name_thread(uint32_t tid, const char *text);

/* What the program says of itself. hash: of the text, the same for the same text in all of this process. text: UTF-8, or
 * NULL, as long as it is not asked for. Returns 1: it is not known in this recording, say it again with its text. */
GS_API int gs_say_mark(uint64_t hash, const char *text);

/* A span that has begun; for the thread that began it to end. All 0: there is nothing to end. */
struct gs_span {
    uint32_t epoch, tid, ordinal;
};
GS_API int gs_begin_span(uint64_t hash, const char *text, struct gs_span *span);
GS_API void gs_end_span(const struct gs_span *span);

GS_API uint32_t gs_thread_id(void); /* of the caller, in the OS */

GS_API const char *gs_process_directory(void); /* "" while not recording */

#endif
