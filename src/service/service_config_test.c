#include <errno.h>
#include <stdlib.h>

#include "base/err.h"
#include "base/test.h"
#include "service/service_priv.h"

extern const struct service_ops service_redis, service_prometheus, service_node_exporter,
    service_mail, service_database;

static struct json_object *parsed(const char *text)
{
    struct json_object *object = NULL;
    EXPECT_INT(json_parse_object(slice_str(text), &object, NULL), 0);
    return object;
}

static void what_was_set_comes_before_environment_and_defaults(void)
{
    (void)setenv("REDIS_PORT", "7000", 1);
    CLEANUP(json_put) struct json_object *stored = parsed("{\"db\":3,\"odd\":[1]}");
    CLEANUP(json_put) struct json_object *config = service_config_merge(&service_redis, stored);
    (void)unsetenv("REDIS_PORT");
    EXPECT_STR(json_str(config, "host"), "localhost");
    EXPECT_INT(service_config_number(config, "port", 0), 7000);
    EXPECT_INT(service_config_number(config, "db", 0), 3);
    EXPECT(
        json_member(config, "odd", json_type_array)); /* the original passes on what it knows not */
}

static void a_flag_of_the_environment_is_one(void)
{
    (void)setenv("JSORC_DB_REGEN", "true", 1);
    CLEANUP(json_put) struct json_object *config = service_config_merge(&service_database, NULL);
    (void)unsetenv("JSORC_DB_REGEN");
    CLEANUP(json_put) struct json_object *usual = service_config_merge(&service_database, NULL);
    EXPECT(json_flag(config, "regenerate", false));
    EXPECT(!json_flag(usual, "regenerate", true));
    EXPECT_INT(service_config_check(&service_database, config, NULL), 0);
}

static void the_config_says_who_makes_the_service(void)
{
    static const struct {
        const struct service_ops *ops;
        const char *variable;
        const char *stored;
        enum service_provider provider;
    } rows[] = {
        {&service_redis, NULL, "{}", PROVIDER_EMBEDDED},
        {&service_redis, NULL, "{\"automated\":true}", PROVIDER_PROCESS},
        {&service_redis, NULL, "{\"enabled\":true}", PROVIDER_PROCESS},
        {&service_redis, NULL, "{\"automated\":true,\"host\":\"h\"}", PROVIDER_ADDRESS},
        {&service_redis, "REDIS_HOST", "{\"automated\":true}", PROVIDER_ADDRESS},
        {&service_redis, "REDIS_HOST", "{\"provider\":\"process\"}", PROVIDER_PROCESS},
        {&service_redis, NULL, "{\"automated\":true,\"provider\":\"embedded\"}", PROVIDER_EMBEDDED},
        {&service_database, NULL, "{}", PROVIDER_NONE},
        {&service_database, NULL, "{\"automated\":true}", PROVIDER_PROCESS},
        {&service_database, "POSTGRES_HOST", "{\"automated\":true}", PROVIDER_ADDRESS},
        {&service_prometheus, NULL, "{}", PROVIDER_NONE},
        {&service_prometheus, NULL, "{\"automated\":true}", PROVIDER_PROCESS},
        {&service_prometheus, "PROMON_HOST", "{}", PROVIDER_ADDRESS},
        {&service_prometheus, NULL, "{\"url\":\"http://p/\"}", PROVIDER_ADDRESS},
        {&service_node_exporter, NULL, "{\"automated\":true}", PROVIDER_PROCESS},
        {&service_node_exporter, NULL, "{\"automated\":true,\"node_exporter\":false}",
         PROVIDER_NONE},
        {&service_node_exporter, NULL, "{\"url\":\"http://p/\"}", PROVIDER_NONE},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        CLEANUP(json_put) struct json_object *stored = parsed(rows[i].stored);
        if (rows[i].variable) {
            (void)setenv(rows[i].variable, "elsewhere", 1);
        }
        EXPECT_INT(service_config_provider(rows[i].ops, stored, false), rows[i].provider);
        if (rows[i].variable) {
            (void)unsetenv(rows[i].variable);
        }
    }
}

static void where_there_is_a_cluster_services_are_made_there(void)
{
    static const struct {
        const struct service_ops *ops;
        const char *stored;
        enum service_provider provider;
    } rows[] = {
        {&service_redis, "{}", PROVIDER_EMBEDDED},
        {&service_redis, "{\"automated\":true}", PROVIDER_CLUSTER},
        {&service_redis, "{\"automated\":true,\"host\":\"h\"}", PROVIDER_ADDRESS},
        {&service_redis, "{\"automated\":true,\"provider\":\"process\"}", PROVIDER_PROCESS},
        {&service_redis, "{\"automated\":true,\"provider\":\"embedded\"}", PROVIDER_EMBEDDED},
        {&service_prometheus, "{\"automated\":true}", PROVIDER_CLUSTER},
        {&service_node_exporter, "{\"automated\":true}", PROVIDER_CLUSTER},
        {&service_node_exporter, "{\"automated\":true,\"node_exporter\":false}", PROVIDER_NONE},
        {&service_mail, "{\"automated\":true,\"host\":\"h\"}", PROVIDER_ADDRESS},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        CLEANUP(json_put) struct json_object *stored = parsed(rows[i].stored);
        EXPECT_INT(service_config_provider(rows[i].ops, stored, true), rows[i].provider);
    }
}

static void refuses_what_cannot_be_right(void)
{
    static const struct {
        const struct service_ops *ops;
        const char *stored;
        const char *error; /* NULL = fine */
    } rows[] = {
        {&service_redis, "{}", NULL},
        {&service_redis, "{\"port\":\"6380\",\"db\":0}", NULL},
        {&service_redis, "{\"automatd\":true}",
         "there is no key 'automatd'; did you mean 'automated'?"},
        {&service_redis, "{\"memory_max\":3}",
         "there is no key 'memory_max'; did you mean 'memory_max_mb'?"},
        {&service_redis, "{\"socket_timeout\":3}", NULL}, /* of the original's client library */
        {&service_prometheus, "{\"node_exportr\":false}",
         "there is no key 'node_exportr'; did you mean 'node_exporter'?"},
        {&service_prometheus, "{\"colour\":1}",
         "there is no key 'colour'; there are enabled, automated, quiet, url, host, port, user, "
         "password, provider, listen_port, scrape_interval, retention_time, retention_size, "
         "node_exporter, image, node_exporter_image, storage, storage_class, target"},
        {&service_node_exporter, "{\"scrape_interval\":\"5s\"}", NULL}, /* of the whole's config */
        {&service_mail, "{\"version\":2,\"backend\":\"smtp\",\"templates\":{}}", NULL},
        {&service_mail, "{\"passwd\":\"x\",\"host\":\"h\"}",
         "there is no key 'passwd'; there are enabled, automated, quiet, host, port, tls, "
         "security, ca_file, user, pass, sender, version, templates, backend, migrate, provider"},
        {&service_mail, "{\"templates\":{\"activation_bdy\":\"{{code}}\"}}",
         "there is no template 'activation_bdy'; did you mean 'activation_body'?"},
        {&service_redis, "{\"port\":0}", "'port' must be a number from 1 to 65535"},
        {&service_redis, "{\"db\":\"one\"}", "'db' must be a number from 0 to 15"},
        {&service_redis, "{\"host\":7}", "'host' must be a text"},
        {&service_redis, "{\"enabled\":\"yes\"}", "'enabled' must be true or false"},
        {&service_redis, "{\"provider\":\"cloud\"}",
         "'provider' must be process, kubernetes, address or embedded, not 'cloud'"},
        {&service_prometheus, "{\"provider\":\"embedded\"}",
         "nothing in jsorc can stand in for prome"},
        {&service_prometheus, "{\"scrape_interval\":\"soon\"}",
         "'scrape_interval' must be a duration such as 15s or 1h30m, not 'soon'"},
        {&service_prometheus, "{\"retention_size\":\"512\"}",
         "'retention_size' must be a size such as 512MB, not '512'"},
        {&service_prometheus, "{\"retention_size\":\"1GB\"}", NULL},
        {&service_prometheus, "{\"url\":\"file:///etc\"}",
         "'url' must begin with http:// or https://, not 'file:///etc'"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        CLEANUP(json_put) struct json_object *stored = parsed(rows[i].stored);
        CLEANUP(json_put) struct json_object *config = service_config_merge(rows[i].ops, stored);
        struct err err = {0};
        EXPECT_INT(service_config_check(rows[i].ops, config, &err), rows[i].error ? -EINVAL : 0);
        EXPECT_STR(err.text, rows[i].error ? rows[i].error : "");
    }
}

static void flags_are_no_part_of_the_config_that_is_told(void)
{
    CLEANUP(json_put)
    struct json_object *config =
        parsed("{\"enabled\":true,\"automated\":true,\"quiet\":false,\"db\":1}");
    CLEANUP(json_put) struct json_object *plain = service_config_plain(config);
    EXPECT_STR(json_text(plain), "{\"db\":1}");
}

TEST_MAIN(what_was_set_comes_before_environment_and_defaults, a_flag_of_the_environment_is_one,
          the_config_says_who_makes_the_service, where_there_is_a_cluster_services_are_made_there,
          refuses_what_cannot_be_right, flags_are_no_part_of_the_config_that_is_told)
