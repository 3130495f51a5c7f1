#include "measure/tracksys.h"

#include <math.h>

#include "base/json.h"
#include "base/test.h"

static struct tracksys_look look_at(uint64_t second, const struct tracksys_pod *pods, size_t count,
                                    double used)
{
    return (struct tracksys_look){
        .now_ns = second * 1000000000,
        .unix_s = 1700000000 + (int64_t)second,
        .node = "here",
        .host = {used, 10 * used, 20 * used, 30 * used, NAN, 4096, 1024},
        .group = {used, 512, NAN},
        .pods = pods,
        .pod_count = count,
    };
}

static void tells_rates_between_two_looks(void)
{
    const struct tracksys_pod before[] = {{"daemon", 7, 1, 100}, {"text-1", 8, 1, 200}};
    const struct tracksys_pod after[] = {
        {"daemon", 7, 2, 110}, {"text-1", 9, 5, NAN}, {"runtime-1", 10, 1, 300}};
    struct tracksys_look first = look_at(0, before, 2, 10), second = look_at(10, after, 3, 15);
    CLEANUP(json_put) struct json_object *actions = json_object_new_object();
    json_set(actions, "text", json_object_new_object());
    second.actions = actions;
    CLEANUP(tracksys_free) struct tracksys *tracksys = tracksys_new(&first);
    CLEANUP(json_put) struct json_object *empty = tracksys_report(tracksys);
    EXPECT_STR(json_text(empty), "{\"active\":true,\"states\":[],\"dropped\":0}");
    tracksys_add(tracksys, &second);
    CLEANUP(json_put) struct json_object *report = tracksys_report(tracksys);
    EXPECT_STR(
        json_text(report),
        "{\"active\":true,\"states\":[{\"ts\":1700000010,\"actions\":{\"text\":{}},\"prometheus\":{"
        "\"daemon\":{\"cpu_utilization_cores\":0.1,\"mem_utilization_bytes\":110.0,"
        "\"network_recv_bytes\":null,\"network_tran_bytes\":null},"
        /* another process of that name, and one that was not there */
        "\"text-1\":{\"cpu_utilization_cores\":null,\"mem_utilization_bytes\":null,"
        "\"network_recv_bytes\":null,\"network_tran_bytes\":null},"
        "\"runtime-1\":{\"cpu_utilization_cores\":null,\"mem_utilization_bytes\":300.0,"
        "\"network_recv_bytes\":null,\"network_tran_bytes\":null}},"
        "\"nodes\":{\"here\":{\"disk_read_bytes\":5.0,\"disk_write_bytes\":10.0,\"cpu_cores\":0.5,"
        "\"mem_total_bytes\":4096.0,\"mem_active_bytes\":1024.0,\"net_recv_bytes\":15.0,"
        "\"net_tran_bytes\":null}},"
        "\"cgroup\":{\"cpu_utilization_cores\":0.5,\"mem_utilization_bytes\":512.0,"
        "\"mem_max_bytes\":null},\"source\":\"local\"}],\"dropped\":0}");
}

static void a_counter_that_ran_backwards_tells_nothing(void)
{
    struct tracksys_look first = look_at(0, NULL, 0, 10), second = look_at(10, NULL, 0, 9);
    CLEANUP(tracksys_free) struct tracksys *tracksys = tracksys_new(&first);
    tracksys_add(tracksys, &second);
    tracksys_add(tracksys, &second); /* no time has passed */
    CLEANUP(json_put) struct json_object *report = tracksys_report(tracksys);
    struct json_object *states = json_member(report, "states", json_type_array);
    EXPECT_INT(json_object_array_length(states), 2);
    for (size_t i = 0; i < 2; i++) {
        struct json_object *nodes =
            json_member(json_object_array_get_idx(states, i), "nodes", json_type_object);
        struct json_object *here = json_member(nodes, "here", json_type_object);
        EXPECT(here && json_double(here, "cpu_cores", -1) == -1);
        EXPECT(json_double(here, "mem_total_bytes", -1) == 4096);
    }
}

static void the_oldest_make_room(void)
{
    struct tracksys_look look = look_at(0, NULL, 0, 1);
    CLEANUP(tracksys_free) struct tracksys *tracksys = tracksys_new(&look);
    for (uint64_t i = 1; i <= TRACKSYS_STATES_MAX + 5; i++) {
        look = look_at(i, NULL, 0, 1);
        tracksys_add(tracksys, &look);
    }
    CLEANUP(json_put) struct json_object *report = tracksys_report(tracksys);
    struct json_object *states = json_member(report, "states", json_type_array);
    EXPECT_INT(json_object_array_length(states), TRACKSYS_STATES_MAX);
    EXPECT_INT(json_int(report, "dropped", 0), 5);
    EXPECT_INT(json_int(json_object_array_get_idx(states, 0), "ts", 0), 1700000006);
}

static void without_tracking_there_is_nothing(void)
{
    CLEANUP(json_put) struct json_object *report = tracksys_report(NULL);
    EXPECT_STR(json_text(report), "{\"active\":false,\"states\":[],\"dropped\":0}");
}

TEST_MAIN(tells_rates_between_two_looks, a_counter_that_ran_backwards_tells_nothing,
          the_oldest_make_room, without_tracking_there_is_nothing)
