/* The plant's time, for programs that it is preloaded into. The machine's own clock is never set.
 *
 * PLANT_CLOCK names a file that is mapped, so that time goes on while a program runs: 8 bytes, how many steps there are; then for each
 * step 8 bytes, from which time of the kernel's clock on it holds, and 8 bytes, how much later it is in the plant; all in nanoseconds.
 * So each time that the kernel has noted, of a file that was written a year of the plant ago, has one time in the plant, now and later.
 * What is before the first step or yet to come was set by somebody, and is given as it is.
 *
 * PLANT_BOOT names a file of 8 bytes: when the machine was started, in the plant's time.
 * What waits a fifth of a second or less in a loop, waits a twentieth of that.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

enum { STEPS = 1 << 16 };
struct clock { int64_t count; struct { int64_t from, later; } steps[STEPS]; };

static const struct clock *plant;
static const int64_t *boot;
static const int64_t second = 1000000000;

static const void *map(const char *variable, size_t length) {
    const char *path = getenv(variable);
    int file = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    if (file < 0) return NULL;
    void *memory = mmap(NULL, length, PROT_READ, MAP_SHARED, file, 0);
    close(file);
    return memory == MAP_FAILED ? NULL : memory;
}

__attribute__((constructor)) static void begin(void) {
    plant = map("PLANT_CLOCK", sizeof *plant);
    boot = map("PLANT_BOOT", sizeof *boot);
}

static int64_t kernel(clockid_t id) {
    struct timespec now = {0, 0};
    syscall(SYS_clock_gettime, id, &now);
    return now.tv_sec * second + now.tv_nsec;
}

/* How much later it is in the plant than what the kernel has noted. */
static int64_t later(int64_t noted) {
    int64_t low = 0, high = plant ? __atomic_load_n(&plant->count, __ATOMIC_ACQUIRE) : 0;
    if (high == 0 || noted < plant->steps[0].from || noted > kernel(CLOCK_REALTIME) + 60 * second) return 0;
    while (high - low > 1) {
        int64_t middle = (low + high) / 2;
        if (plant->steps[middle].from <= noted) low = middle; else high = middle;
    }
    return plant->steps[low].later;
}

static void shift(int64_t *seconds, int64_t nanoseconds) {
    /* All steps are whole seconds. */
    if (*seconds > 0 && *seconds < INT64_MAX / second) *seconds += later(*seconds * second + nanoseconds) / second;
}

int clock_gettime(clockid_t id, struct timespec *time) {
    int status = (int)syscall(SYS_clock_gettime, id, time);
    if (status != 0) return status;
    int64_t seconds = time->tv_sec;
    if (id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE) shift(&seconds, time->tv_nsec);
    if (id == CLOCK_BOOTTIME && plant && boot) {
        int64_t now = kernel(CLOCK_REALTIME);
        int64_t up = now + later(now) - *boot;
        seconds = up / second;
        time->tv_nsec = up % second;
    }
    time->tv_sec = seconds;
    return 0;
}

time_t time(time_t *result) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (result) *result = now.tv_sec;
    return now.tv_sec;
}

int gettimeofday(struct timeval *restrict result, void *restrict zone) {
    struct timespec now;
    (void)zone;
    clock_gettime(CLOCK_REALTIME, &now);
    result->tv_sec = now.tv_sec;
    result->tv_usec = now.tv_nsec / 1000;
    return 0;
}

int usleep(useconds_t microseconds) {
    useconds_t short_one = microseconds <= 200000 ? microseconds / 20 : microseconds;
    struct timespec wanted = {short_one / 1000000, (long)(short_one % 1000000) * 1000};
    return nanosleep(&wanted, NULL);
}

static void shift_stat(struct stat *status) {
    struct timespec *times[] = {&status->st_atim, &status->st_mtim, &status->st_ctim};
    for (int index = 0; index < 3; index++) {
        int64_t seconds = times[index]->tv_sec;
        shift(&seconds, times[index]->tv_nsec);
        times[index]->tv_sec = seconds;
    }
}

static int look(int folder, const char *path, struct stat *status, int flags) {
    int result = (int)syscall(SYS_newfstatat, folder, path, status, flags);
    if (result == 0) shift_stat(status);
    return result;
}

int stat(const char *restrict path, struct stat *restrict status) { return look(AT_FDCWD, path, status, 0); }
int lstat(const char *restrict path, struct stat *restrict status) { return look(AT_FDCWD, path, status, AT_SYMLINK_NOFOLLOW); }
int fstat(int file, struct stat *status) { return look(file, "", status, AT_EMPTY_PATH); }
int fstatat(int folder, const char *restrict path, struct stat *restrict status, int flags) { return look(folder, path, status, flags); }
int stat64(const char *restrict path, struct stat64 *restrict status) { return look(AT_FDCWD, path, (struct stat *)status, 0); }
int lstat64(const char *restrict path, struct stat64 *restrict status) {
    return look(AT_FDCWD, path, (struct stat *)status, AT_SYMLINK_NOFOLLOW);
}
int fstat64(int file, struct stat64 *status) { return look(file, "", (struct stat *)status, AT_EMPTY_PATH); }
int fstatat64(int folder, const char *restrict path, struct stat64 *restrict status, int flags) {
    return look(folder, path, (struct stat *)status, flags);
}

int statx(int folder, const char *restrict path, int flags, unsigned mask, struct statx *restrict status) {
    int result = (int)syscall(SYS_statx, folder, path, flags, mask, status);
    if (result != 0) return result;
    struct statx_timestamp *times[] = {&status->stx_atime, &status->stx_btime, &status->stx_ctime, &status->stx_mtime};
    for (int index = 0; index < 4; index++) {
        int64_t seconds = times[index]->tv_sec;
        shift(&seconds, times[index]->tv_nsec);
        times[index]->tv_sec = seconds;
    }
    return 0;
}
