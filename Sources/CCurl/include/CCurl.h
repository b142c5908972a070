// libcurl, loaded when an object store is used and not before: some thirty libraries come with it, and none of them belongs into the start
// of every command, an initramfs or a stick. Options are set here, since Swift cannot call functions with any number of arguments.

#ifndef CCURL_H
#define CCURL_H

#include <stddef.h>

/// One request. Texts end with a zero byte; those that may be NULL stand for libcurl's own default.
struct ccurl_request {
    const char *_Nonnull url;
    const char *_Nonnull method;
    /// `Name: value` each.
    const char *_Nonnull const *_Nonnull headers;
    size_t header_count;
    /// What is sent; NULL for nothing.
    const void *_Nullable body;
    size_t body_length;
    /// Certificates of authorities, in place of the system's.
    const char *_Nullable ca_file;
    const char *_Nullable proxy;
    const char *_Nullable no_proxy;
    /// Seconds for a connection, and seconds in which next to nothing moves: fewer than 200 bytes each.
    long connect_limit;
    long silence_limit;
    /// Called with each part of the answer's body; what it returns short of `count` ends the transfer.
    size_t (*_Nonnull receive)(void *_Nullable context, const void *_Nonnull bytes, size_t count);
    /// Called with each line of the answer's head.
    void (*_Nonnull head)(void *_Nullable context, const char *_Nonnull line, size_t count);
    /// Asked about once a second; what is not 0 ends the transfer.
    int (*_Nonnull is_stopped)(void *_Nullable context);
    void *_Nullable context;
};

/// What became of a transfer.
enum ccurl_result {
    CCURL_DONE,
    /// Nobody of that name, no connection, one that broke or went silent.
    CCURL_UNREACHABLE,
    /// The server is not who it should be: its certificate, or the authority that vouches for it.
    CCURL_UNTRUSTED,
    /// Ended from this side.
    CCURL_ENDED,
    CCURL_FAILED,
};

/// Loads the library. 0, or what is missing is in `problem`.
int ccurl_load(char *_Nonnull problem, size_t size);

/// The library's version, and that of what it rests on.
const char *_Nonnull ccurl_version(void);

/// A connection that is kept from one request to the next; for one thread at a time. NULL where there is no memory.
void *_Nullable ccurl_open(void);
void ccurl_close(void *_Nonnull connection);

/// Makes one request. The answer's status is in `status` where there was one, words for a person are in `problem`.
enum ccurl_result ccurl_perform(
    void *_Nonnull connection, const struct ccurl_request *_Nonnull request, long *_Nonnull status,
    char *_Nonnull problem, size_t size);

#endif
