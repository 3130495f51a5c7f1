#include "cli/why_text.h"

#include "base/buf.h"
#include "base/json.h"
#include "base/test.h"
#include "cli/trace_history.h"

static struct json_object *parsed(const char *text)
{
    struct json_object *value = NULL;
    EXPECT_INT(json_parse(slice_str(text), &value, NULL), 0);
    return value;
}

/* A run of two modules; the walkers' one is fixed. */
static struct trace trace_of(void)
{
    static const struct {
        const char *told, *answer;
    } rows[] = {
        {"{\"modules\": [{\"name\": \"ocr\", \"mem_bytes\": 209715200, \"place\": \"remote\"}, "
         "{\"name\": \"flow\", \"place\": \"module\", \"fixed\": true}], \"budget_mb\": 1000}",
         "{\"placement\": {\"ocr\": \"remote\", \"flow\": \"module\"}, \"done\": false}"},
        {"{\"mean_latency_s\": 0.02}",
         "{\"placement\": {\"ocr\": \"module\", \"flow\": \"module\"}, \"done\": false}"},
        {"{\"mean_latency_s\": 0.010}",
         "{\"placement\": {\"ocr\": \"module\", \"flow\": \"module\"}, \"done\": true}"},
        {"{\"mean_latency_s\": 0.012}",
         "{\"placement\": {\"ocr\": \"module\", \"flow\": \"module\"}, \"done\": true}"},
    };
    struct trace trace = {.head = parsed("{\"policy\": \"adaptive\"}"),
                          .lines = json_object_new_array()};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct json_object *line = json_object_new_object();
        json_set_str(line, "told", rows[i].told);
        json_set_str(line, "answer", rows[i].answer);
        (void)json_object_array_add(trace.lines, line);
    }
    return trace;
}

#define SETTLED "\"placement\": {\"ocr\": \"module\", \"flow\": \"module\"}, \"done\": true"
#define TRIAL   "\"placement\": {\"ocr\": \"module\", \"flow\": \"module\"}, \"done\": false"
#define CALLS                                                                                      \
    "\"modules\": {\"ocr\": {\"calls_per_run\": 2, \"remote_s\": 0.0045, \"hop_s\": 0.0012}}"

static const struct {
    const char *module, *answer, *since;
    bool ended;
    const char *wanted[6]; /* each is in the text */
} ROWS[] = {
    {"ocr",
     "{" SETTLED ", \"why\": \"best\", \"reason\": {\"best_s\": 0.011, \"best_deviation\": "
     "0.02, " CALLS "}}",
     "noon",
     false,
     {"ocr is in the runtime worker (place 'module'): policy adaptive has settled on that, "
      "since noon.\n",
      "expected the lowest mean latency of this one when it decided: 11 ms (± 2.0 %) a run.\n",
      "A run calls it 2 times; in the runtime worker it was never measured, in a pod it takes "
      "4.5 ms and 1.2 ms for the way.\n",
      "It takes 200.0 MB of memory; modules in the runtime worker may take 1000.0 MB "
      "together.\n",
      "11.000 ms in 2 phases, in the runtime worker: ocr; in pods: none  <- this one\n",
      "20.000 ms in 1 phase, in the runtime worker: none; in pods: ocr\n"}},
    {"ocr",
     "{" TRIAL ", \"why\": \"try\", \"reason\": {\"best_s\": 0.02, \"next_s\": 0.01, "
     "\"trials\": 1, \"trials_max\": 3}}",
     "",
     false,
     {"ocr is on trial in the runtime worker (place 'module'): policy adaptive measures that "
      "placement.\n",
      "It expects 10 ms a run of this placement, and 20 ms of the best so far: worth a phase "
      "(trial 2 of at most 3).\n"}},
    {"flow",
     "{" SETTLED ", \"why\": \"still best\"}",
     "",
     true,
     {"flow is in the runtime worker (place 'module') and is fixed there.\n",
      "Fixed: no policy moves it",
      "Policy adaptive does not run any more: 'jsorc status' tells what is now.\n",
      "Something had shifted;"}},
    {"ocr",
     "{" SETTLED ", \"why\": \"best\", \"reason\": {\"tried\": 4, \"best_latency_s\": 0.01}}",
     "",
     false,
     {"Of 4 placements that it tried this one had the lowest mean latency: 10 ms a run.\n"}},
    {"ocr", "{" SETTLED ", \"why\": \"whim\"}", "", false, {"Its word for the reason: whim.\n"}},
};

static void begins_with_a_sentence_and_tells_what_decided(void)
{
    struct trace trace = trace_of();
    struct trace_history history;
    EXPECT_INT(trace_history_read(&trace, &history, NULL), 0);
    EXPECT_INT(history.count, 3);
    for (size_t i = 0; i < sizeof(ROWS) / sizeof(ROWS[0]); i++) {
        CLEANUP(json_put) struct json_object *answer = parsed(ROWS[i].answer);
        struct buf out = {0};
        why_text(&(struct why){.module = ROWS[i].module,
                               .policy = "adaptive",
                               .answer = answer,
                               .since = ROWS[i].since,
                               .history = &history,
                               .ended = ROWS[i].ended},
                 &out);
        EXPECT_INT(buf_append(&out, "", 1), 0);
        const char *text = out.data + out.start;
        EXPECT(strncmp(text, ROWS[i].module, strlen(ROWS[i].module)) == 0);
        for (size_t j = 0; j < 6 && ROWS[i].wanted[j]; j++) {
            if (!strstr(text, ROWS[i].wanted[j])) {
                EXPECT_STR(text, ROWS[i].wanted[j]);
            }
        }
        buf_done(&out);
    }
    trace_history_done(&history);
    (void)json_put(trace.head);
    (void)json_put(trace.lines);
}

static void tells_what_it_can_without_the_problem(void)
{
    CLEANUP(json_put) struct json_object *answer = parsed("{" SETTLED ", \"why\": \"told\"}");
    struct buf out = {0};
    why_text(&(struct why){.module = "ocr", .policy = "default", .answer = answer, .since = ""},
             &out);
    EXPECT_INT(buf_append(&out, "", 1), 0);
    EXPECT_STR(out.data + out.start,
               "ocr is in the runtime worker (place 'module'): policy default has settled on "
               "that.\nIt leaves modules where they were put by hand.\n");
    buf_done(&out);
}

TEST_MAIN(begins_with_a_sentence_and_tells_what_decided, tells_what_it_can_without_the_problem)
