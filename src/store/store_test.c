#include "store/store.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/err.h"
#include "base/test.h"
#include "store/store_testdir.h"

static void makes_a_file_that_only_its_owner_reads(void)
{
    if (testdir_url()) {
        return;
    }
    CLEANUP(testdir_remove) struct testdir *dir = testdir_new();
    mode_t before = umask(0);
    CLEANUP(store_close) struct store *store = testdir_open(dir);
    (void)umask(before);
    EXPECT_INT(store_config_set(store, "A", "1", NULL), 0);
    struct stat status;
    EXPECT_INT(stat(dir->path, &status), 0);
    EXPECT_INT(status.st_mode & 0777, 0600);
    CLEANUP(str_free) char *wal = xasprintf("%s-wal", dir->path);
    EXPECT_INT(stat(wal, &status), 0);
    EXPECT_INT(status.st_mode & 0777, 0600);
    EXPECT_STR(store_name(store), dir->path);
}

static int collect(void *arg, const char *name, const char *text)
{
    char *list = arg;
    size_t used = strlen(list);
    (void)snprintf(list + used, 200 - used, "%s=%s;", name, text);
    return 0;
}

static int stop_at_once(void *arg, const char *name, const char *text)
{
    (void)name;
    (void)text;
    (*(int *)arg)++;
    return -ECANCELED;
}

static void keeps_configs_over_a_reopening(void)
{
    CLEANUP(testdir_remove) struct testdir *dir = testdir_new();
    struct store *store = testdir_open(dir);
    CLEANUP(str_free) char *text = NULL;
    char list[200] = "";
    struct err err = {0};
    int calls = 0;

    EXPECT_INT(store_config_get(store, "B", &text, &err), -ENOENT);
    EXPECT_STR(err.text, "'B' is not set");
    EXPECT(text == NULL);
    EXPECT_INT(store_config_set(store, "B", "{\"x\": \"'; DROP TABLE configs\"}", NULL), 0);
    EXPECT_INT(store_config_set(store, "A", "1", NULL), 0);
    EXPECT_INT(store_config_set(store, "A", "2", NULL), 0);
    EXPECT_INT(store_config_set(store, "C", "", NULL), 0);
    store = store_close(store);

    store = testdir_open(dir);
    EXPECT_INT(store_config_each(store, collect, list, NULL), 0);
    EXPECT_STR(list, "A=2;B={\"x\": \"'; DROP TABLE configs\"};C=;");
    EXPECT_INT(store_config_each(store, stop_at_once, &calls, NULL), -ECANCELED);
    EXPECT_INT(calls, 1);
    EXPECT_INT(store_config_get(store, "A", &text, NULL), 0);
    EXPECT_STR(text, "2");
    EXPECT_INT(store_config_delete(store, "A", NULL), 0);
    EXPECT_INT(store_config_delete(store, "A", NULL), -ENOENT);
    store = store_close(store);
}

static void refuses_names_and_texts_over_their_limit(void)
{
    CLEANUP(testdir_remove) struct testdir *dir = testdir_new();
    CLEANUP(store_close) struct store *store = testdir_open(dir);
    CLEANUP(str_free) char *text = xcalloc(STORE_TEXT_BYTES_MAX + 2, 1);
    CLEANUP(str_free) char *back = NULL;
    struct err err = {0};

    memset(text, 'x', STORE_NAME_BYTES_MAX + 1);
    EXPECT_INT(store_config_set(store, text, "1", &err), -E2BIG);
    EXPECT_STR(err.text, "a name of 256 bytes is over the limit of 255");
    text[STORE_NAME_BYTES_MAX] = 0;
    EXPECT_INT(store_config_set(store, text, "1", NULL), 0);

    memset(text, 'x', STORE_TEXT_BYTES_MAX + 1);
    EXPECT_INT(store_config_set(store, "A", text, &err), -E2BIG);
    EXPECT_INT(store_config_get(store, "A", &back, NULL), -ENOENT);
    text[STORE_TEXT_BYTES_MAX] = 0;
    EXPECT_INT(store_config_set(store, "A", text, NULL), 0);
    EXPECT_INT(store_config_get(store, "A", &back, NULL), 0);
    EXPECT(strcmp(back, text) == 0);
}

static void keeps_meta_apart_from_configs(void)
{
    CLEANUP(testdir_remove) struct testdir *dir = testdir_new();
    CLEANUP(store_close) struct store *store = testdir_open(dir);
    CLEANUP(str_free) char *text = NULL;

    EXPECT_INT(store_meta_set(store, "policy", "default", NULL), 0);
    EXPECT_INT(store_meta_set(store, "policy", "adaptive", NULL), 0);
    EXPECT_INT(store_config_get(store, "policy", &text, NULL), -ENOENT);
    EXPECT_INT(store_meta_get(store, "policy", &text, NULL), 0);
    EXPECT_STR(text, "adaptive");
    EXPECT_INT(store_meta_delete(store, "policy", NULL), 0);
    EXPECT_INT(store_meta_delete(store, "policy", NULL), -ENOENT);
    EXPECT_INT(store_meta_get(store, "policy", &text, NULL), -ENOENT);
}

static int collect_modules(void *arg, const struct store_module *module)
{
    char *list = arg;
    size_t used = strlen(list);
    (void)snprintf(list + used, 400 - used, "%lld %s %s %s %s %s %s %s %s;",
                   (long long)module->position, module->name, module->kind, module->source,
                   module->config, module->ctx, module->place, module->loaded_by, module->learnt);
    return 0;
}

static void keeps_modules_in_the_order_of_loading(void)
{
    CLEANUP(testdir_remove) struct testdir *dir = testdir_new();
    struct store *store = testdir_open(dir);
    char list[400] = "";
    struct err err = {0};
    struct store_module text = {.name = "text",
                                .kind = "python-module",
                                .source = "pkg.text",
                                .place = "module",
                                .loaded_by = "serve"};
    struct store_module image = {.name = "image",
                                 .kind = "native",
                                 .source = "/lib/image.so",
                                 .config = "{\"a\":1}",
                                 .ctx = "{\"b\":2}",
                                 .place = "remote",
                                 .loaded_by = "jsorc_actions_load",
                                 .learnt = "{\"mem_kb\":9}"};

    EXPECT_INT(store_module_put(store, &text, NULL), 0);
    EXPECT_INT(store_module_put(store, &image, NULL), 0);
    text.source = "pkg.text2"; /* keeps its position */
    EXPECT_INT(store_module_put(store, &text, NULL), 0);
    EXPECT_INT(store_module_set_place(store, "text", "none", NULL), 0);
    EXPECT_INT(store_module_set_learnt(store, "text", "{\"load_ms\":1}", NULL), 0);
    EXPECT_INT(store_module_set_place(store, "absent", "none", &err), -ENOENT);
    EXPECT_STR(err.text, "no module 'absent' is stored");
    store = store_close(store);

    store = testdir_open(dir);
    EXPECT_INT(store_module_each(store, collect_modules, list, NULL), 0);
    EXPECT_STR(list, "1 text python-module pkg.text2 {} {} none serve {\"load_ms\":1};"
                     "2 image native /lib/image.so {\"a\":1} {\"b\":2} remote jsorc_actions_load "
                     "{\"mem_kb\":9};");
    text.position = 7;
    EXPECT_INT(store_module_put(store, &text, NULL), 0);
    EXPECT_INT(store_module_delete(store, "image", NULL), 0);
    EXPECT_INT(store_module_delete(store, "image", NULL), -ENOENT);
    list[0] = 0;
    EXPECT_INT(store_module_each(store, collect_modules, list, NULL), 0);
    EXPECT_STR(list, "7 text python-module pkg.text2 {} {} module serve {};"); /* replaced whole */
    store = store_close(store);
}

struct two_changes {
    struct store *store;
    int result;
};

static int change_twice(void *arg, struct err *err)
{
    struct two_changes *changes = arg;
    EXPECT_INT(store_config_set(changes->store, "A", "new", err), 0);
    EXPECT_INT(store_meta_set(changes->store, "B", "new", err), 0);
    return changes->result ? err_set(err, -changes->result, "changed my mind") : 0;
}

static void keeps_all_of_a_transaction_or_nothing(void)
{
    CLEANUP(testdir_remove) struct testdir *dir = testdir_new();
    CLEANUP(store_close) struct store *store = testdir_open(dir);
    CLEANUP(str_free) char *text = NULL;
    struct err err = {0};
    struct two_changes changes = {.store = store, .result = -ECANCELED};

    EXPECT_INT(store_config_set(store, "A", "old", NULL), 0);
    EXPECT_INT(store_transact(store, change_twice, &changes, &err), -ECANCELED);
    EXPECT_STR(err.text, "changed my mind");
    EXPECT_INT(store_config_get(store, "A", &text, NULL), 0);
    EXPECT_STR(text, "old");
    EXPECT_INT(store_meta_get(store, "B", &text, NULL), -ENOENT);

    str_replace(&text, NULL);
    changes.result = 0;
    EXPECT_INT(store_transact(store, change_twice, &changes, &err), 0);
    EXPECT_INT(store_meta_get(store, "B", &text, NULL), 0);
    EXPECT_STR(text, "new");
}

static void says_why_it_cannot_open(void)
{
    struct store *store = NULL;
    struct err err = {0};
    EXPECT_INT(store_open("/nonexistent/jsorc.db", &store, &err), -ENOENT);
    EXPECT_STR(err.text,
               "cannot open the state file '/nonexistent/jsorc.db': No such file or directory");
    EXPECT_INT(store_open("/", &store, &err), -EISDIR);
    EXPECT(store == NULL);
}

static int collect_lines(void *arg, const struct store_decision *decision)
{
    char *list = arg;
    size_t used = strlen(list);
    (void)snprintf(list + used, 200 - used, "%lld.%lld %s;", (long long)decision->run,
                   (long long)decision->line, decision->told);
    return 0;
}

static void keeps_the_lines_of_the_last_runs(void)
{
    CLEANUP(testdir_remove) struct testdir *dir = testdir_new();
    CLEANUP(store_close) struct store *store = testdir_open(dir);
    int64_t run = -1;
    EXPECT_INT(store_decision_last_run(store, &run, NULL), 0);
    EXPECT_INT(run, 0);
    for (int i = 1; i <= STORE_DECISION_RUNS_MAX + 1; i++) {
        for (int line = 0; line < 4; line++) {
            char told[10];
            (void)snprintf(told, sizeof(told), "t%d", line);
            struct store_decision decision = {
                .run = i, .line = line, .at_ms = 9, .told = told, .answer = "a"};
            EXPECT_INT(store_decision_add(store, &decision, NULL), 0);
            decision.told = "again"; /* nobody knew whether it was stored */
            EXPECT_INT(store_decision_add(store, &decision, NULL), 0);
        }
    }
    EXPECT_INT(store_decision_last_run(store, &run, NULL), 0);
    EXPECT_INT(run, STORE_DECISION_RUNS_MAX + 1);
    static const struct {
        int64_t run, limit;
        const char *lines;
    } rows[] = {
        {1, 0, ""},
        {2, 0, "2.0 t0;2.1 t1;2.2 t2;2.3 t3;"},
        {5, 1, "5.0 t0;5.3 t3;"},
        {5, 9, "5.0 t0;5.1 t1;5.2 t2;5.3 t3;"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char list[200] = "";
        EXPECT_INT(
            store_decision_each(store, rows[i].run, rows[i].limit, collect_lines, list, NULL), 0);
        EXPECT_STR(list, rows[i].lines);
    }
}

TEST_MAIN(makes_a_file_that_only_its_owner_reads, keeps_configs_over_a_reopening,
          refuses_names_and_texts_over_their_limit, keeps_meta_apart_from_configs,
          keeps_modules_in_the_order_of_loading, keeps_all_of_a_transaction_or_nothing,
          says_why_it_cannot_open, keeps_the_lines_of_the_last_runs)
