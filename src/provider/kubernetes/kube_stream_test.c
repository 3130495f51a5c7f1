#include "provider/kubernetes/kube_stream.h"

#include <errno.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/json.h"
#include "base/test.h"

static int next(struct buf *bytes, const char *more, struct kube_event *event)
{
    struct err err = {0};
    EXPECT_INT(buf_append(bytes, more, strlen(more)), 0);
    int got = kube_stream_next(bytes, event, &err);
    EXPECT((got < 0) == (err.code != 0));
    return got;
}

#define META(version)                                                                              \
    "\"metadata\":{\"name\":\"a\",\"uid\":\"u\",\"resourceVersion\":\"" version "\"}"

static void reads_a_line_however_it_is_cut(void)
{
    struct buf bytes = {0};
    struct kube_event event;
    EXPECT_INT(next(&bytes, "{\"type\":\"MODIFIED\",\"object\":{", &event), 0);
    EXPECT_INT(next(&bytes, META("7") "}}", &event), 0);
    EXPECT_INT(next(&bytes, "\n{\"type\":", &event), 1);
    EXPECT_INT(event.line, KUBE_LINE_CHANGE);
    EXPECT_INT(event.change, KUBE_MODIFIED);
    EXPECT_STR(event.version, "7");
    EXPECT_STR(event.uid, "u");
    (void)json_put(event.object);
    EXPECT_INT(next(&bytes, "\"BOOKMARK\",\"object\":{\"metadata\":{\"resourceVersion\":\"9\"}}}\n",
                    &event),
               1);
    EXPECT_INT(event.line, KUBE_LINE_BOOKMARK);
    EXPECT_STR(event.version, "9");
    (void)json_put(event.object);
    EXPECT_INT(buf_size(&bytes), 0);
    buf_done(&bytes);
}

static void passes_over_empty_lines_and_types_it_does_not_know(void)
{
    struct buf bytes = {0};
    struct kube_event event;
    EXPECT_INT(next(&bytes,
                    "\n\n{\"type\":\"NEW\",\"object\":{}}\n"
                    "{\"type\":\"ERROR\",\"object\":{\"code\":410}}\n",
                    &event),
               1);
    EXPECT_INT(event.line, KUBE_LINE_ERROR);
    (void)json_put(event.object);
    buf_done(&bytes);
}

static void refuses_what_is_no_event(void)
{
    static const char *const lines[] = {
        "nonsense\n",
        "[]\n",
        "{\"type\":\"ADDED\"}\n",
        "{\"object\":{}}\n",
        "{\"type\":\"ADDED\",\"object\":[]}\n",
        "{\"type\":\"ADDED\",\"object\":{\"metadata\":{\"name\":\"a\",\"uid\":\"u\"}}}\n",
        "{\"type\":\"ADDED\",\"object\":{\"metadata\":{\"resourceVersion\":\"1\",\"name\":\"a\"}}}"
        "\n",
        "{\"type\":\"ADDED\",\"object\":{\"metadata\":{\"resourceVersion\":\"1\",\"uid\":\"u\"}}}"
        "\n",
        "{\"type\":\"ADDED\",\"object\":{\"metadata\":{\"resourceVersion\":1}}}\n",
    };
    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
        struct buf bytes = {0};
        struct kube_event event;
        EXPECT_INT(next(&bytes, lines[i], &event), -EINVAL);
        buf_done(&bytes);
    }
}

static void refuses_a_line_without_an_end(void)
{
    struct buf bytes = {0};
    struct kube_event event;
    struct err err = {0};
    size_t size = KUBE_EVENT_BYTES_MAX + 1;
    EXPECT_INT(buf_reserve(&bytes, size), 0);
    memset(bytes.data, ' ', size);
    bytes.end = size;
    EXPECT_INT(kube_stream_next(&bytes, &event, &err), -EFBIG);
    buf_done(&bytes);
}

TEST_MAIN(reads_a_line_however_it_is_cut, passes_over_empty_lines_and_types_it_does_not_know,
          refuses_what_is_no_event, refuses_a_line_without_an_end)
