// How much of the machine a process takes. Only what is asked of the kernel; what is wanted is decided in Swift.

#include "CLinux.h"

#include <errno.h>
#include <sched.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

// linux/ioprio.h: of one thread, and the class above the 13 bits of the level.
enum { WHO_THREAD = 1, CLASS_SHIFT = 13, CLASS_IDLE = 3 };

int clinux_take_idle_classes(void) {
    struct sched_param none = {0};
    int missed = sched_setscheduler(0, SCHED_IDLE, &none) != 0;
    missed += syscall(SYS_ioprio_set, WHO_THREAD, 0, CLASS_IDLE << CLASS_SHIFT) != 0;
    missed += setpriority(PRIO_PROCESS, 0, 19) != 0;
    return missed;
}

int clinux_has_idle_class(void) {
    return syscall(SYS_ioprio_get, WHO_THREAD, 0) >> CLASS_SHIFT == CLASS_IDLE;
}

// Machines have had more than a thousand processors.
enum { MOST_PROCESSORS = 8192 };

int clinux_stay_on(const int *processors, size_t count) {
    cpu_set_t *set = CPU_ALLOC(MOST_PROCESSORS);
    if (set == NULL) return -1;
    size_t size = CPU_ALLOC_SIZE(MOST_PROCESSORS);
    CPU_ZERO_S(size, set);
    for (size_t i = 0; i < count; i++)
        if (processors[i] >= 0 && processors[i] < MOST_PROCESSORS) CPU_SET_S(processors[i], size, set);
    int result = sched_setaffinity(0, size, set);
    int code = errno;
    CPU_FREE(set);
    errno = code;
    return result;
}

int clinux_usable_processors(void) {
    cpu_set_t *set = CPU_ALLOC(MOST_PROCESSORS);
    if (set == NULL) return 0;
    size_t size = CPU_ALLOC_SIZE(MOST_PROCESSORS);
    CPU_ZERO_S(size, set);
    int count = sched_getaffinity(0, size, set) == 0 ? CPU_COUNT_S(size, set) : 0;
    CPU_FREE(set);
    return count;
}
