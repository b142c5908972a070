// Calls that tests need and Swift's Glibc module does not show: stopping a thread at its system calls, swapping two names in one step,
// a thread that works as another user.

#ifndef CTESTSUPPORT_H
#define CTESTSUPPORT_H

#include <stddef.h>
#include <stdint.h>

/// A system call at which a thread is stopped, before it has had any effect.
struct ctest_stop {
    uint64_t id;
    int number;
    uint64_t arguments[6];
};

/// The number of a system call; -1 where its name is not known.
int ctest_call_number(const char *name);
const char *ctest_call_name(int number);

/// Has the calling thread, until its end, stop at these system calls. Returns the descriptor by which another thread learns of them and
/// lets them go on; -1 with errno.
int ctest_stop_calls(const int *numbers, size_t count);

/// Waits for the next stop. Returns 1; 0 when the thread has ended; -1 with errno.
int ctest_next_stop(int listener, struct ctest_stop *stop);

/// Lets the call go on; or, with `error` other than 0, has it fail with that errno and no effect.
int ctest_go_on(int listener, uint64_t id, int error);

/// Swaps two names in one step.
int ctest_exchange(const char *one, const char *other);

/// Has the calling thread, until its end, use files as this user; root's rights over files go with it.
void ctest_use_files_as(unsigned user);

#endif
