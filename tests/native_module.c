/* The module of tests/test_host_native.py: all that an action can do right and wrong. */
#include <jsorc/action.h>

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char note[256];          /* a file that teardown writes to */
static atomic_int inside, most; /* calls of `busy` at the same time */

static int setup(struct jsorc_call *call)
{
    size_t size;
    const char *path = jsorc_arg_text(call, "note", &size);
    if (path && size < sizeof(note)) {
        memcpy(note, path, size + 1);
    }
    if (jsorc_bool(call, jsorc_arg(call, "fail"))) {
        return jsorc_fail(call, 500, "setup was told to fail by %s", "ctx");
    }
    return JSORC_OK;
}

static void teardown(void)
{
    int fd = note[0] ? open(note, O_CREAT | O_WRONLY | O_APPEND, 0600) : -1;
    if (fd >= 0) {
        (void)!write(fd, "torn down\n", 10);
        close(fd);
    }
}

static int echo(struct jsorc_call *call)
{
    jsorc_put_value(call, jsorc_arg(call, "text"));
    return JSORC_OK;
}

/* Everything that came, and what kind the action saw. */
static int show(struct jsorc_call *call)
{
    static const char *const kinds[] = {"null", "bool", "int", "double", "text", "array", "object"};
    struct jsorc_place place = {0};
    const struct jsorc_value *value;
    const char *key;
    jsorc_begin_object(call);
    while ((value = jsorc_next(call, jsorc_args(call), &place, &key))) {
        jsorc_key(call, key);
        jsorc_begin_array(call);
        jsorc_put_string(call, kinds[jsorc_kind_of(call, value)]);
        jsorc_put_value(call, value);
        jsorc_end(call);
    }
    jsorc_end(call);
    return JSORC_OK;
}

static int decode(struct jsorc_call *call)
{
    size_t size;
    const void *bytes = jsorc_bytes(call, jsorc_arg(call, "data"), &size);
    if (!bytes) {
        return jsorc_fail(call, 400, "data is no base64");
    }
    jsorc_begin_array(call);
    jsorc_put_int(call, (int64_t)size);
    jsorc_put_bytes(call, bytes, size);
    jsorc_end(call);
    return JSORC_OK;
}

static int image(struct jsorc_call *call)
{
    jsorc_answer_raw(call, "image/png", "\x89PNG\r\n\x1a\n\x00", 9);
    return JSORC_OK;
}

static int large(struct jsorc_call *call)
{
    char text[1000];
    memset(text, 'a', sizeof(text));
    jsorc_begin_array(call);
    for (int64_t i = 0; i < jsorc_arg_int(call, "thousands"); i++) {
        jsorc_put_text(call, text, sizeof(text));
    }
    jsorc_end(call);
    return JSORC_OK;
}

static int wrong(struct jsorc_call *call)
{
    const char *how = jsorc_arg_text(call, "how", NULL);
    if (strcmp(how, "twice") == 0) {
        jsorc_put_int(call, 1);
        jsorc_put_int(call, 2);
    } else if (strcmp(how, "open") == 0) {
        jsorc_begin_array(call);
    } else if (strcmp(how, "bytes") == 0) {
        jsorc_put_text(call, "\xff\xfe", 2);
    } else if (strcmp(how, "silent") == 0) {
        return 7;
    } else if (strcmp(how, "status") == 0) {
        return jsorc_fail(call, 418, "a \"teapot\" of %d\n%s", 1, "\xff");
    } else if (strcmp(how, "exit") == 0) {
        _exit(3);
    } else if (strcmp(how, "crash") == 0) {
        signal(SIGSEGV, SIG_DFL); /* a sanitizer would have its say first */
        raise(SIGSEGV);
    }
    return JSORC_OK;
}

static int wait_ms(struct jsorc_call *call)
{
    (void)poll(NULL, 0, (int)jsorc_arg_int(call, "ms"));
    jsorc_put_bool(call, jsorc_gone(call));
    return JSORC_OK;
}

static int busy(struct jsorc_call *call)
{
    int now = atomic_fetch_add(&inside, 1) + 1;
    if (now > atomic_load(&most)) {
        atomic_store(&most, now);
    }
    (void)poll(NULL, 0, 20);
    atomic_fetch_sub(&inside, 1);
    jsorc_put_int(call, atomic_load(&most));
    return JSORC_OK;
}

/* What a stray write or a daemonizing library does. */
static int vandalize(struct jsorc_call *call)
{
    for (int fd = 3; fd < 90; fd++) {
        (void)!write(fd, "HTTP/1.1 200 OK\r\n\r\ngarbage", 26);
    }
    for (int fd = 3; fd < 90; fd++) {
        close(fd);
    }
    jsorc_put_bool(call, true);
    return JSORC_OK;
}

/* A child that runs on in this program, as a pool of processes does. Returns its pid, once it has
 * begun: what is done in a child on a fork (pthread_atfork) is done by then. */
static int split(struct jsorc_call *call)
{
    int ends[2];
    char byte = 0;
    if (pipe(ends) < 0) {
        return JSORC_FAILED;
    }
    pid_t pid = fork();
    if (pid == 0) {
        (void)!write(ends[1], &byte, 1);
        (void)poll(NULL, 0, 30000);
        _exit(0);
    }
    (void)!read(ends[0], &byte, 1);
    (void)close(ends[0]);
    (void)close(ends[1]);
    jsorc_put_int(call, pid);
    return JSORC_OK;
}

static int ask(struct jsorc_call *call)
{
    jsorc_begin_array(call);
    jsorc_invoke_begin(call);
    jsorc_begin_object(call);
    jsorc_key(call, "text");
    jsorc_put_value(call, jsorc_arg(call, "text"));
    jsorc_end(call);
    const struct jsorc_value *value = jsorc_invoke(call, jsorc_arg_text(call, "action", NULL));
    if (!value) {
        return JSORC_FAILED;
    }
    jsorc_put_value(call, value);
    jsorc_end(call);
    return JSORC_OK;
}

static int endless(struct jsorc_call *call)
{
    jsorc_invoke_begin(call);
    const struct jsorc_value *value = jsorc_invoke(call, "native.endless");
    return value ? JSORC_OK : JSORC_FAILED;
}

static int say(struct jsorc_call *call)
{
    jsorc_log(call, JSORC_LOG_INFO, "the text is %s", jsorc_arg_text(call, "text", NULL));
    return JSORC_OK;
}

#define TEXT                                                                                       \
    {                                                                                              \
        {                                                                                          \
            "text", "any", NULL, "anything"                                                        \
        }                                                                                          \
    }

static const struct jsorc_action actions[] = {
    {.name = "echo",
     .run = echo,
     .aliases = "same  again",
     .params = TEXT,
     .doc = "As it came.",
     .returns = "str",
     .flags = JSORC_IDEMPOTENT,
     .timeout_ms = 1500},
    {.name = "show",
     .run = show,
     .params = {{"i", "int", "1", NULL},
                {"f", "float", "0.5", NULL},
                {"l", "list[str]", "[]", NULL},
                {"*parts", "int", NULL, NULL},
                {"**more", NULL, NULL, NULL}}},
    {.name = "decode", .run = decode, .params = {{"data", "str", NULL, "base64"}}},
    {.name = "image", .run = image},
    {.name = "large", .run = large, .params = {{"thousands", "int", NULL, NULL}}},
    {.name = "wrong", .run = wrong, .params = {{"how", "str", NULL, NULL}}},
    {.name = "wait_ms", .run = wait_ms, .params = {{"ms", "int", NULL, NULL}}},
    {.name = "busy", .run = busy},
    {.name = "vandalize", .run = vandalize},
    {.name = "split", .run = split},
    {.name = "ask",
     .run = ask,
     .params = {{"action", "str", NULL, NULL}, {"text", "any", "null", NULL}}},
    {.name = "endless", .run = endless},
    {.name = "say", .run = say, .params = {{"text", "str", NULL, NULL}}},
    {.name = NULL},
};

#ifndef FLAGS
#define FLAGS 0
#endif

JSORC_MODULE = {JSORC_MODULE_HEAD, .flags = FLAGS,       .group = "native",
                .setup = setup,    .teardown = teardown, .actions = actions};
