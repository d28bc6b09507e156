/* A layer that notes every change below one folder, so that a power cut can be played on it afterwards.
 *
 *   LD_PRELOAD=forget.so FORGET_ROOT=/folder FORGET_JOURNAL=/elsewhere/journal program
 *
 * Each call is really made, and then appended to the journal, under a lock that holds for all processes and threads:
 * the journal's order is the order in which things happened. The lock is flock(2) on a descriptor opened for this
 * one call, so it needs no state in the process and goes with a process that is killed. A call that was made but not
 * noted has not returned: nobody can have built on it. Files and folders are named by their inodes; FORGET_ROOT must
 * be a real path (no symbolic links) on one file system.
 *
 * Not seen: memory maps, stdio's own writes, symbolic links, sync(2) and syncfs(2). The size noted with each sync lets
 * the reader of the journal find out that a change was missed.
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
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

enum operation { CREATE = 1, WRITE, TRUNCATE, SYNC, RENAME, UNLINK, MKDIR, RMDIR, LINK };

struct record {
    char magic[8];
    uint32_t operation;
    uint32_t name_bytes;
    uint64_t data_bytes;
    uint64_t inode;
    uint64_t folder;
    uint64_t number; /* an offset, a size, or the second folder of a rename */
};

/* Where a name stands: its folder, and the last part. */
struct place {
    int is_below;
    uint64_t folder;
    char name[NAME_MAX + 1];
};

static const char *root(void) { return getenv("FORGET_ROOT"); }

/* The kernel itself, past every layer. */
static int raw_openat(int folder, const char *path, int flags, mode_t mode) {
    return (int)syscall(SYS_openat, folder, path, flags, mode);
}

static void raw_close(int descriptor) { syscall(SYS_close, descriptor); }

static int is_below_root(int descriptor) {
    char link[64], path[PATH_MAX];
    const char *top = root();
    int kept = errno;
    if (!top || !getenv("FORGET_JOURNAL")) return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
    ssize_t length = readlink(link, path, sizeof path - 1);
    errno = kept;
    if (length < 0) return 0;
    path[length] = 0;
    size_t prefix = strlen(top);
    return !strncmp(path, top, prefix) && (path[prefix] == '/' || path[prefix] == 0);
}

static struct place place_of(int folder, const char *path) {
    struct place place = {0};
    char parent[PATH_MAX], copy[PATH_MAX];
    struct stat status;
    int kept = errno;
    size_t length = strlen(path);
    if (!root() || length == 0 || length >= sizeof copy) return place;
    strcpy(copy, path);
    while (length > 1 && copy[length - 1] == '/') copy[--length] = 0;
    char *slash = strrchr(copy, '/');
    const char *name = slash ? slash + 1 : copy;
    if (strlen(name) > NAME_MAX) return place;
    strcpy(place.name, name);
    if (!slash) strcpy(parent, ".");
    else if (slash == copy) strcpy(parent, "/");
    else { *slash = 0; strcpy(parent, copy); }
    int descriptor = raw_openat(folder, parent, O_PATH | O_DIRECTORY | O_CLOEXEC, 0);
    if (descriptor >= 0) {
        if (is_below_root(descriptor) && !fstat(descriptor, &status)) {
            place.is_below = 1;
            place.folder = status.st_ino;
        }
        raw_close(descriptor);
    }
    errno = kept;
    return place;
}

static uint64_t inode_of(int descriptor) {
    struct stat status;
    int kept = errno;
    uint64_t inode = fstat(descriptor, &status) ? 0 : status.st_ino;
    errno = kept;
    return inode;
}

static uint64_t inode_at(int folder, const char *path) {
    struct stat status;
    int kept = errno;
    uint64_t inode = fstatat(folder, path, &status, AT_SYMLINK_NOFOLLOW) ? 0 : status.st_ino;
    errno = kept;
    return inode;
}

static int locked_journal(void) {
    int kept = errno;
    int journal = raw_openat(AT_FDCWD, getenv("FORGET_JOURNAL"), O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
    if (journal < 0) {
        fprintf(stderr, "forget: the journal cannot be opened: %s\n", strerror(errno));
        abort();
    }
    while (flock(journal, LOCK_EX) && errno == EINTR) {}
    errno = kept;
    return journal;
}

static void release(int journal) {
    int kept = errno;
    raw_close(journal);
    errno = kept;
}

static void append(int journal, const void *data, size_t left) {
    const char *next = data;
    while (left) {
        long written = syscall(SYS_write, journal, next, left);
        if (written < 0 && errno == EINTR) continue;
        if (written < 0) abort();
        next += written;
        left -= (size_t)written;
    }
}

static void note(int journal, enum operation operation, uint64_t inode, uint64_t folder, uint64_t number,
                 const void *name, size_t name_bytes, uint64_t data_bytes) {
    struct record record = {{0}, operation, (uint32_t)name_bytes, data_bytes, inode, folder, number};
    int kept = errno;
    memcpy(record.magic, "\x89" "FORGET", 8);
    append(journal, &record, sizeof record);
    append(journal, name, name_bytes);
    errno = kept;
}

/* What was written, as it stands in the memory of the caller. */
static void note_write(int journal, int descriptor, uint64_t offset, const struct iovec *parts, int count, size_t all) {
    int kept = errno;
    note(journal, WRITE, inode_of(descriptor), 0, offset, "", 0, all);
    for (int i = 0; i < count && all; i++) {
        size_t length = parts[i].iov_len < all ? parts[i].iov_len : all;
        append(journal, parts[i].iov_base, length);
        all -= length;
    }
    errno = kept;
}

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

/* ------------------------------------------------------------------------------------------------ open */

static int noted_open(int folder, const char *path, int flags, mode_t mode) {
    struct place place = {0};
    if ((flags & (O_CREAT | O_TRUNC)) && (flags & O_TMPFILE) != O_TMPFILE) place = place_of(folder, path);
    if (!place.is_below) return raw_openat(folder, path, flags, mode);
    int journal = locked_journal();
    uint64_t before = inode_at(folder, path);
    int descriptor = raw_openat(folder, path, flags, mode);
    if (descriptor >= 0) {
        uint64_t inode = inode_of(descriptor);
        if (!before) note(journal, CREATE, inode, place.folder, 0, place.name, strlen(place.name), 0);
        else if (flags & O_TRUNC) note(journal, TRUNCATE, inode, 0, 0, "", 0, 0);
    }
    release(journal);
    return descriptor;
}

#define MODE(flags, mode) \
    mode_t mode = 0; \
    if (((flags) & O_CREAT) || ((flags) & O_TMPFILE) == O_TMPFILE) { \
        va_list rest; va_start(rest, flags); mode = va_arg(rest, mode_t); va_end(rest); \
    }

int open(const char *path, int flags, ...) { MODE(flags, mode) return noted_open(AT_FDCWD, path, flags, mode); }
int open64(const char *path, int flags, ...) { MODE(flags, mode) return noted_open(AT_FDCWD, path, flags, mode); }
int openat(int at, const char *path, int flags, ...) { MODE(flags, mode) return noted_open(at, path, flags, mode); }
int openat64(int at, const char *path, int flags, ...) { MODE(flags, mode) return noted_open(at, path, flags, mode); }
int __open_2(const char *path, int flags) { return noted_open(AT_FDCWD, path, flags, 0); }
int __open64_2(const char *path, int flags) { return noted_open(AT_FDCWD, path, flags, 0); }
int __openat_2(int at, const char *path, int flags) { return noted_open(at, path, flags, 0); }
int __openat64_2(int at, const char *path, int flags) { return noted_open(at, path, flags, 0); }
int creat(const char *path, mode_t mode) { return noted_open(AT_FDCWD, path, O_CREAT | O_WRONLY | O_TRUNC, mode); }
int creat64(const char *path, mode_t mode) { return creat(path, mode); }

/* ----------------------------------------------------------------------------------------------- write */

ssize_t writev(int descriptor, const struct iovec *parts, int count) {
    if (!is_below_root(descriptor)) return REAL(writev)(descriptor, parts, count);
    int journal = locked_journal();
    ssize_t written = REAL(writev)(descriptor, parts, count);
    if (written > 0) {
        uint64_t end = (uint64_t)lseek(descriptor, 0, SEEK_CUR);
        note_write(journal, descriptor, end - (uint64_t)written, parts, count, (size_t)written);
    }
    release(journal);
    return written;
}

ssize_t write(int descriptor, const void *data, size_t length) {
    if (!is_below_root(descriptor)) return REAL(write)(descriptor, data, length);
    struct iovec part = {(void *)data, length};
    return writev(descriptor, &part, 1);
}

static ssize_t noted_pwritev(int descriptor, const struct iovec *parts, int count, off_t offset) {
    int journal = locked_journal();
    ssize_t written = REAL(pwritev)(descriptor, parts, count, offset);
    if (written > 0) note_write(journal, descriptor, (uint64_t)offset, parts, count, (size_t)written);
    release(journal);
    return written;
}

ssize_t pwritev(int descriptor, const struct iovec *parts, int count, off_t offset) {
    if (!is_below_root(descriptor)) return REAL(pwritev)(descriptor, parts, count, offset);
    return noted_pwritev(descriptor, parts, count, offset);
}
ssize_t pwritev64(int descriptor, const struct iovec *parts, int count, off64_t offset) {
    return pwritev(descriptor, parts, count, offset);
}
ssize_t pwrite(int descriptor, const void *data, size_t length, off_t offset) {
    if (!is_below_root(descriptor)) return REAL(pwrite)(descriptor, data, length, offset);
    struct iovec part = {(void *)data, length};
    return noted_pwritev(descriptor, &part, 1, offset);
}
ssize_t pwrite64(int descriptor, const void *data, size_t length, off64_t offset) {
    return pwrite(descriptor, data, length, offset);
}

/* Refused, as on file systems that have no such calls: programs then write, which is seen. */
ssize_t copy_file_range(int in, off64_t *in_at, int out, off64_t *out_at, size_t length, unsigned flags) {
    if (!is_below_root(out)) return REAL(copy_file_range)(in, in_at, out, out_at, length, flags);
    errno = EXDEV;
    return -1;
}
ssize_t sendfile(int out, int in, off_t *offset, size_t length) {
    if (!is_below_root(out)) return REAL(sendfile)(out, in, offset, length);
    errno = ENOTSOCK;
    return -1;
}
ssize_t sendfile64(int out, int in, off64_t *offset, size_t length) { return sendfile(out, in, offset, length); }
int fallocate(int descriptor, int mode, off_t offset, off_t length) {
    if (!is_below_root(descriptor)) return REAL(fallocate)(descriptor, mode, offset, length);
    errno = EOPNOTSUPP;
    return -1;
}
int fallocate64(int descriptor, int mode, off64_t offset, off64_t length) {
    return fallocate(descriptor, mode, offset, length);
}

int ftruncate(int descriptor, off_t length) {
    if (!is_below_root(descriptor)) return REAL(ftruncate)(descriptor, length);
    int journal = locked_journal();
    int result = REAL(ftruncate)(descriptor, length);
    if (!result) note(journal, TRUNCATE, inode_of(descriptor), 0, (uint64_t)length, "", 0, 0);
    release(journal);
    return result;
}
int ftruncate64(int descriptor, off64_t length) { return ftruncate(descriptor, length); }
int truncate(const char *path, off_t length) {
    int descriptor = raw_openat(AT_FDCWD, path, O_WRONLY | O_CLOEXEC, 0);
    if (descriptor < 0) return -1;
    int result = ftruncate(descriptor, length);
    release(descriptor);
    return result;
}
int truncate64(const char *path, off64_t length) { return truncate(path, length); }

/* ------------------------------------------------------------------------------------------------ sync */

static int noted_sync(int descriptor, int (*sync_it)(int)) {
    struct stat status;
    if (!is_below_root(descriptor)) return sync_it(descriptor);
    int journal = locked_journal();
    int result = sync_it(descriptor);
    if (!result && !fstat(descriptor, &status)) {
        uint64_t size = S_ISREG(status.st_mode) ? (uint64_t)status.st_size : 0;
        note(journal, SYNC, status.st_ino, 0, size, "", 0, 0);
    }
    release(journal);
    return result;
}

int fsync(int descriptor) { return noted_sync(descriptor, REAL(fsync)); }
int fdatasync(int descriptor) { return noted_sync(descriptor, REAL(fdatasync)); }

/* ----------------------------------------------------------------------------------------------- names */

int renameat2(int old_at, const char *old_path, int new_at, const char *new_path, unsigned flags) {
    struct place from = place_of(old_at, old_path), to = place_of(new_at, new_path);
    if (!from.is_below && !to.is_below)
        return (int)syscall(SYS_renameat2, old_at, old_path, new_at, new_path, flags);
    if (!from.is_below || !to.is_below || flags & RENAME_EXCHANGE) {
        errno = EXDEV; /* across the edge: programs then copy */
        return -1;
    }
    char names[2 * NAME_MAX + 2];
    size_t first = strlen(from.name), second = strlen(to.name);
    memcpy(names, from.name, first + 1);
    memcpy(names + first + 1, to.name, second);
    int journal = locked_journal();
    int result = (int)syscall(SYS_renameat2, old_at, old_path, new_at, new_path, flags);
    if (!result)
        note(journal, RENAME, inode_at(new_at, new_path), from.folder, to.folder, names, first + 1 + second, 0);
    release(journal);
    return result;
}
int renameat(int old_at, const char *old_path, int new_at, const char *new_path) {
    return renameat2(old_at, old_path, new_at, new_path, 0);
}
int rename(const char *old_path, const char *new_path) {
    return renameat2(AT_FDCWD, old_path, AT_FDCWD, new_path, 0);
}

int unlinkat(int at, const char *path, int flags) {
    struct place place = place_of(at, path);
    if (!place.is_below) return (int)syscall(SYS_unlinkat, at, path, flags);
    int journal = locked_journal();
    int result = (int)syscall(SYS_unlinkat, at, path, flags);
    enum operation operation = flags & AT_REMOVEDIR ? RMDIR : UNLINK;
    if (!result) note(journal, operation, 0, place.folder, 0, place.name, strlen(place.name), 0);
    release(journal);
    return result;
}
int unlink(const char *path) { return unlinkat(AT_FDCWD, path, 0); }
int rmdir(const char *path) { return unlinkat(AT_FDCWD, path, AT_REMOVEDIR); }
int remove(const char *path) {
    int result = unlinkat(AT_FDCWD, path, 0);
    return result && (errno == EISDIR || errno == EPERM) ? unlinkat(AT_FDCWD, path, AT_REMOVEDIR) : result;
}

int mkdirat(int at, const char *path, mode_t mode) {
    struct place place = place_of(at, path);
    if (!place.is_below) return (int)syscall(SYS_mkdirat, at, path, mode);
    int journal = locked_journal();
    int result = (int)syscall(SYS_mkdirat, at, path, mode);
    if (!result) note(journal, MKDIR, inode_at(at, path), place.folder, 0, place.name, strlen(place.name), 0);
    release(journal);
    return result;
}
int mkdir(const char *path, mode_t mode) { return mkdirat(AT_FDCWD, path, mode); }

int linkat(int old_at, const char *old_path, int new_at, const char *new_path, int flags) {
    struct place place = place_of(new_at, new_path);
    if (!place.is_below) return (int)syscall(SYS_linkat, old_at, old_path, new_at, new_path, flags);
    int journal = locked_journal();
    int result = (int)syscall(SYS_linkat, old_at, old_path, new_at, new_path, flags);
    if (!result)
        note(journal, LINK, inode_at(new_at, new_path), place.folder, 0, place.name, strlen(place.name), 0);
    release(journal);
    return result;
}
int link(const char *old_path, const char *new_path) { return linkat(AT_FDCWD, old_path, AT_FDCWD, new_path, 0); }
