#include "base/child.h"

#include <errno.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/test.h"

/* What becomes of a shell with that script, given timeout_ms. */
static int run(const char *script, uint64_t timeout_ms, struct buf *out)
{
    char *args[] = {"sh", "-c", (char *)(uintptr_t)script, NULL};
    struct buf errors = {0};
    struct err err = {0};
    struct child_run how = {.args = args, .timeout_ms = timeout_ms, .output_bytes_max = 1000};
    int status = child_capture(&how, out, &errors, &err);
    EXPECT((status < 0) == (err.text[0] != '\0'));
    buf_done(&errors);
    return status;
}

static void keeps_output_and_status(void)
{
    struct buf out = {0};
    EXPECT_INT(run("echo hello; exit 3", 60000, &out), 3);
    EXPECT(slice_eq(buf_slice(&out), SLICE("hello\n")));
    buf_done(&out);
}

static void ends_what_does_not_end(void)
{
    static const struct {
        const char *script;
        uint64_t timeout_ms;
        int status;
    } rows[] = {
        {"sleep 3600", 200, -ETIMEDOUT},
        {"exec >&- 2>&-; sleep 3600", 200, -ETIMEDOUT}, /* and says nothing more */
        {"yes", 60000, -EFBIG},
        {"kill -9 $$", 60000, -ECHILD},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct buf out = {0};
        EXPECT_INT(run(rows[i].script, rows[i].timeout_ms, &out), rows[i].status);
        buf_done(&out);
    }
}

TEST_MAIN(keeps_output_and_status, ends_what_does_not_end)
