#include "provider/kubernetes/endpoints.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/test.h"

static struct json_object *json(const char *text)
{
    struct json_object *value = NULL;
    EXPECT_INT(json_parse(slice_str(text), &value, NULL), 0);
    return value;
}

#define SLICE_OF(endpoints)                                                                        \
    "{\"addressType\": \"IPv4\", \"metadata\": {\"labels\": {\"kubernetes.io/service-name\": "     \
    "\"s\"}}, \"ports\": [{\"name\": \"admin\", \"port\": 9}, {\"name\": \"http\", \"port\": "     \
    "8000}], \"endpoints\": [" endpoints "]}"

static void reads_the_ready_ones(void)
{
    CLEANUP(json_put)
    struct json_object *slice = json(SLICE_OF(
        "{\"addresses\": [\"10.0.0.1\"], \"targetRef\": {\"name\": \"p1\"}}, "
        "{\"addresses\": [\"10.0.0.2\"], \"conditions\": {\"ready\": false}}, "
        "{\"addresses\": [\"10.0.0.3\"], \"conditions\": {\"ready\": true, \"serving\": true}}, "
        "{\"addresses\": [\"10.0.0.4\"], \"conditions\": {\"ready\": false, \"serving\": true, "
        "\"terminating\": true}}, {\"addresses\": [\"nonsense\"]}, {\"addresses\": []}, {}"));
    struct endpoint endpoints[8];
    EXPECT_STR(endpoints_service(slice), "s");
    EXPECT_INT(endpoints_read(slice, "http", endpoints, 8), 2);
    EXPECT_STR(endpoints[0].address, "10.0.0.1");
    EXPECT_STR(endpoints[0].pod, "p1");
    EXPECT_INT(endpoints[0].port, 8000);
    EXPECT_STR(endpoints[1].address, "10.0.0.3");
    EXPECT_STR(endpoints[1].pod, "");
    EXPECT_INT(endpoints_read(slice, "http", endpoints, 1), 1);
    EXPECT_INT(endpoints_read(slice, "", endpoints, 8), 0);
}

static void chooses_the_port_of_the_wire_format(void)
{
    static const struct {
        const char *ports, *name;
    } rows[] = {
        {"[{\"port\": 80}]", ""},
        {"[{\"name\": \"a\"}, {\"name\": \"http\"}]", "http"},
        {"[{\"name\": \"a\"}, {\"name\": \"b\"}]", "a"},
        {"[]", NULL},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        CLEANUP(json_put) struct json_object *service = json_object_new_object();
        struct json_object *spec = json_object_new_object();
        json_set(spec, "ports", json(rows[i].ports));
        json_set(service, "spec", spec);
        const char *name = endpoints_port_name(service);
        EXPECT(!name == !rows[i].name && (!name || strcmp(name, rows[i].name) == 0));
    }
}

static void keeps_one_address_a_pod(void)
{
    struct endpoint endpoints[] = {
        {"b", "fd00::2", 80}, {"b", "10.0.0.2", 80}, {"a", "10.0.0.3", 80},
        {"", "10.0.0.9", 80}, {"", "10.0.0.9", 80},  {"", "10.0.0.1", 80},
    };
    size_t count = endpoints_merge(endpoints, 6);
    EXPECT_INT(count, 4);
    EXPECT_STR(endpoints[0].address, "10.0.0.1");
    EXPECT_STR(endpoints[1].address, "10.0.0.2");
    EXPECT_STR(endpoints[2].address, "10.0.0.3");
    EXPECT_STR(endpoints[3].address, "10.0.0.9");
    EXPECT(endpoints_equal(endpoints, 4, endpoints, 4));
    EXPECT(!endpoints_equal(endpoints, 4, endpoints, 3));
    EXPECT(!endpoints_equal(endpoints, 1, endpoints + 1, 1));
    EXPECT_INT(endpoints_merge(endpoints, 0), 0);
}

static void makes_addresses_of_both_families(void)
{
    struct sockaddr_storage address;
    socklen_t size = 0;
    struct endpoint endpoint = {.address = "fd00::1", .port = 8000};
    EXPECT_INT(endpoint_address(&endpoint, &address, &size), 0);
    EXPECT_INT(address.ss_family, AF_INET6);
    EXPECT_INT(ntohs(((struct sockaddr_in6 *)&address)->sin6_port), 8000);
    endpoint = (struct endpoint){.address = "10.1.2.3", .port = 80};
    EXPECT_INT(endpoint_address(&endpoint, &address, &size), 0);
    EXPECT_INT(size, sizeof(struct sockaddr_in));
    endpoint = (struct endpoint){.address = "web.example", .port = 80};
    EXPECT_INT(endpoint_address(&endpoint, &address, &size), -EINVAL);
}

TEST_MAIN(reads_the_ready_ones, chooses_the_port_of_the_wire_format, keeps_one_address_a_pod,
          makes_addresses_of_both_families)
