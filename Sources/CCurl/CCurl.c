#include "CCurl.h"

#include <curl/curl.h>
#include <dlfcn.h>
#include <stdio.h>
#include <string.h>

#define CCURL_FUNCTIONS(function) \
    function(curl_global_init) \
    function(curl_version) \
    function(curl_easy_init) \
    function(curl_easy_reset) \
    function(curl_easy_cleanup) \
    function(curl_easy_perform) \
    function(curl_easy_strerror) \
    function(curl_easy_getinfo) \
    function(curl_easy_setopt) \
    function(curl_slist_append) \
    function(curl_slist_free_all)

// curl.h makes macros of the last two to check their types; what is loaded is the functions.
#undef curl_easy_setopt
#undef curl_easy_getinfo

static struct {
#define CCURL_MEMBER(name) __typeof__(name) *name;
    CCURL_FUNCTIONS(CCURL_MEMBER)
} curl;

int ccurl_load(char *problem, size_t size) {
    // The version of its interface that the headers describe; it has been this one since 2006.
    void *library = dlopen("libcurl.so.4", RTLD_NOW | RTLD_LOCAL);
    if (!library) {
        const char *reason = dlerror();
        snprintf(problem, size, "%s", reason ? reason : "the loader gave no reason");
        return 1;
    }
#define CCURL_FIND(name) \
    curl.name = (__typeof__(name) *)dlsym(library, #name); \
    if (!curl.name) { \
        snprintf(problem, size, "libcurl.so.4 has no %s", #name); \
        return 1; \
    }
    CCURL_FUNCTIONS(CCURL_FIND)
    if (curl.curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
        snprintf(problem, size, "libcurl could not be initialised");
        return 1;
    }
    return 0;
}

const char *ccurl_version(void) { return curl.curl_version(); }

void *ccurl_open(void) { return curl.curl_easy_init(); }

void ccurl_close(void *connection) { curl.curl_easy_cleanup(connection); }

struct body {
    const char *bytes;
    size_t length;
    size_t sent;
};

static size_t send_body(char *buffer, size_t unit, size_t count, void *context) {
    struct body *body = context;
    size_t wanted = unit * count, left = body->length - body->sent;
    size_t part = wanted < left ? wanted : left;
    memcpy(buffer, body->bytes + body->sent, part);
    body->sent += part;
    return part;
}

// A kept connection that ends before the answer makes libcurl send the request once more, on a new one. The first may have had its effect:
// then an object that is there by now would be taken for somebody else's. Whoever repeats a body has to know that.
static int refuse_rewind(void *context, curl_off_t offset, int origin) {
    const struct body *body = context;
    return origin == SEEK_SET && offset == 0 && body->sent == 0 ? CURL_SEEKFUNC_OK : CURL_SEEKFUNC_FAIL;
}

static size_t receive_body(char *bytes, size_t unit, size_t count, void *context) {
    const struct ccurl_request *request = context;
    return request->receive(request->context, bytes, unit * count);
}

static size_t receive_head(char *bytes, size_t unit, size_t count, void *context) {
    const struct ccurl_request *request = context;
    request->head(request->context, bytes, unit * count);
    return unit * count;
}

static int ask_stop(void *context, curl_off_t a, curl_off_t b, curl_off_t c, curl_off_t d) {
    (void)a, (void)b, (void)c, (void)d;
    const struct ccurl_request *request = context;
    return request->is_stopped(request->context);
}

static enum ccurl_result result_of(CURLcode code) {
    switch (code) {
    case CURLE_OK: return CCURL_DONE;
    case CURLE_COULDNT_RESOLVE_PROXY:
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_CONNECT:
    case CURLE_OPERATION_TIMEDOUT:
    case CURLE_GOT_NOTHING:
    case CURLE_SEND_ERROR:
    case CURLE_RECV_ERROR:
    case CURLE_SEND_FAIL_REWIND:
    case CURLE_PARTIAL_FILE:
    case CURLE_SSL_CONNECT_ERROR: return CCURL_UNREACHABLE;
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_ISSUER_ERROR:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_PINNEDPUBKEYNOTMATCH: return CCURL_UNTRUSTED;
    case CURLE_ABORTED_BY_CALLBACK:
    case CURLE_WRITE_ERROR: return CCURL_ENDED;
    default: return CCURL_FAILED;
    }
}

enum ccurl_result ccurl_perform(
    void *connection, const struct ccurl_request *request, long *status, char *problem, size_t size) {
    char text[CURL_ERROR_SIZE] = "";
    struct body body = {request->body, request->body_length, 0};
    struct curl_slist *headers = NULL;
    *status = 0;
    problem[0] = 0;
    for (size_t index = 0; index < request->header_count; index++) {
        struct curl_slist *longer = curl.curl_slist_append(headers, request->headers[index]);
        if (!longer) {
            curl.curl_slist_free_all(headers);
            snprintf(problem, size, "there is no memory left");
            return CCURL_FAILED;
        }
        headers = longer;
    }
    CURLcode code = CURLE_OK;
#define SET(option, value) \
    if (code == CURLE_OK) code = curl.curl_easy_setopt(connection, option, value)
    curl.curl_easy_reset(connection);
    SET(CURLOPT_URL, request->url);
    SET(CURLOPT_PROTOCOLS_STR, "http,https");
    SET(CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    SET(CURLOPT_FOLLOWLOCATION, 0L);
    SET(CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
    SET(CURLOPT_NOSIGNAL, 1L);
    SET(CURLOPT_PATH_AS_IS, 1L);
    SET(CURLOPT_TCP_KEEPALIVE, 1L);
    SET(CURLOPT_BUFFERSIZE, 256L << 10);
    SET(CURLOPT_UPLOAD_BUFFERSIZE, 256L << 10);
    SET(CURLOPT_CONNECTTIMEOUT, request->connect_limit);
    SET(CURLOPT_LOW_SPEED_LIMIT, 200L);
    SET(CURLOPT_LOW_SPEED_TIME, request->silence_limit);
    SET(CURLOPT_ERRORBUFFER, text);
    SET(CURLOPT_HTTPHEADER, headers);
    if (request->ca_file) SET(CURLOPT_CAINFO, request->ca_file);
    if (request->proxy) SET(CURLOPT_PROXY, request->proxy);
    if (request->no_proxy) SET(CURLOPT_NOPROXY, request->no_proxy);
    if (strcmp(request->method, "HEAD") == 0) {
        SET(CURLOPT_NOBODY, 1L);
    } else if (request->body) {
        SET(CURLOPT_UPLOAD, 1L);
        SET(CURLOPT_INFILESIZE_LARGE, (curl_off_t)request->body_length);
        SET(CURLOPT_READFUNCTION, send_body);
        SET(CURLOPT_READDATA, &body);
        SET(CURLOPT_SEEKFUNCTION, refuse_rewind);
        SET(CURLOPT_SEEKDATA, &body);
    } else {
        SET(CURLOPT_HTTPGET, 1L);
    }
    SET(CURLOPT_CUSTOMREQUEST, request->method);
    SET(CURLOPT_WRITEFUNCTION, receive_body);
    SET(CURLOPT_WRITEDATA, (void *)request);
    SET(CURLOPT_HEADERFUNCTION, receive_head);
    SET(CURLOPT_HEADERDATA, (void *)request);
    SET(CURLOPT_NOPROGRESS, 0L);
    SET(CURLOPT_XFERINFOFUNCTION, ask_stop);
    SET(CURLOPT_XFERINFODATA, (void *)request);
#undef SET
    if (code == CURLE_OK) code = curl.curl_easy_perform(connection);
    curl.curl_easy_getinfo(connection, CURLINFO_RESPONSE_CODE, status);
    // The connection outlives what it was told of this request.
    curl.curl_easy_setopt(connection, CURLOPT_ERRORBUFFER, (char *)NULL);
    curl.curl_easy_setopt(connection, CURLOPT_HTTPHEADER, (struct curl_slist *)NULL);
    curl.curl_slist_free_all(headers);
    const char *words = text[0] ? text : curl.curl_easy_strerror(code);
    if (code == CURLE_SEND_FAIL_REWIND) words = "the connection ended before the answer";
    if (code != CURLE_OK) snprintf(problem, size, "%s", words);
    return result_of(code);
}
