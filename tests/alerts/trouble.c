/* Troubles of a host, for an agent that is started with this preloaded, each for as long as a file is in the folder that
 * the environment names: a clock that is an hour ahead, and a kernel that refuses to read maps, or to attach to what an
 * interface sends. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum { MAP_LOOKUP_ELEM = 1, LINK_CREATE = 28, TCX_EGRESS = 47 };

static int has(const char *trouble)
{
    const char *folder = getenv("TROUBLES");
    char path[4096];
    if (!folder)
        return 0;
    snprintf(path, sizeof path, "%s/%s", folder, trouble);
    return access(path, F_OK) == 0;
}

int clock_gettime(clockid_t clock, struct timespec *now)
{
    static int (*next)(clockid_t, struct timespec *);
    if (!next)
        next = (int (*)(clockid_t, struct timespec *))dlsym(RTLD_NEXT, "clock_gettime");
    int result = next(clock, now);
    if (result == 0 && clock == CLOCK_REALTIME && has("clock"))
        now->tv_sec += 3600;
    return result;
}

long syscall(long number, ...)
{
    static long (*next)(long, ...);
    if (!next)
        next = (long (*)(long, ...))dlsym(RTLD_NEXT, "syscall");
    va_list list;
    va_start(list, number);
    long a = va_arg(list, long), b = va_arg(list, long), c = va_arg(list, long);
    long d = va_arg(list, long), e = va_arg(list, long), f = va_arg(list, long);
    va_end(list);
    /* Its third field is where to attach. */
    int egress = number == SYS_bpf && (int)a == LINK_CREATE && ((const uint32_t *)b)[2] == TCX_EGRESS;
    int lookup = number == SYS_bpf && (int)a == MAP_LOOKUP_ELEM;
    if ((egress && has("egress")) || (lookup && has("maps"))) {
        errno = EPERM;
        return -1;
    }
    return next(number, a, b, c, d, e, f);
}
