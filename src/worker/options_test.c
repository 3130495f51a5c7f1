#include "worker/options.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/err.h"
#include "base/json.h"
#include "base/test.h"

#define ARGS_MAX 12

static struct options options;

static int parse(bool host, struct err *err, const char *const *words)
{
    char *argv[ARGS_MAX];
    int argc = 0;
    for (; words[argc]; argc++) {
        argv[argc] = (char *)(uintptr_t)words[argc];
    }
    argv[argc] = NULL;
    return options_parse(&options, host, argc, argv, err);
}

#define WORDS(...) ((const char *const[]){__VA_ARGS__, NULL})

static char *write_file(const char *text)
{
    char path[] = "/tmp/options_test.XXXXXX";
    int fd = mkstemp(path);
    EXPECT(write(fd, text, strlen(text)) == (ssize_t)strlen(text));
    (void)fd_close(fd);
    return xstrdup(path);
}

static void host_takes_options_anywhere(void)
{
    struct err err = {0};
    EXPECT_INT(
        parse(true, &err,
              WORDS("host", "a.so", "--listen", "0.0.0.0:80", "b.so", "--threads=8", "--verbose")),
        0);
    EXPECT_STR(options.config.listen, "0.0.0.0:80");
    EXPECT_INT(options.config.threads_max, 8);
    EXPECT(options.config.verbose);
    EXPECT_INT(options_module_count(&options), 2);
    struct options_module module;
    EXPECT_INT(options_module(&options, 1, &module, &err), 0);
    EXPECT_STR(module.name, "b");
    EXPECT_STR(module.kind, "native");
    options_module_done(&module);
    options_done(&options);

    EXPECT_INT(parse(true, &err, WORDS("host", "pkg.text")), 0);
    EXPECT_STR(options.config.listen, "127.0.0.1:8000");
    EXPECT_INT(options_module(&options, 0, &module, &err), 0);
    EXPECT_STR(module.name, "text");
    EXPECT_STR(module.kind, "python-module");
    options_module_done(&module);
    options_done(&options);
}

static void tells_wrong_use(void)
{
    static const struct {
        const char *words[4];
        const char *wanted;
    } rows[] = {
        {{"host"}, "nothing to serve"},
        {{"host", "--nope", "a.so"}, "unknown option '--nope'"},
        {{"host", "a.so", "--listen"}, "option '--listen' needs a value"},
        {{"host", "a.so", "--threads=many"}, "--threads needs a number up to 256, not 'many'"},
        {{"host", "a.so", "--threads=999"}, "up to 256"},
        {{"host", "a.so", "--token-file=/nonexistent/token"}, "cannot read '/nonexistent/token'"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct err err = {0};
        EXPECT(parse(true, &err, rows[i].words) < 0);
        if (!strstr(err.text, rows[i].wanted)) {
            EXPECT_STR(err.text, rows[i].wanted);
        }
        options_done(&options);
    }
    struct err err = {0};
    EXPECT(parse(false, &err, WORDS("worker", "a.so", "--notify-fd=999")) < 0);
    EXPECT(strstr(err.text, "no open descriptor 999"));
    options_done(&options);
}

static void reads_the_token_without_its_line_end(void)
{
    struct err err = {0};
    CLEANUP(str_free) char *path = write_file("  secret\n");
    CLEANUP(str_free) char *option = xasprintf("--token-file=%s", path);
    EXPECT_INT(parse(true, &err, WORDS("host", "a.so", option)), 0);
    EXPECT_STR(options.config.token, "secret");
    options_done(&options);
    (void)unlink(path);

    CLEANUP(str_free) char *empty = write_file("\n");
    CLEANUP(str_free) char *again = xasprintf("--token-file=%s", empty);
    EXPECT(parse(true, &err, WORDS("host", "a.so", again)) < 0);
    EXPECT(strstr(err.text, "is empty"));
    options_done(&options);
    (void)unlink(empty);

    (void)setenv("JSORC_TOKEN", "from-daemon", 1);
    EXPECT_INT(parse(false, &err, WORDS("worker", "a.so")), 0);
    EXPECT_STR(options.config.token, "from-daemon");
    EXPECT(getenv("JSORC_TOKEN") == NULL); /* not for user code and its children */
    options_done(&options);
}

static void reads_the_spec_file(void)
{
    struct err err = {0};
    CLEANUP(str_free)
    char *path = write_file("{\"name\": \"pod-text-3\", \"generation\": 3, \"role\": \"pod\","
                            "\"threads_max\": 7, \"modules\": [{\"name\": \"text\", \"kind\": "
                            "\"native\", \"source\": \"/x/t.so\", \"ctx\": {\"a\": 1}}, {}]}");
    CLEANUP(str_free) char *option = xasprintf("--spec=%s", path);
    EXPECT_INT(parse(false, &err, WORDS("worker", option, "more.so")), 0);
    EXPECT_STR(options.config.name, "pod-text-3");
    EXPECT_INT(options.config.generation, 3);
    EXPECT_INT(options.config.role, WORKER_POD);
    EXPECT_INT(options.config.threads_max, 7);
    EXPECT_INT(options_module_count(&options), 3);
    struct options_module module;
    EXPECT_INT(options_module(&options, 0, &module, &err), 0);
    EXPECT_STR(module.source, "/x/t.so");
    EXPECT_STR(json_text(module.ctx), "{\"a\":1}");
    options_module_done(&module);
    EXPECT_INT(options_module(&options, 1, &module, &err), -EINVAL);
    EXPECT(strstr(err.text, "module 2 needs the texts"));
    EXPECT_INT(options_module(&options, 2, &module, &err), 0);
    EXPECT_STR(module.name, "more");
    options_module_done(&module);
    options_done(&options);
    (void)unlink(path);

    EXPECT(parse(false, &err, WORDS("worker", "--spec=/nonexistent/spec")) < 0);
    options_done(&options);
    CLEANUP(str_free) char *broken = write_file("{\"modules\": [");
    CLEANUP(str_free) char *again = xasprintf("--spec=%s", broken);
    EXPECT(parse(false, &err, WORDS("worker", again)) < 0);
    EXPECT(strstr(err.text, "spec file"));
    options_done(&options);
    (void)unlink(broken);
}

TEST_MAIN(host_takes_options_anywhere, tells_wrong_use, reads_the_token_without_its_line_end,
          reads_the_spec_file)
