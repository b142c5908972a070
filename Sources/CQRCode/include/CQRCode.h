// libqrencode, loaded when a code is printed and not before. Types and constants are those of its header.

#ifndef CQRCODE_H
#define CQRCODE_H

#include <qrencode.h>
#include <stddef.h>

#define CQRCODE_FUNCTIONS(function) \
    function(QRcode_encodeString) \
    function(QRcode_free)

struct cqrcode_functions {
#define CQRCODE_MEMBER(name) __typeof__(name) *_Nonnull name;
    CQRCODE_FUNCTIONS(CQRCODE_MEMBER)
#undef CQRCODE_MEMBER
};

/// NULL where the library, or a function of it, is not there; then `problem` says so.
const struct cqrcode_functions *_Nullable cqrcode_load(char *_Nonnull problem, size_t size);

#endif
