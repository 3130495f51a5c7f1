/* For the tests of accounts and configs: a store, a loop and the accounts on them. */
#pragma once

#include "api/account.h"
#include "api/api.h"
#include "api/auth.h"
#include "api/op.h"
#include "api/op_run.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/test.h"
#include "loop/job.h"
#include "store/store_testdir.h"

struct testbed {
    struct testdir *dir;
    struct api api;
    struct auth_table *published; /* what on_change was given last; a reference */
    int changes;
    int mails;
    char mail_code[SECRET_TOKEN_CHARS + 1];
    char mail_to[256];
    int mail_result; /* what the mailer returns */
    int waiting;
    int status; /* the last answer */
    bool failed;
    struct json_object *body; /* owned */
};

static void testbed_changed(void *arg, struct auth_table *table)
{
    struct testbed *bed = arg;
    auth_table_unref(bed->published);
    bed->published = auth_table_ref(table);
    bed->changes++;
}

static inline int testbed_mail(void *arg, enum store_code_kind kind, const char *email,
                               const char *code)
{
    struct testbed *bed = arg;
    (void)kind;
    bed->mails++;
    (void)snprintf(bed->mail_code, sizeof(bed->mail_code), "%s", code);
    (void)snprintf(bed->mail_to, sizeof(bed->mail_to), "%s", email);
    return bed->mail_result;
}

/* Opens the accounts on the bed's store; err->text tells why if that fails. */
static inline int testbed_open(struct testbed *bed, bool mail, bool closed, struct err *err)
{
    struct auth_options options = {
        .store = bed->api.store,
        .jobs = bed->api.jobs,
        .loop = bed->api.loop,
        .state_dir = bed->dir->folder,
        .closed = closed,
        .on_change = testbed_changed,
        .mail = mail ? testbed_mail : NULL,
        .arg = bed,
    };
    return auth_new(&options, clock_unix_ms(), &bed->api.auth, err);
}

static inline struct testbed *testbed_new(bool mail, bool closed)
{
    struct testbed *bed = xcalloc(1, sizeof(*bed));
    struct err err = {0};
    bed->dir = testdir_new();
    bed->api.store = testdir_open(bed->dir);
    bed->api.loop = loop_new(NULL);
    bed->api.jobs = job_pool_new(4);
    if (testbed_open(bed, mail, closed, &err)) {
        printf("Bail out! %s\n", err.text);
        abort();
    }
    return bed;
}

static inline struct testbed *testbed_free(struct testbed *bed)
{
    (void)job_pool_free(bed->api.jobs);
    (void)auth_free(bed->api.auth);
    (void)loop_free(bed->api.loop);
    (void)store_close(bed->api.store);
    (void)testdir_remove(bed->dir);
    (void)json_put(bed->body);
    auth_table_unref(bed->published);
    free(bed);
    return NULL;
}
DEFINE_CLEANUP(struct testbed *, testbed_free)

/* The account_fn of the tests. */
static inline void testbed_answer(void *arg, int status, struct json_object *body)
{
    struct testbed *bed = arg;
    (void)json_put(bed->body);
    bed->status = status;
    bed->body = body;
    bed->waiting--;
}

/* Runs the loop until the calls that are under way have been answered. */
static inline void testbed_wait(struct testbed *bed)
{
    while (bed->waiting > 0) {
        loop_turn(bed->api.loop, 1000);
    }
}

static inline struct json_object *testbed_json(const char *text)
{
    struct json_object *object = NULL;
    struct err err = {0};
    if (json_parse(slice_str(text), &object, &err)) {
        printf("# %s: %s\n", text, err.text);
        abort();
    }
    return object;
}

/* The last answer's text. */
static inline const char *testbed_text(struct testbed *bed)
{
    return json_text(bed->body);
}

static inline const struct account_caller *testbed_staff(void)
{
    static const struct account_caller staff = {.is_staff = true};
    return &staff;
}

/* caller NULL = the public. Returns the status. */
static inline int testbed_create(struct testbed *bed, const struct account_caller *caller,
                                 bool super, const char *body)
{
    CLEANUP(json_put) struct json_object *object = testbed_json(body);
    static const struct account_caller nobody;
    bed->waiting++;
    account_create(bed->api.auth, caller ? caller : &nobody, object, super, testbed_answer, bed);
    testbed_wait(bed);
    return bed->status;
}

static inline int testbed_login(struct testbed *bed, const char *body)
{
    CLEANUP(json_put) struct json_object *object = testbed_json(body);
    bed->waiting++;
    account_login(bed->api.auth, object, testbed_answer, bed);
    testbed_wait(bed);
    return bed->status;
}

static inline void testbed_op_done(void *arg, int status, bool failed, struct json_object *value)
{
    struct testbed *bed = arg;
    bed->failed = failed;
    testbed_answer(bed, status, value);
}

/* Runs the operation and returns the text of its result, borrowed until the next call. */
static inline const char *testbed_op(struct testbed *bed, const struct op *op,
                                     const struct op_caller *caller, const char *args)
{
    CLEANUP(json_put) struct json_object *object = testbed_json(args);
    bed->waiting++;
    op_run(op, &bed->api, caller, object, testbed_op_done, bed);
    testbed_wait(bed);
    return testbed_text(bed);
}

/* Who has the token, by the table that was published; 0 = nobody. */
static inline int64_t testbed_who(struct testbed *bed, const char *token)
{
    struct auth_user user = {0};
    (void)auth_table_find(bed->published, slice_str(token), clock_unix_ms(), &user);
    return user.id;
}
