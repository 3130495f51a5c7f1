/* For the tests of the store: a directory of its own for one state file, or, with the environment's
 * JSORC_TEST_STATE_URL (dev/with-postgres), the database of that URL, emptied. */
#pragma once

#include <dirent.h>
#include <libpq-fe.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/err.h"
#include "store/store.h"

struct testdir {
    char folder[64];
    char path[96]; /* of the state file */
};

/* NULL = files are tested. */
static inline const char *testdir_url(void)
{
    return getenv("JSORC_TEST_STATE_URL");
}

/* Runs SQL beside the store, as an administrator of the database would. */
static inline void testdir_sql(const char *sql)
{
    PGconn *connection = PQconnectdb(testdir_url());
    PGresult *result = PQexec(connection, sql);
    ExecStatusType status = PQresultStatus(result);
    if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK) {
        printf("Bail out! %s\n", PQerrorMessage(connection));
        abort();
    }
    PQclear(result);
    PQfinish(connection);
}

static inline struct testdir *testdir_new(void)
{
    struct testdir *dir = xcalloc(1, sizeof(*dir));
    (void)snprintf(dir->folder, sizeof(dir->folder), "/tmp/store-test.XXXXXX");
    if (!mkdtemp(dir->folder)) {
        perror("mkdtemp");
        abort();
    }
    (void)snprintf(dir->path, sizeof(dir->path), "%s/jsorc.db", dir->folder);
    if (testdir_url()) {
        testdir_sql("SET client_min_messages = warning; DROP SCHEMA IF EXISTS jsorc CASCADE");
    }
    return dir;
}

static inline struct testdir *testdir_remove(struct testdir *dir)
{
    DIR *folder = opendir(dir->folder);
    struct dirent *entry;
    while (folder && (entry = readdir(folder))) {
        char path[400];
        (void)snprintf(path, sizeof(path), "%s/%s", dir->folder, entry->d_name);
        (void)unlink(path);
    }
    if (folder) {
        (void)closedir(folder);
    }
    (void)rmdir(dir->folder);
    free(dir);
    return NULL;
}
DEFINE_CLEANUP(struct testdir *, testdir_remove)

/* Ends the test program when the file does not open. */
static inline struct store *testdir_open(const struct testdir *dir)
{
    struct store *store = NULL;
    struct err err = {0};
    if (store_open(testdir_url() ? testdir_url() : dir->path, &store, &err)) {
        printf("Bail out! %s\n", err.text);
        abort();
    }
    return store;
}
