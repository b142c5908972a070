#include "CTestSupport.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/fsuid.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

static const struct {
    const char *name;
    int number;
} calls[] = {
    {"openat", SYS_openat},     {"openat2", SYS_openat2}, {"mkdirat", SYS_mkdirat},       {"unlinkat", SYS_unlinkat},
    {"readlink", SYS_readlink}, {"statx", SYS_statx},       {"fsync", SYS_fsync},     {"getdents64", SYS_getdents64}, {"renameat2", SYS_renameat2},
    {"renameat", SYS_renameat}, {"linkat", SYS_linkat},   {"symlinkat", SYS_symlinkat},   {"write", SYS_write},
    {"pread64", SYS_pread64},   {"read", SYS_read},       {"close", SYS_close},           {"newfstatat", SYS_newfstatat},
#ifdef SYS_mkdir
    {"mkdir", SYS_mkdir},       {"unlink", SYS_unlink},
#endif
};

int ctest_call_number(const char *name) {
    for (size_t index = 0; index < sizeof calls / sizeof *calls; index++)
        if (strcmp(calls[index].name, name) == 0) return calls[index].number;
    return -1;
}

const char *ctest_call_name(int number) {
    for (size_t index = 0; index < sizeof calls / sizeof *calls; index++)
        if (calls[index].number == number) return calls[index].name;
    return "?";
}

int ctest_stop_calls(const int *numbers, size_t count) {
    struct sock_filter code[64];
    if (count + 3 > sizeof code / sizeof *code) {
        errno = EINVAL;
        return -1;
    }
    size_t length = 0;
    code[length++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr));
    for (size_t index = 0; index < count; index++) {
        // Jumps to the last instruction.
        uint8_t distance = (uint8_t)(count - index);
        code[length++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)numbers[index], distance, 0);
    }
    code[length++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
    code[length++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF);
    struct sock_fprog program = {.len = (unsigned short)length, .filter = code};
    return (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER, &program);
}

int ctest_next_stop(int listener, struct ctest_stop *stop) {
    while (1) {
        struct pollfd waiting = {.fd = listener, .events = POLLIN};
        int ready = poll(&waiting, 1, -1);
        if (ready < 0 && errno == EINTR) continue;
        if (ready < 0) return -1;
        if (!(waiting.revents & POLLIN)) return 0;
        struct seccomp_notif notice;
        memset(&notice, 0, sizeof notice);
        // ENOENT: the thread was killed meanwhile.
        if (ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &notice) < 0) {
            if (errno == EINTR || errno == ENOENT) continue;
            return -1;
        }
        stop->id = notice.id;
        stop->number = notice.data.nr;
        for (int index = 0; index < 6; index++) stop->arguments[index] = notice.data.args[index];
        return 1;
    }
}

int ctest_go_on(int listener, uint64_t id, int error) {
    struct seccomp_notif_resp answer = {
        .id = id, .error = -error, .flags = error == 0 ? SECCOMP_USER_NOTIF_FLAG_CONTINUE : 0};
    return ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &answer);
}

int ctest_exchange(const char *one, const char *other) {
    return renameat2(AT_FDCWD, one, AT_FDCWD, other, RENAME_EXCHANGE);
}

void ctest_use_files_as(unsigned user) {
    setfsgid(user);
    setfsuid(user);
}
