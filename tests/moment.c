/* What time is it for a process that loads this first (LD_PRELOAD)? MOMENT_AHEAD seconds later than it is.

   Calendar clocks alone are moved; monotonic ones, by which everybody waits, run as they do. libfaketime moves the absolute
   instants of monotonic waits as well: Python's `sleep` then fails and its locks never wake. Files that were written since
   MOMENT_SINCE, of the calendar as it is, were written later too. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <semaphore.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <time.h>

static time_t ahead, since;
static int (*clock_now)(clockid_t, struct timespec *);
static int (*clock_sleep)(clockid_t, int, const struct timespec *, struct timespec *);
static int (*semaphore_wait)(sem_t *, const struct timespec *);
static int (*status_at)(int, const char *, struct stat *, int);
static int (*status_of)(int, struct stat *);

__attribute__((constructor)) static void begin(void) {
    const char *told = getenv("MOMENT_AHEAD");
    ahead = told ? atoll(told) : 0;
    told = getenv("MOMENT_SINCE");
    since = told ? atoll(told) : 0;
    *(void **)&clock_now = dlsym(RTLD_NEXT, "clock_gettime");
    *(void **)&clock_sleep = dlsym(RTLD_NEXT, "clock_nanosleep");
    *(void **)&semaphore_wait = dlsym(RTLD_NEXT, "sem_timedwait");
    *(void **)&status_at = dlsym(RTLD_NEXT, "fstatat");
    *(void **)&status_of = dlsym(RTLD_NEXT, "fstat");
}

static int is_calendar(clockid_t clock) {
    return clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE || clock == CLOCK_TAI;
}

int clock_gettime(clockid_t clock, struct timespec *now) {
    if (!clock_now) begin(); /* other libraries begin earlier */
    int code = clock_now(clock, now);
    if (!code && is_calendar(clock)) now->tv_sec += ahead;
    return code;
}

int gettimeofday(struct timeval *restrict now, void *restrict zone) {
    struct timespec exact;
    (void)zone;
    clock_gettime(CLOCK_REALTIME, &exact);
    now->tv_sec = exact.tv_sec;
    now->tv_usec = exact.tv_nsec / 1000;
    return 0;
}

time_t time(time_t *kept) {
    struct timespec exact;
    clock_gettime(CLOCK_REALTIME, &exact);
    if (kept) *kept = exact.tv_sec;
    return exact.tv_sec;
}

int clock_nanosleep(clockid_t clock, int flags, const struct timespec *until, struct timespec *left) {
    struct timespec moved = *until;
    if ((flags & TIMER_ABSTIME) && is_calendar(clock)) moved.tv_sec -= ahead;
    return clock_sleep(clock, flags, &moved, left);
}

int sem_timedwait(sem_t *semaphore, const struct timespec *until) {
    struct timespec moved = *until;
    moved.tv_sec -= ahead;
    return semaphore_wait(semaphore, &moved);
}

static int later(int code, struct stat *status) {
    if (!code && status->st_mtim.tv_sec >= since) {
        status->st_mtim.tv_sec += ahead;
        status->st_ctim.tv_sec += ahead;
        status->st_atim.tv_sec += ahead;
    }
    return code;
}

int fstatat(int folder, const char *restrict path, struct stat *restrict status, int flags) {
    if (!status_at) begin();
    return later(status_at(folder, path, status, flags), status);
}

int stat(const char *restrict path, struct stat *restrict status) { return fstatat(AT_FDCWD, path, status, 0); }

int lstat(const char *restrict path, struct stat *restrict status) {
    return fstatat(AT_FDCWD, path, status, AT_SYMLINK_NOFOLLOW);
}

int fstat(int file, struct stat *status) {
    if (!status_of) begin();
    return later(status_of(file, status), status);
}

/* What is built for large files asks by these names; on 64 bits they are the same. */
int fstatat64(int, const char *restrict, struct stat64 *restrict, int) __attribute__((alias("fstatat")));
int stat64(const char *restrict, struct stat64 *restrict) __attribute__((alias("stat")));
int lstat64(const char *restrict, struct stat64 *restrict) __attribute__((alias("lstat")));
int fstat64(int, struct stat64 *) __attribute__((alias("fstat")));
