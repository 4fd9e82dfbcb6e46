/* A wall clock that is wrong, for one process, for as long as somebody says so.
 *
 * Preloaded into a server. It reads CLOCK_FAULTS_CONTROL, a file of one i64 that it maps: by how many nanoseconds the time
 * of day is ahead. Monotonic clocks are left alone. Without the control file nothing changes.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#define NS_PER_S 1000000000LL

static const int64_t right;
static const volatile int64_t *ahead_ns = &right;
static int (*real_clock_gettime)(clockid_t, struct timespec *);

__attribute__((constructor)) static void start(void) {
    real_clock_gettime = (__typeof__(&clock_gettime))dlsym(RTLD_NEXT, "clock_gettime");
    const char *path = getenv("CLOCK_FAULTS_CONTROL");
    int fd = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    if (fd < 0) return;
    void *memory = mmap(NULL, sizeof(int64_t), PROT_READ, MAP_SHARED, fd, 0);
    if (memory != MAP_FAILED) ahead_ns = memory;
    close(fd);
}

int clock_gettime(clockid_t id, struct timespec *now) {
    if (!real_clock_gettime) start(); /* another library's constructor asked first */
    int failed = real_clock_gettime(id, now);
    if (failed || (id != CLOCK_REALTIME && id != CLOCK_REALTIME_COARSE) || !*ahead_ns) return failed;
    int64_t ns = now->tv_sec * NS_PER_S + now->tv_nsec + *ahead_ns;
    now->tv_sec = ns / NS_PER_S;
    now->tv_nsec = ns % NS_PER_S;
    return 0;
}

int gettimeofday(struct timeval *restrict now, void *restrict zone) {
    struct timespec precise;
    (void)zone;
    if (clock_gettime(CLOCK_REALTIME, &precise)) return -1;
    now->tv_sec = precise.tv_sec;
    now->tv_usec = precise.tv_nsec / 1000;
    return 0;
}

time_t time(time_t *told) {
    struct timespec precise;
    if (clock_gettime(CLOCK_REALTIME, &precise)) return -1;
    if (told) *told = precise.tv_sec;
    return precise.tv_sec;
}
