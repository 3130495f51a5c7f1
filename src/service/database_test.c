#include "service/database.h"

#include <errno.h>

#include "base/alloc.h"
#include "base/err.h"
#include "base/test.h"

static struct service_paths paths = {.folder = (char *)(uintptr_t) "/s t/services/database"};

/* Of that config; the caller frees its config. */
static struct service_job job_of(const char *config)
{
    struct service_job job = {.ops = &service_database, .paths = &paths};
    CLEANUP(json_put) struct json_object *stored = NULL;
    EXPECT_INT(json_parse_object(slice_str(config), &stored, NULL), 0);
    job.provider = service_config_provider(&service_database, stored, false);
    job.config = service_config_merge(&service_database, stored);
    return job;
}

static void a_url_codes_what_has_a_meaning_in_it(void)
{
    struct service_job own = job_of("{\"automated\":true}");
    struct service_job other = job_of("{\"host\":\"db\",\"user\":\"a@b:c\",\"password\":\"p\"}");
    CLEANUP(str_free) char *url = database_url(&own, "odd ?&\"");
    CLEANUP(str_free) char *there = database_url(&other, "d");
    EXPECT_STR(url, "postgresql://jsorc@/odd%20%3F%26%22?host=/s%20t/services/database/run"
                    "&port=5432&passfile=/s%20t/services/database/pgpass");
    EXPECT_STR(there, "postgresql://a%40b%3Ac@db:5432/d?passfile=/s%20t/services/database/pgpass");
    (void)json_put(own.config);
    (void)json_put(other.config);
}

static void a_connection_string_quotes_its_values(void)
{
    struct service_job job = job_of("{\"host\":\"h\",\"port\":\"77\",\"user\":\"o'b\\\\x\"}");
    CLEANUP(str_free) char *info = database_conninfo(&job, "d' host='evil");
    EXPECT_STR(info, "dbname='d\\' host=\\'evil' host='h' port=77 user='o\\'b\\\\x' "
                     "passfile='/s t/services/database/pgpass' ");
    (void)json_put(job.config);
}

static void a_name_in_a_statement_ends_where_it_ends(void)
{
    CLEANUP(str_free) char *quoted = database_quoted("a\"; DROP DATABASE \"b");
    EXPECT_STR(quoted, "\"a\"\"; DROP DATABASE \"\"b\"");
}

static void the_port_names_the_socket_of_our_own_server(void)
{
    static const struct {
        const char *config;
        int port;
    } rows[] = {
        {"{\"automated\":true}", 5432},
        {"{\"automated\":true,\"listen_port\":6000}", 6000},
        {"{\"provider\":\"process\",\"port\":7000}", 5432},
        {"{\"host\":\"h\",\"port\":7000}", 7000},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct service_job job = job_of(rows[i].config);
        EXPECT_INT(database_port(&job), rows[i].port);
        (void)json_put(job.config);
    }
}

static void refuses_what_cannot_be_right(void)
{
    static const struct {
        const char *config;
        const char *text;
    } rows[] = {
        {"{\"programs\":\"bin\"}", "'programs' must be the path of a folder, not 'bin'"},
        {"{\"backups_max\":0}", "'backups_max' must be a number from 1 to 1000"},
        {"{\"provider\":\"embedded\"}", "nothing in jsorc can stand in for database"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct err err = {0};
        struct service_job job = job_of(rows[i].config);
        EXPECT_INT(service_config_check(&service_database, job.config, &err), -EINVAL);
        EXPECT_STR(err.text, rows[i].text);
        (void)json_put(job.config);
    }
}

TEST_MAIN(a_url_codes_what_has_a_meaning_in_it, a_connection_string_quotes_its_values,
          a_name_in_a_statement_ends_where_it_ends, the_port_names_the_socket_of_our_own_server,
          refuses_what_cannot_be_right)
