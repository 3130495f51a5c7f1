/* What only a database does: it goes away, others change it, one leads. With JSORC_TEST_STATE_URL
 * (dev/with-postgres). */
#include <errno.h>
#include <poll.h>
#include <string.h>

#include "base/test.h"
#include "store/store_shared.h"
#include "store/store_testdir.h"

#define KILL_ALL                                                                                   \
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"                                       \
    " WHERE application_name = 'jsorc' AND pid <> pg_backend_pid()"

/* ---- the connection ---- */

static void connect_again(struct store *store)
{
    CLEANUP(store_link_free) struct store_link *link = store_link_new(store);
    EXPECT_INT(store_link_open(link, NULL), 0);
    store_link_install(store, link);
}

static void says_that_the_connection_is_lost_and_goes_on_with_another(void)
{
    CLEANUP(testdir_remove) struct testdir *dir = testdir_new();
    CLEANUP(store_close) struct store *store = testdir_open(dir);
    CLEANUP(str_free) char *text = NULL;
    struct err err = {0};
    EXPECT(store_is_shared(store) && !store_lost(store));
    EXPECT_INT(store_config_set(store, "A", "1", NULL), 0);
    testdir_sql(KILL_ALL);
    EXPECT_INT(store_config_set(store, "A", "2", &err), -ENOTCONN);
    EXPECT(strstr(err.text, "nothing was changed, and jsorc connects again by itself") != NULL);
    EXPECT(store_lost(store) != NULL);
    EXPECT_INT(store_fd(store), -1);
    EXPECT_INT(store_config_get(store, "A", &text, &err), -ENOTCONN);
    EXPECT(strstr(err.text, "there is no connection") != NULL);

    connect_again(store);
    EXPECT(!store_lost(store));
    EXPECT_INT(store_hear(store), STORE_CHANGED_ALL);
    EXPECT_INT(store_hear(store), 0);
    EXPECT_INT(store_config_get(store, "A", &text, NULL), 0);
    EXPECT_STR(text, "1");
    EXPECT_INT(store_config_set(store, "A", "2", NULL), 0);
}

struct cut {
    struct store *store;
};

static int set_and_be_cut(void *arg, struct err *err)
{
    const struct cut *cut = arg;
    int failed = store_config_set(cut->store, "A", "changed", err);
    if (!failed) {
        testdir_sql(KILL_ALL);
    }
    return failed;
}

static void undoes_a_change_whose_connection_went_before_its_end(void)
{
    CLEANUP(testdir_remove) struct testdir *dir = testdir_new();
    CLEANUP(store_close) struct store *store = testdir_open(dir);
    CLEANUP(str_free) char *text = NULL;
    struct cut cut = {.store = store};
    struct err err = {0};
    EXPECT_INT(store_config_set(store, "A", "before", NULL), 0);
    /* COMMIT finds no connection: what became of the change is asked on a new one. */
    EXPECT_INT(store_transact(store, set_and_be_cut, &cut, &err), -ENOTCONN);
    EXPECT(strstr(err.text, "nothing was changed") != NULL);
    EXPECT(!store_lost(store));
    EXPECT_INT(store_hear(store), STORE_CHANGED_ALL);
    EXPECT_INT(store_config_get(store, "A", &text, NULL), 0);
    EXPECT_STR(text, "before");
    EXPECT_INT(store_transact(store, set_and_be_cut, &cut, NULL), -ENOTCONN);
}

static void tells_what_cannot_be_stored(void)
{
    CLEANUP(testdir_remove) struct testdir *dir = testdir_new();
    CLEANUP(store_close) struct store *store = testdir_open(dir);
    struct store *other = NULL;
    struct err err = {0};
    EXPECT_INT(store_config_set(store, "A", "\xff\xfe", &err), -EILSEQ);
    EXPECT(store_is_hopeless(-EILSEQ));
    EXPECT_INT(store_config_set(store, "A", "fine", NULL), 0);
    testdir_sql("UPDATE jsorc.version SET number = 99");
    EXPECT_INT(store_open(testdir_url(), &other, &err), -ENOTSUP);
    EXPECT(strstr(err.text, "was written by a newer jsorc (schema 99, this one knows 4)") != NULL);
    testdir_sql("DROP TABLE jsorc.version");
    EXPECT_INT(store_open(testdir_url(), &other, &err), -EMEDIUMTYPE);
    EXPECT(other == NULL);
}

static void never_shows_the_password(void)
{
    static const struct {
        const char *url, *name;
    } rows[] = {
        {"postgresql://ann:secret@127.0.0.1:1/state", "postgresql://ann@127.0.0.1:1/state"},
        {"postgresql:///state?host=/nonexistent&user=ann&password=secret",
         "postgresql://ann@/state?host=/nonexistent"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct store *store = NULL;
        struct err err = {0};
        EXPECT_INT(store_open(rows[i].url, &store, &err), -ENOTCONN);
        EXPECT(strstr(err.text, rows[i].name) && !strstr(err.text, "secret"));
    }
    struct err err = {0};
    struct store *store = NULL;
    EXPECT_INT(store_open("postgresql://ann:secret@h/d?nonsense=1", &store, &err), -EINVAL);
    EXPECT(!strstr(err.text, "secret"));
}

/* ---- changes ---- */

static unsigned wait_change(struct store *store)
{
    struct pollfd watch = {.fd = store_fd(store), .events = POLLIN};
    unsigned changed = store_hear(store);
    while (!changed && poll(&watch, 1, 30000) > 0) {
        changed = store_hear(store);
    }
    return changed;
}

static void hears_what_others_change_and_not_itself(void)
{
    CLEANUP(testdir_remove) struct testdir *dir = testdir_new();
    CLEANUP(store_close) struct store *store = testdir_open(dir);
    CLEANUP(store_close) struct store *other = testdir_open(dir);
    struct store_user user = {.email = "a@b.c"};
    unsigned changed = 9;
    int64_t id;
    EXPECT_INT(store_meta_set(store, "policy", "own", NULL), 0);
    EXPECT_INT(wait_change(other), STORE_CHANGED_META);
    EXPECT_INT(store_hear(store), 0);
    EXPECT_INT(store_look(store, &changed, NULL), 0);
    EXPECT_INT(changed, 0);

    EXPECT_INT(store_user_add(other, &user, &id, NULL), 0);
    EXPECT_INT(store_module_put(other, &(struct store_module){.name = "m"}, NULL), 0);
    changed = wait_change(store);
    while (changed != (STORE_CHANGED_ACCOUNTS | STORE_CHANGED_MODULES)) {
        unsigned more = wait_change(store);
        EXPECT(more != 0);
        changed |= more ? more : STORE_CHANGED_ALL;
    }
    EXPECT_INT(store_config_set(other, "A", "1", NULL), 0);
    EXPECT_INT(store_look(store, &changed, NULL), 0);
    EXPECT_INT(changed, STORE_CHANGED_CONFIGS);
}

static void sees_by_looking_what_was_not_told(void)
{
    CLEANUP(testdir_remove) struct testdir *dir = testdir_new();
    CLEANUP(store_close) struct store *store = testdir_open(dir);
    CLEANUP(store_close) struct store *other = testdir_open(dir);
    unsigned changed = 0;
    testdir_sql("UPDATE jsorc.changes SET revision = revision + 5 WHERE name = 'modules'");
    EXPECT_INT(store_hear(store), 0);
    /* An own change after it does not hide it. */
    EXPECT_INT(store_module_put(store, &(struct store_module){.name = "m"}, NULL), 0);
    EXPECT_INT(store_look(store, &changed, NULL), 0);
    EXPECT_INT(changed, STORE_CHANGED_MODULES);
    EXPECT_INT(store_look(store, &changed, NULL), 0);
    EXPECT_INT(changed, 0);
    (void)other;
}

/* ---- the lease ---- */

static int set_leading(void *arg, struct err *err)
{
    return store_meta_set(arg, "led", "yes", err);
}

#define LONG_MS INT64_C(3600000)

static void gives_the_lease_to_one_and_to_the_next_when_it_is_over(void)
{
    CLEANUP(testdir_remove) struct testdir *dir = testdir_new();
    CLEANUP(store_close) struct store *store = testdir_open(dir);
    CLEANUP(store_close) struct store *other = testdir_open(dir);
    struct store_lease lease;
    struct err err = {0};
    EXPECT_INT(store_transact_leading(store, set_leading, store, &err), -ESTALE);
    EXPECT_INT(store_lease_take(store, "one", LONG_MS, &lease, NULL), 0);
    EXPECT(lease.mine && lease.number == 1);
    EXPECT_INT(store_lease_take(other, "two", LONG_MS, &lease, NULL), 0);
    EXPECT(!lease.mine && lease.number == 1);
    EXPECT_STR(lease.holder, "one");
    EXPECT_INT(store_lease_take(store, "one", LONG_MS, &lease, NULL), 0);
    EXPECT(lease.mine && lease.number == 1);
    EXPECT_INT(store_transact_leading(store, set_leading, store, NULL), 0);
    EXPECT_INT(store_transact_leading(other, set_leading, other, NULL), -ESTALE);

    /* It is over, and taken, before the first one knows: what that one writes is refused. */
    testdir_sql("UPDATE jsorc.leases SET until_ms = 0");
    EXPECT_INT(store_transact_leading(store, set_leading, store, NULL), 0);
    EXPECT_INT(store_lease_take(other, "two", LONG_MS, &lease, NULL), 0);
    EXPECT(lease.mine && lease.number == 2);
    EXPECT_INT(store_transact_leading(store, set_leading, store, &err), -ESTALE);
    EXPECT_STR(err.text, "another daemon leads now; nothing was changed");
    EXPECT_INT(store_lease_take(store, "one", LONG_MS, &lease, NULL), 0);
    EXPECT(!lease.mine);

    /* Given back, it is free at once, and the others hear of it. */
    EXPECT_INT(store_lease_release(other, NULL), 0);
    unsigned changed = wait_change(store);
    while (!(changed & STORE_CHANGED_LEASE) && changed) {
        changed = wait_change(store);
    }
    EXPECT(changed & STORE_CHANGED_LEASE);
    EXPECT_INT(store_lease_take(store, "one", LONG_MS, &lease, NULL), 0);
    EXPECT(lease.mine && lease.number == 3);
}

static void a_lease_won_elsewhere_goes_by_its_number(void)
{
    CLEANUP(testdir_remove) struct testdir *dir = testdir_new();
    CLEANUP(store_close) struct store *store = testdir_open(dir);
    CLEANUP(store_close) struct store *other = testdir_open(dir);
    struct store_lease lease;
    EXPECT_INT(store_lease_fence(store, "one", 3, LONG_MS, &lease, NULL), 0);
    EXPECT(lease.mine && lease.number == 3);
    EXPECT_INT(store_transact_leading(store, set_leading, store, NULL), 0);
    EXPECT_INT(store_lease_fence(store, "one", 3, LONG_MS, &lease, NULL), 0);
    EXPECT(lease.mine);

    /* The same number of another one, and an earlier one: refused, and told what is there. */
    EXPECT_INT(store_lease_fence(other, "two", 3, LONG_MS, &lease, NULL), 0);
    EXPECT(!lease.mine && !lease.over && lease.number == 3);
    EXPECT_STR(lease.holder, "one");
    testdir_sql("UPDATE jsorc.leases SET until_ms = 0");
    EXPECT_INT(store_lease_fence(other, "two", 2, LONG_MS, &lease, NULL), 0);
    EXPECT(!lease.mine && lease.over);
    EXPECT_INT(store_lease_fence(store, "one", 3, LONG_MS, &lease, NULL), 0);
    EXPECT(lease.mine && !lease.over);
    EXPECT_INT(store_transact_leading(other, set_leading, other, NULL), -ESTALE);
    EXPECT_INT(store_transact_leading(store, set_leading, store, NULL), 0);

    /* A later one counts though the row is not over, and the first one's writes are refused. */
    EXPECT_INT(store_lease_fence(other, "two", 4, LONG_MS, &lease, NULL), 0);
    EXPECT(lease.mine);
    EXPECT_INT(store_transact_leading(store, set_leading, store, NULL), -ESTALE);
    EXPECT_INT(store_transact_leading(other, set_leading, other, NULL), 0);
    EXPECT_INT(store_lease_fence(store, "one", 3, LONG_MS, &lease, NULL), 0);
    EXPECT(!lease.mine && lease.number == 4);

    /* Who takes it by the row alone waits for the row's end. */
    EXPECT_INT(store_lease_take(store, "three", LONG_MS, &lease, NULL), 0);
    EXPECT(!lease.mine);
}

TEST_MAIN(says_that_the_connection_is_lost_and_goes_on_with_another,
          undoes_a_change_whose_connection_went_before_its_end, tells_what_cannot_be_stored,
          never_shows_the_password, hears_what_others_change_and_not_itself,
          sees_by_looking_what_was_not_told, gives_the_lease_to_one_and_to_the_next_when_it_is_over,
          a_lease_won_elsewhere_goes_by_its_number)
