/* From a file into the database of JSORC_TEST_STATE_URL (dev/with-postgres). */
#include "store/store_copy.h"

#include <errno.h>
#include <string.h>

#include "base/test.h"
#include "store/store_task.h"
#include "store/store_testdir.h"

static struct store *open_file(const struct testdir *dir)
{
    struct store *store = NULL;
    EXPECT_INT(store_open(dir->path, &store, NULL), 0);
    return store;
}

/* Something in each table. */
static void fill(struct store *store)
{
    struct store_user user = {.email = "a@b.c", .name = "\xc3\x84nn", .is_superuser = true};
    struct store_token token = {.created_ms = 5, .expiry_ms = INT64_C(4102444800000)};
    unsigned char code[STORE_SECRET_HASH_BYTES] = {0xff, 0, 7};
    bool trimmed;
    int64_t id;
    EXPECT_INT(store_config_set(store, "A", "{\"x\": \"\xe2\x82\xac\\n\"}", NULL), 0);
    EXPECT_INT(store_config_set(store, "b", "", NULL), 0);
    EXPECT_INT(store_config_set(store, "\xc3\xa4", "z", NULL), 0);
    EXPECT_INT(store_meta_set(store, "policy", "{\"name\": \"adaptive\"}", NULL), 0);
    EXPECT_INT(store_module_put(store,
                                &(struct store_module){.name = "text",
                                                       .kind = "python-module",
                                                       .source = "text",
                                                       .place = "remote"},
                                NULL),
               0);
    EXPECT_INT(store_user_add(store, &user, &id, NULL), 0);
    EXPECT_INT(store_user_delete(store, id, NULL), 0); /* its id is never given again */
    EXPECT_INT(store_user_add(store, &user, &id, NULL), 0);
    EXPECT_INT(id, 2);
    for (int i = 0; i < 50; i++) {
        token.user_id = id;
        memset(token.hash, i, sizeof(token.hash));
        EXPECT_INT(store_token_add(store, &token, 1000, &trimmed, NULL), 0);
    }
    EXPECT_INT(store_code_put(store, STORE_CODE_RESET, id, code, 77, NULL), 0);
    for (int i = 0; i < 2; i++) { /* without a key, and with none of its texts */
        struct store_task task = {.id = i ? "b" : "a", .name = "jsorc.walker"};
        char task_id[STORE_TASK_ID_MAX + 1];
        EXPECT_INT(store_task_add(store, &task, task_id, &trimmed, NULL), 0);
    }
    EXPECT_INT(store_schedule_add(store,
                                  &(struct store_schedule){.name = "nightly",
                                                           .task = "jsorc.walker",
                                                           .kind = "cron",
                                                           .conf = "{}",
                                                           .kwargs = "{}"},
                                  &id, NULL),
               0);
    EXPECT_INT(id, 2);
    for (int i = 0; i < 3; i++) {
        struct store_decision decision = {.run = 1, .line = i, .told = "{}", .answer = "{}"};
        EXPECT_INT(store_decision_add(store, &decision, NULL), 0);
    }
}

static void count_rows(void *arg, const char *table, int64_t rows)
{
    char *list = arg;
    size_t used = strlen(list);
    (void)snprintf(list + used, 200 - used, "%s=%lld ", table, (long long)rows);
}

#define ROWS                                                                                       \
    "configs=3 meta=1 modules=1 users=1 tokens=50 codes=1 decisions=3 ids=2 "                      \
    "tasks=2 schedules=1 "

static void copies_every_table_and_knows_when_it_is_done(void)
{
    CLEANUP(testdir_remove) struct testdir *dir = testdir_new();
    CLEANUP(store_close) struct store *file = open_file(dir);
    CLEANUP(store_close) struct store *database = testdir_open(dir);
    char list[200] = "";
    struct store_copy copy = {.told = count_rows, .arg = list};
    struct err err = {0};
    bool copied = false;
    int64_t id = 0;
    fill(file);

    EXPECT_INT(store_copy(file, database, &copy, &copied, &err), 0);
    EXPECT_STR(err.text, "");
    EXPECT(copied);
    EXPECT_STR(list, ROWS);
    list[0] = '\0';
    EXPECT_INT(store_copy(file, database, &copy, &copied, NULL), 0);
    EXPECT(!copied);
    EXPECT_STR(list, ROWS);

    struct store_user user = {.email = "new@b.c"};
    EXPECT_INT(store_user_add(database, &user, &id, NULL), 0);
    EXPECT_INT(id, 3);
}

static void leaves_another_state_alone_unless_told(void)
{
    CLEANUP(testdir_remove) struct testdir *dir = testdir_new();
    CLEANUP(store_close) struct store *file = open_file(dir);
    CLEANUP(store_close) struct store *database = testdir_open(dir);
    CLEANUP(str_free) char *text = NULL;
    struct store_copy copy = {.replace = false};
    struct err err = {0};
    bool copied = false;
    fill(file);
    EXPECT_INT(store_config_set(database, "A", "another's", NULL), 0);

    EXPECT_INT(store_copy(file, database, &copy, &copied, &err), -ENOTEMPTY);
    EXPECT(strstr(err.text, "holds another state already (the table 'configs' differs)") != NULL);
    EXPECT_INT(store_config_get(database, "A", &text, NULL), 0);
    EXPECT_STR(text, "another's");
    str_replace(&text, NULL);
    copy.replace = true;
    EXPECT_INT(store_copy(file, database, &copy, &copied, NULL), 0);
    EXPECT(copied);
    EXPECT_INT(store_config_get(database, "A", &text, NULL), 0);
    EXPECT_STR(text, "{\"x\": \"\xe2\x82\xac\\n\"}");
}

TEST_MAIN(copies_every_table_and_knows_when_it_is_done, leaves_another_state_alone_unless_told)
