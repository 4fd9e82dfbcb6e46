/* A disk that is slow or full, for one process, for as long as somebody says so.
 *
 * Preloaded into a server. It reads DISK_FAULTS_CONTROL, a file of two u64 that it maps: by how many nanoseconds each fsync
 * and fdatasync takes longer, and whether the disk is full. On a full disk a regular file below DISK_FAULTS_ROOT may be
 * overwritten but not grow (ENOSPC), as where no block is left. Without the control file nothing changes.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

struct control {
    uint64_t sync_delay_ns, is_full;
};

static const struct control healthy;
static const volatile struct control *control = &healthy;

/* Looked up at each call: a sync costs a thousand times that, and a write is checked only while the disk is full. */
#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

static ssize_t (*real_write)(int, const void *, size_t);
static ssize_t (*real_pwrite64)(int, const void *, size_t, off64_t);

__attribute__((constructor)) static void start(void) {
    real_write = REAL(write);
    real_pwrite64 = REAL(pwrite64);
    const char *path = getenv("DISK_FAULTS_CONTROL");
    int fd = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    if (fd < 0) return;
    void *memory = mmap(NULL, sizeof(struct control), PROT_READ, MAP_SHARED, fd, 0);
    if (memory != MAP_FAILED) control = memory;
    close(fd);
}

/* Whether `length` bytes at `offset` (below 0: the file's position) do not fit. */
static int refused(int fd, off64_t offset, uint64_t length) {
    struct stat found;
    char link[64], target[PATH_MAX];
    const char *root = getenv("DISK_FAULTS_ROOT");
    if (!control->is_full || !root || fstat(fd, &found) != 0 || !S_ISREG(found.st_mode)) return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t size = readlink(link, target, sizeof target - 1);
    if (size < 0) return 0;
    target[size] = 0;
    if (strncmp(target, root, strlen(root)) != 0) return 0;
    if (offset < 0) offset = lseek64(fd, 0, fcntl(fd, F_GETFL) & O_APPEND ? SEEK_END : SEEK_CUR);
    if ((uint64_t)offset + length <= (uint64_t)found.st_size) return 0;
    errno = ENOSPC;
    return 1;
}

static uint64_t total(const struct iovec *parts, int count) {
    uint64_t sum = 0;
    for (int i = 0; i < count; i++) sum += parts[i].iov_len;
    return sum;
}

ssize_t write(int fd, const void *bytes, size_t length) {
    if (refused(fd, -1, length)) return -1;
    return (real_write ? real_write : REAL(write))(fd, bytes, length);
}

ssize_t writev(int fd, const struct iovec *parts, int count) {
    if (refused(fd, -1, total(parts, count))) return -1;
    return REAL(writev)(fd, parts, count);
}

ssize_t pwrite64(int fd, const void *bytes, size_t length, off64_t offset) {
    if (refused(fd, offset, length)) return -1;
    return (real_pwrite64 ? real_pwrite64 : REAL(pwrite64))(fd, bytes, length, offset);
}

ssize_t pwrite(int fd, const void *bytes, size_t length, off_t offset) { return pwrite64(fd, bytes, length, offset); }

ssize_t pwritev64(int fd, const struct iovec *parts, int count, off64_t offset) {
    if (refused(fd, offset, total(parts, count))) return -1;
    return REAL(pwritev64)(fd, parts, count, offset);
}

ssize_t pwritev(int fd, const struct iovec *parts, int count, off_t offset) { return pwritev64(fd, parts, count, offset); }

int posix_fallocate64(int fd, off64_t offset, off64_t length) {
    return refused(fd, offset, (uint64_t)length) ? ENOSPC : REAL(posix_fallocate64)(fd, offset, length);
}

int posix_fallocate(int fd, off_t offset, off_t length) { return posix_fallocate64(fd, offset, length); }

static void delay(void) {
    uint64_t longer_ns = control->sync_delay_ns;
    struct timespec until;
    if (longer_ns == 0) return;
    clock_gettime(CLOCK_MONOTONIC, &until);
    longer_ns += (uint64_t)until.tv_nsec;
    until.tv_sec += (time_t)(longer_ns / 1000000000);
    until.tv_nsec = (long)(longer_ns % 1000000000);
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL) == EINTR) continue;
}

int fsync(int fd) {
    delay();
    return REAL(fsync)(fd);
}

int fdatasync(int fd) {
    delay();
    return REAL(fdatasync)(fd);
}
