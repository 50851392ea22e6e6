/*
 * Preloaded into a hub, this has one kind of call fail with EIO, as on a broken disk, on the files whose path contains
 * FAILING_FILE, from the moment on at which the file FAILING_WHEN exists. FAILING_CALL says which: sync or write.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static int fails(const char *call, int fd) {
    const char *wanted = getenv("FAILING_CALL"), *file = getenv("FAILING_FILE"), *when = getenv("FAILING_WHEN");
    char name[32], path[4096];
    ssize_t length;

    if (!wanted || !file || !when || strcmp(wanted, call) != 0 || access(when, F_OK) != 0)
        return 0;
    snprintf(name, sizeof name, "/proc/self/fd/%d", fd);
    length = readlink(name, path, sizeof path - 1);
    if (length < 0)
        return 0;
    path[length] = 0;
    if (!strstr(path, file))
        return 0;
    errno = EIO;
    return 1;
}

int fsync(int fd) {
    return fails("sync", fd) ? -1 : (int)syscall(SYS_fsync, fd);
}

int fdatasync(int fd) {
    return fails("sync", fd) ? -1 : (int)syscall(SYS_fdatasync, fd);
}

ssize_t write(int fd, const void *bytes, size_t count) {
    return fails("write", fd) ? -1 : syscall(SYS_write, fd, bytes, count);
}

ssize_t pwrite64(int fd, const void *bytes, size_t count, off64_t offset) {
    return fails("write", fd) ? -1 : syscall(SYS_pwrite64, fd, bytes, count, offset);
}

ssize_t pwrite(int fd, const void *bytes, size_t count, off_t offset) {
    return pwrite64(fd, bytes, count, offset);
}
