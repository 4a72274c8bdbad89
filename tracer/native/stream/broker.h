/* Files of the trace that this process may not make itself: after it has given up its rights (setuid), or its view
 * of the file system (chroot). Then the launcher is asked, over a socket; it answers with the open file. */
#ifndef GILSCOPE_BROKER_H
#define GILSCOPE_BROKER_H

/* Of the launcher: "<name of its abstract socket>:<what proves that we are its>". */
void gs_broker_use(const char *address);

/* As open and mkdir, of what lies in the trace's directory; the launcher is asked where they are refused. To be
 * called aside (base/aside.h). Files are the owner's alone, whatever umask says. */
int gs_broker_open(const char *path, int flags);
int gs_broker_mkdir(const char *path);

#endif
