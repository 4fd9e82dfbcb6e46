/* What a disk has after a power cut: only the bytes that were synced. kill -9 keeps the page cache, so it cannot tell.
 *
 * Preloaded into a server. Before a byte of a file below POWER_CUT_ROOT changes, its old content goes to an undo log of that
 * file below POWER_CUT_UNDO; a sync of the file that succeeds empties the log. After the processes were killed,
 * shim.py plays the logs backwards: what was never synced is gone.
 *
 * As long as the file named by POWER_CUT_LIE exists every sync is a lie: it says yes and the bytes still go. That is the
 * mutant a test must see lose orders.
 *
 * Not covered, and not needed by Postgres or the engine's journal: mmap writes, unsynced renames and unlinks (both
 * survive here), O_SYNC and O_DSYNC (wal_sync_method is fdatasync).
 *
 * Undo log: one file per inode, records of {u64 offset, u64 length, u64 old_size} and `length` old bytes. It is locked
 * (flock) over each write and each sync, so that processes which share a file agree on their order.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

/* Before the constructor has run, each call looks its function up anew. */
#define REAL(name) ((__typeof__(real_##name))(real_##name ? (void *)real_##name : dlsym(RTLD_NEXT, #name)))

static ssize_t (*real_pwrite64)(int, const void *, size_t, off64_t);
static ssize_t (*real_pwritev64)(int, const struct iovec *, int, off64_t);
static ssize_t (*real_write)(int, const void *, size_t);
static ssize_t (*real_writev)(int, const struct iovec *, int);
static int (*real_ftruncate64)(int, off64_t);
static int (*real_posix_fallocate64)(int, off64_t, off64_t);
static int (*real_fsync)(int);
static int (*real_fdatasync)(int);
static int (*real_unlink)(const char *);

__attribute__((constructor)) static void resolve(void) {
    real_pwrite64 = dlsym(RTLD_NEXT, "pwrite64");
    real_pwritev64 = dlsym(RTLD_NEXT, "pwritev64");
    real_write = dlsym(RTLD_NEXT, "write");
    real_writev = dlsym(RTLD_NEXT, "writev");
    real_ftruncate64 = dlsym(RTLD_NEXT, "ftruncate64");
    real_posix_fallocate64 = dlsym(RTLD_NEXT, "posix_fallocate64");
    real_fsync = dlsym(RTLD_NEXT, "fsync");
    real_fdatasync = dlsym(RTLD_NEXT, "fdatasync");
    real_unlink = dlsym(RTLD_NEXT, "unlink");
}

struct record {
    uint64_t offset, length, old_size;
};

static const char *root(void) { return getenv("POWER_CUT_ROOT"); }

static void undo_path(char *path, ino_t inode) {
    const char *folder = getenv("POWER_CUT_UNDO");
    snprintf(path, PATH_MAX, "%s/%llu", folder ? folder : "/nonexistent", (unsigned long long)inode);
}

/* The undo log of the file behind fd, open and locked; -1 for what is not a regular file below the root. */
static int lock_undo(int fd, struct stat *found) {
    char link[64], target[PATH_MAX], path[PATH_MAX];
    const char *top = root();
    if (!top || fstat(fd, found) != 0 || !S_ISREG(found->st_mode)) return -1;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, target, sizeof target - 1);
    if (length < 0) return -1;
    target[length] = 0;
    if (strncmp(target, top, strlen(top)) != 0) return -1;
    undo_path(path, found->st_ino);
    int undo = open(path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
    if (undo < 0 || flock(undo, LOCK_EX) != 0 || fstat(fd, found) != 0) {
        perror("power_cut: cannot keep an undo log; ending, since nothing would be proven");
        abort();
    }
    return undo;
}

static void keep(int undo, const void *bytes, size_t length) {
    if (REAL(write)(undo, bytes, length) != (ssize_t)length) {
        perror("power_cut: cannot write the undo log");
        abort();
    }
}

/* Remember what stands at [offset, offset + length) and how long the file is. */
static void remember(int fd, int undo, const struct stat *found, off64_t offset, uint64_t length) {
    uint64_t size = (uint64_t)found->st_size, from = (uint64_t)offset;
    uint64_t end = from + length < size ? from + length : size;
    struct record record = {from, end > from ? end - from : 0, size};
    char block[65536];
    char name[64];
    keep(undo, &record, sizeof record);
    snprintf(name, sizeof name, "/proc/self/fd/%d", fd); /* fd itself may be open for writing only */
    int reader = record.length ? open(name, O_RDONLY | O_CLOEXEC) : -1;
    for (uint64_t at = from; at < end;) {
        size_t want = end - at < sizeof block ? end - at : sizeof block;
        ssize_t got = pread64(reader, block, want, (off64_t)at);
        if (got <= 0) abort();
        keep(undo, block, (size_t)got);
        at += (uint64_t)got;
    }
    if (reader >= 0) close(reader);
}

static off64_t position(int fd) {
    int flags = fcntl(fd, F_GETFL);
    return lseek64(fd, 0, flags & O_APPEND ? SEEK_END : SEEK_CUR);
}

static uint64_t total(const struct iovec *parts, int count) {
    uint64_t sum = 0;
    for (int i = 0; i < count; i++) sum += parts[i].iov_len;
    return sum;
}

/* Run `call` with the old content kept. `offset` below 0: the file's position. */
#define GUARDED(type, fd, offset, length, call)                                                      \
    do {                                                                                             \
        struct stat found;                                                                           \
        int undo = lock_undo(fd, &found);                                                            \
        if (undo < 0) return call;                                                                   \
        remember(fd, undo, &found, (offset) < 0 ? position(fd) : (offset), length);                  \
        type result = call;                                                                          \
        int error = errno;                                                                           \
        close(undo);                                                                                 \
        errno = error;                                                                               \
        return result;                                                                               \
    } while (0)

ssize_t write(int fd, const void *bytes, size_t length) { GUARDED(ssize_t, fd, -1, length, REAL(write)(fd, bytes, length)); }

ssize_t writev(int fd, const struct iovec *parts, int count) {
    GUARDED(ssize_t, fd, -1, total(parts, count), REAL(writev)(fd, parts, count));
}

ssize_t pwrite64(int fd, const void *bytes, size_t length, off64_t offset) {
    GUARDED(ssize_t, fd, offset, length, REAL(pwrite64)(fd, bytes, length, offset));
}

ssize_t pwrite(int fd, const void *bytes, size_t length, off_t offset) { return pwrite64(fd, bytes, length, offset); }

ssize_t pwritev64(int fd, const struct iovec *parts, int count, off64_t offset) {
    GUARDED(ssize_t, fd, offset, total(parts, count), REAL(pwritev64)(fd, parts, count, offset));
}

ssize_t pwritev(int fd, const struct iovec *parts, int count, off_t offset) { return pwritev64(fd, parts, count, offset); }

int ftruncate64(int fd, off64_t size) { GUARDED(int, fd, size, INT64_MAX - size, REAL(ftruncate64)(fd, size)); }

int ftruncate(int fd, off_t size) { return ftruncate64(fd, size); }

int posix_fallocate64(int fd, off64_t offset, off64_t length) {
    GUARDED(int, fd, offset, 0, REAL(posix_fallocate64)(fd, offset, length));
}

int posix_fallocate(int fd, off_t offset, off_t length) { return posix_fallocate64(fd, offset, length); }

static int is_lying(void) {
    const char *lie = getenv("POWER_CUT_LIE");
    struct stat found; /* not access(), which leaves out the capabilities of a user without privileges */
    return lie && stat(lie, &found) == 0;
}

static int synced(int fd, int (*sync_file)(int)) {
    struct stat found;
    int undo = lock_undo(fd, &found);
    int result = sync_file(fd), error = errno;
    if (undo >= 0) {
        if (result == 0 && !is_lying() && REAL(ftruncate64)(undo, 0) != 0) abort();
        close(undo);
    }
    errno = error;
    return result;
}

int fsync(int fd) { return synced(fd, REAL(fsync)); }

int fdatasync(int fd) { return synced(fd, REAL(fdatasync)); }

/* The inode may come back as another file: its log goes with it. */
int unlink(const char *name) {
    struct stat found;
    char path[PATH_MAX];
    if (root() && lstat(name, &found) == 0 && found.st_nlink == 1) {
        undo_path(path, found.st_ino);
        REAL(unlink)(path);
    }
    return REAL(unlink)(name);
}
