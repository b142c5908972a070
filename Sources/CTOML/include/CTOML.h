// TOML documents through toml++, as a flat list of values with their places. The parser is C++; nothing of that shows here, and no
// text, however broken, ends in anything but a document or an error.

#ifndef CTOML_H
#define CTOML_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum {
    CTOML_TABLE,
    CTOML_ARRAY,
    CTOML_STRING,
    CTOML_INTEGER,
    CTOML_FLOATING_POINT,
    CTOML_BOOLEAN,
    /// A date, a time, or both.
    CTOML_TIME,
};

/// Lines and columns count from 1, columns in characters.
struct ctoml_place {
    uint32_t line, column;
};

struct ctoml_value {
    int kind;
    /// The table or array that holds it, by its number; that comes earlier. The root is 0 and its own holder.
    size_t holder;
    /// Its key where the holder is a table. Not null-terminated, UTF-8.
    const char *key;
    size_t key_length;
    struct ctoml_place key_place, place;
    /// Of a string. Not null-terminated, UTF-8.
    const char *text;
    size_t text_length;
    int64_t integer;
    double floating_point;
    int boolean;
};

struct ctoml_error {
    struct ctoml_place place;
    char message[512];
};

typedef struct ctoml_document ctoml_document;

/// NULL where the text is no TOML, or there is no memory; then `error` says why.
ctoml_document *ctoml_parse(const char *text, size_t length, struct ctoml_error *error);
size_t ctoml_count(const ctoml_document *document);
/// What it points to lives as long as the document.
struct ctoml_value ctoml_value_at(const ctoml_document *document, size_t number);
void ctoml_free(ctoml_document *document);

#ifdef __cplusplus
}
#endif

#endif
