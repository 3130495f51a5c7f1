/* What the store does when the process, the disk or the file fails. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/test.h"
#include "store/store_priv.h"
#include "store/store_testdir.h"

/* Runs fn(arg) in a child; returns its exit status, or minus the signal that ended it. */
static int in_child(int (*fn)(void *arg), void *arg)
{
    (void)fflush(stdout);
    pid_t child = fork(); /* allow: the test kills it */
    if (child == 0) {
        _exit(fn(arg));
    }
    int status = 0;
    EXPECT_INT(waitpid(child, &status, 0), child);
    return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

struct writer {
    const struct testdir *dir;
    struct store *store;
};

static int write_half(void *arg, struct err *err)
{
    struct writer *writer = arg;
    for (int i = 0; i < 2000; i++) { /* more than the page cache holds: pages reach the file */
        char name[20];
        (void)snprintf(name, sizeof(name), "half-%d", i);
        if (store_config_set(writer->store, name, "0123456789012345678901234567890123456789",
                             err)) {
            return -EIO;
        }
    }
    (void)raise(SIGKILL);
    return 0;
}

static int die_in_mid_transaction(void *arg)
{
    struct writer *writer = arg;
    writer->store = testdir_open(writer->dir);
    (void)store_config_set(writer->store, "committed", "yes", NULL);
    return store_transact(writer->store, write_half, writer, NULL);
}

static int count_name(void *arg, const char *name, const char *text)
{
    (void)text;
    EXPECT_STR(name, "committed");
    (*(int *)arg)++;
    return 0;
}

static void forgets_only_the_transaction_in_which_it_was_killed(void)
{
    CLEANUP(testdir_remove) struct testdir *dir = testdir_new();
    struct writer writer = {.dir = dir};
    int count = 0;
    EXPECT_INT(in_child(die_in_mid_transaction, &writer), -SIGKILL);

    CLEANUP(store_close) struct store *store = testdir_open(dir);
    EXPECT_INT(store_config_each(store, count_name, &count, NULL), 0);
    EXPECT_INT(count, 1);
}

/* The child commits 0, 1, 2 ... and tells each number when its commit has returned. */
static void commit_and_tell(const struct testdir *dir, int fd)
{
    struct store *store = testdir_open(dir);
    for (int i = 0; i < 1000000; i++) {
        char text[20];
        (void)snprintf(text, sizeof(text), "%d", i);
        if (store_meta_set(store, "number", text, NULL) ||
            write(fd, &i, sizeof(i)) != (ssize_t)sizeof(i)) {
            _exit(1);
        }
    }
    _exit(1);
}

static void keeps_each_commit_that_had_returned_before_the_kill(void)
{
    CLEANUP(testdir_remove) struct testdir *dir = testdir_new();
    for (int round = 0; round < 20; round++) {
        int ends[2];
        EXPECT_INT(pipe(ends), 0);
        (void)fflush(stdout);
        pid_t child = fork(); /* allow: the test kills it */
        if (child == 0) {
            commit_and_tell(dir, ends[1]);
        }
        (void)close(ends[1]);
        int told = -1;
        for (int i = 0; i <= round * 7; i++) {
            EXPECT_INT(read(ends[0], &told, sizeof(told)), sizeof(told));
        }
        EXPECT_INT(kill(child, SIGKILL), 0);
        EXPECT_INT(waitpid(child, NULL, 0), child);
        while (read(ends[0], &told, sizeof(told)) == sizeof(told)) {
        }
        (void)close(ends[0]);

        CLEANUP(store_close) struct store *store = testdir_open(dir);
        CLEANUP(str_free) char *text = NULL;
        EXPECT_INT(store_meta_get(store, "number", &text, NULL), 0);
        long kept =
            text ? strtol(text, NULL, 10) : -1; /* one more may have been committed and not told */
        EXPECT(kept == told || kept == told + 1);
    }
}

static void reports_a_full_file_and_changes_nothing(void)
{
    CLEANUP(testdir_remove) struct testdir *dir = testdir_new();
    CLEANUP(store_close) struct store *store = testdir_open(dir);
    CLEANUP(str_free) char *large = xcalloc(1, 200001);
    CLEANUP(str_free) char *text = NULL;
    struct err err = {0};
    memset(large, 'x', 200000);

    EXPECT_INT(store_config_set(store, "A", "old", NULL), 0);
    EXPECT_INT(store_run(store, NULL, "PRAGMA max_page_count = 30", ""), 0);
    EXPECT_INT(store_config_set(store, "A", large, &err), -ENOSPC);
    EXPECT(strstr(err.text, dir->path) &&
           strstr(err.text, "the disk is full; nothing was changed"));
    EXPECT_INT(store_config_get(store, "A", &text, NULL), 0);
    EXPECT_STR(text, "old");
    EXPECT_INT(store_config_set(store, "B", "small", NULL), 0);
    EXPECT_INT(store_run(store, NULL, "PRAGMA max_page_count = 3000", ""), 0);
    EXPECT_INT(store_config_set(store, "A", large, NULL), 0);
}

/* On a file system of 256 KiB: every failure is -ENOSPC, what was there stays, and with room again
 * it goes on. Exit status 0 = as wanted, 77 = no right to mount. */
static int fill_a_small_disk(void *arg)
{
    const struct testdir *dir = arg;
    if (unshare(CLONE_NEWNS) && unshare(CLONE_NEWUSER | CLONE_NEWNS)) {
        return 77;
    }
    if (mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
        mount("tmpfs", dir->folder, "tmpfs", 0, "size=256k")) {
        return 77;
    }
    struct store *store = testdir_open(dir);
    struct err err = {0};
    char text[2001];
    memset(text, 'x', 2000);
    text[2000] = 0;
    int done = 0;
    int failed = 0;
    for (; !failed && done < 1000; done++) {
        char name[20];
        (void)snprintf(name, sizeof(name), "n%d", done);
        failed = store_config_set(store, name, text, &err);
    }
    if (failed != -ENOSPC || !strstr(err.text, "the disk is full")) {
        printf("# %d after %d: %s\n", failed, done, err.text);
        return 1;
    }
    char last[20];
    char *back = NULL;
    (void)snprintf(last, sizeof(last), "n%d", done - 2);
    if (store_config_get(store, last, &back, NULL) || strcmp(back, text) != 0) {
        return 2;
    }
    if (mount("tmpfs", dir->folder, "tmpfs", MS_REMOUNT, "size=4m")) {
        return 3;
    }
    if (store_config_set(store, "more", text, &err)) {
        return 4;
    }
    store = store_close(store);
    store = testdir_open(dir);
    return store_config_get(store, last, &back, NULL) ? 5 : 0;
}

static void reports_a_full_disk_and_goes_on_when_there_is_room(void)
{
    CLEANUP(testdir_remove) struct testdir *dir = testdir_new();
    int status = in_child(fill_a_small_disk, dir);
    if (status == 77) {
        printf("# no right to mount a small file system: not run\n");
    } else {
        EXPECT_INT(status, 0);
    }
}

/* A limit of the process instead of the disk: the write fails with EFBIG. */
static int meet_the_size_limit(void *arg)
{
    struct store *store = testdir_open(arg);
    struct err err = {0};
    struct rlimit limit = {.rlim_cur = 100000, .rlim_max = RLIM_INFINITY};
    char *large = xcalloc(1, 300001);
    char *text = NULL;
    memset(large, 'x', 300000);
    (void)signal(SIGXFSZ, SIG_IGN);
    if (store_config_set(store, "A", "old", NULL) || setrlimit(RLIMIT_FSIZE, &limit)) {
        return 1;
    }
    int failed = store_config_set(store, "A", large, &err);
    if (failed != -EIO || !strstr(err.text, "File too large; nothing was changed")) {
        printf("# %d %s\n", failed, err.text);
        return 2;
    }
    if (store_config_get(store, "A", &text, NULL) || strcmp(text, "old") != 0) {
        return 3;
    }
    limit.rlim_cur = RLIM_INFINITY;
    return setrlimit(RLIMIT_FSIZE, &limit) || store_config_set(store, "A", large, NULL) ? 4 : 0;
}

static void reports_a_failing_write_and_changes_nothing(void)
{
    CLEANUP(testdir_remove) struct testdir *dir = testdir_new();
    EXPECT_INT(in_child(meet_the_size_limit, dir), 0);
}

static void reports_a_lock_and_a_file_that_may_not_be_written(void)
{
    CLEANUP(testdir_remove) struct testdir *dir = testdir_new();
    CLEANUP(store_close) struct store *store = testdir_open(dir);
    CLEANUP(store_close) struct store *other = testdir_open(dir);
    struct err err = {0};

    EXPECT_INT(store_run(other, NULL, "BEGIN IMMEDIATE", ""), 0);
    EXPECT_INT(store_config_set(store, "A", "1", &err), -EBUSY);
    EXPECT(strstr(err.text, "another program holds it locked"));
    EXPECT_INT(store_run(other, NULL, "ROLLBACK", ""), 0);
    EXPECT_INT(store_run(store, NULL, "PRAGMA query_only = ON", ""), 0);
    EXPECT_INT(store_config_set(store, "A", "1", &err), -EROFS);
    EXPECT(strstr(err.text, "the file may not be written"));
}

/* The file's whole content; at most size bytes. */
static size_t read_file(const char *path, char *content, size_t size)
{
    FILE *file = fopen(path, "r");
    size_t got = file ? fread(content, 1, size, file) : 0;
    if (file) {
        (void)fclose(file);
    }
    return got;
}

static void write_file(const char *path, long offset, const char *content, size_t size)
{
    FILE *file = fopen(path, offset ? "r+" : "w");
    EXPECT(file != NULL);
    if (file) {
        EXPECT_INT(fseek(file, offset, SEEK_SET), 0);
        EXPECT_INT(fwrite(content, 1, size, file), size);
        (void)fclose(file);
    }
}

/* Opening fails with code and a text that has the path and reason; not a byte has changed. */
static void expect_refused(const struct testdir *dir, int code, const char *reason)
{
    static char before[1 << 20];
    static char after[1 << 20];
    struct store *store = NULL;
    struct err err = {0};
    size_t size = read_file(dir->path, before, sizeof(before));
    EXPECT_INT(store_open(dir->path, &store, &err), code);
    EXPECT(store == NULL);
    EXPECT(strstr(err.text, dir->path) && strstr(err.text, reason));
    EXPECT_INT(read_file(dir->path, after, sizeof(after)), size);
    EXPECT(memcmp(before, after, size) == 0);
    if (test_failures_) {
        printf("# %s\n", err.text);
    }
}

static void refuses_a_file_that_is_no_database(void)
{
    CLEANUP(testdir_remove) struct testdir *dir = testdir_new();
    char garbage[5000];
    memset(garbage, 'g', sizeof(garbage));
    write_file(dir->path, 0, garbage, sizeof(garbage));
    expect_refused(dir, -EMEDIUMTYPE, "file is not a database. It was left as it is.");
}

static void refuses_a_damaged_database(void)
{
    CLEANUP(testdir_remove) struct testdir *dir = testdir_new();
    struct store *store = testdir_open(dir);
    char garbage[4096];
    memset(garbage, 'g', sizeof(garbage));
    for (int i = 0; i < 500; i++) {
        char name[20];
        (void)snprintf(name, sizeof(name), "n%d", i);
        EXPECT_INT(store_config_set(store, name, "0123456789012345678901234567890123456789", NULL),
                   0);
    }
    store = store_close(store);
    write_file(dir->path, 4096, garbage, sizeof(garbage));
    expect_refused(dir, -EMEDIUMTYPE, "'sqlite3 FILE .recover'");
    EXPECT_INT(truncate(dir->path, 6000), 0); /* as after a copy that was cut short */
    expect_refused(dir, -EMEDIUMTYPE, "It was left as it is");
}

static void refuses_a_newer_version_and_another_programs_file(void)
{
    CLEANUP(testdir_remove) struct testdir *dir = testdir_new();
    struct store *store = testdir_open(dir);
    EXPECT_INT(store_run(store, NULL, "PRAGMA user_version = 99", ""), 0);
    store = store_close(store);
    expect_refused(dir, -ENOTSUP, "was written by a newer jsorc (schema 99, this one knows 4)");

    EXPECT_INT(unlink(dir->path), 0);
    store = testdir_open(dir);
    EXPECT_INT(store_run(store, NULL, "PRAGMA application_id = 1", ""), 0);
    store = store_close(store);
    expect_refused(dir, -EMEDIUMTYPE, "it is a database of another program");
}

TEST_MAIN(forgets_only_the_transaction_in_which_it_was_killed,
          keeps_each_commit_that_had_returned_before_the_kill,
          reports_a_full_file_and_changes_nothing,
          reports_a_full_disk_and_goes_on_when_there_is_room,
          reports_a_failing_write_and_changes_nothing,
          reports_a_lock_and_a_file_that_may_not_be_written, refuses_a_file_that_is_no_database,
          refuses_a_damaged_database, refuses_a_newer_version_and_another_programs_file)
