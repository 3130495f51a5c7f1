#include "cli/args.h"

#include <errno.h>

#include "base/err.h"
#include "base/json.h"
#include "base/test.h"

static const struct param LOAD[] = {
    {.name = "name", .kind = PARAM_ARGUMENT, .required = true, .help = "which module"},
    {.name = "mode", .required = true, .help = "where to"},
    {.name = "retire_svc", .type = OP_BOOL, .fallback = "true", .help = "end the pod"},
    {.name = "limit", .letter = 'n', .type = OP_INT, .help = "how many"},
    {.name = "skip", .type = OP_INT, .repeated = true, .help = "which not"},
    {.name = "url", .help = "an option that is common, too"},
    {.name = "follow", .letter = 'f', .kind = PARAM_FLAG, .type = OP_BOOL, .help = "go on"},
    {.name = NULL},
};

static const struct param REST[] = {
    {.name = "words", .kind = PARAM_REST, .help = "all of them"},
    {.name = NULL},
};

static const struct param COMMON[] = {
    {.name = "output", .letter = 'o', .help = "how"},
    {.name = "url", .help = "which daemon"},
    {.name = "local", .kind = PARAM_FLAG, .type = OP_BOOL, .help = "here"},
    {.name = NULL},
};

#define MAX_WORDS 16

/* "OWN COMMON" as JSON, or "error: TEXT". words: split at single blanks; "_" is a blank in a
 * word. */
static const char *parsed_with(const struct args_rows *rows, const char *line)
{
    static char result[1024];
    char copy[256];
    char *words[MAX_WORDS];
    int count = 0;
    (void)snprintf(copy, sizeof(copy), "%s", line);
    char *rest = copy;
    for (char *word = NULL; *line && count < MAX_WORDS && (word = strsep(&rest, " "));) {
        words[count++] = word;
    }
    struct args args = {0};
    struct err err = {0};
    if (args_parse(rows, count, words, &args, &err) < 0) {
        (void)snprintf(result, sizeof(result), "error: %.900s", err.text);
        return result;
    }
    (void)snprintf(result, sizeof(result), "%.400s %.400s", json_text(args.own),
                   json_text(args.common));
    args_done(&args);
    return result;
}

static const char *parsed(const char *line)
{
    struct args_rows rows = {.own = LOAD, .common = COMMON, .fill_required = true};
    return parsed_with(&rows, line);
}

static void accepts_one_dash_and_two_and_an_equals_sign(void)
{
    static const char *const lines[] = {
        "text -mode module",  "text --mode module", "text -mode=module",
        "text --mode=module", "-mode module text",  "--mode module -- text",
    };
    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
        const char *result = parsed(lines[i]);
        EXPECT(strstr(result, "\"name\":\"text\"") != NULL);
        EXPECT(strstr(result, "\"mode\":\"module\"") != NULL);
    }
}

static void takes_dash_and_underscore_in_a_name_as_equal(void)
{
    EXPECT_STR(parsed("-retire_svc False"), "{\"retire_svc\":false} {}");
    EXPECT_STR(parsed("--retire-svc=no"), "{\"retire_svc\":false} {}");
}

static void lets_a_boolean_stand_alone(void)
{
    EXPECT_STR(parsed("-retire_svc text"), "{\"retire_svc\":true,\"name\":\"text\"} {}");
    EXPECT_STR(parsed("-retire_svc None"), "{\"retire_svc\":null} {}");
    EXPECT_STR(parsed("-f text"), "{\"follow\":true,\"name\":\"text\"} {}");
    EXPECT_STR(parsed("--follow true"), "{\"follow\":true,\"name\":\"true\"} {}");
    EXPECT_STR(parsed("--follow=false"), "{\"follow\":false} {}");
}

static void takes_the_next_word_as_a_value_whatever_it_is(void)
{
    EXPECT_STR(parsed("-limit -5"), "{\"limit\":-5} {}");
    EXPECT_STR(parsed("-mode -x"), "{\"mode\":\"-x\"} {}");
    EXPECT_STR(parsed("-mode --mode"), "{\"mode\":\"--mode\"} {}");
}

static void reads_letters_with_their_value_next_or_attached(void)
{
    EXPECT_STR(parsed("-n 5"), "{\"limit\":5} {}");
    EXPECT_STR(parsed("-n5"), "{\"limit\":5} {}");
    EXPECT_STR(parsed("-o json"), "{} {\"output\":\"json\"}");
    EXPECT_STR(parsed("-ojson"), "{} {\"output\":\"json\"}");
}

static void prefers_a_command_s_own_option(void)
{
    EXPECT_STR(parsed("--url a --local"), "{\"url\":\"a\"} {\"local\":true}");
}

static void takes_a_negative_number_and_a_dash_as_words(void)
{
    EXPECT_STR(parsed("-5"), "{\"name\":\"-5\"} {}");
    EXPECT_STR(parsed("-"), "{\"name\":\"-\"} {}");
}

static void takes_a_positional_by_name_as_well(void)
{
    EXPECT_STR(parsed("-name text module"), "{\"name\":\"text\",\"mode\":\"module\"} {}");
}

static void fills_required_options_with_spare_words_where_asked(void)
{
    EXPECT_STR(parsed("text module"), "{\"name\":\"text\",\"mode\":\"module\"} {}");
    EXPECT_STR(parsed("text module more"), "error: unexpected argument 'more'");
    struct args_rows strict = {.own = LOAD, .common = COMMON};
    EXPECT_STR(parsed_with(&strict, "text module"), "error: unexpected argument 'module'");
}

static void keeps_the_last_of_repeated_options(void)
{
    EXPECT_STR(parsed("-mode a -mode b"), "{\"mode\":\"b\"} {}");
}

static void gathers_an_option_that_may_be_repeated(void)
{
    EXPECT_STR(parsed("--skip 1 text --skip=2"), "{\"skip\":[1,2],\"name\":\"text\"} {}");
    EXPECT_STR(parsed("--skip 3"), "{\"skip\":[3]} {}");
}

static void gathers_the_rest(void)
{
    struct args_rows rows = {.own = REST, .common = COMMON};
    EXPECT_STR(parsed_with(&rows, "a -o json b -- -c"),
               "{\"words\":[\"a\",\"b\",\"-c\"]} {\"output\":\"json\"}");
    EXPECT_STR(parsed_with(&rows, ""), "{} {}");
}

static void stops_where_a_command_begins(void)
{
    struct args_rows rows = {.common = COMMON, .stop_at_word = true};
    char *words[] = {"--local", "-o", "json", "call", "--local"};
    struct args args = {0};
    EXPECT_INT(args_parse(&rows, 5, words, &args, NULL), 0);
    EXPECT_INT(args.used, 3);
    args_done(&args);
}

static void names_what_is_wrong(void)
{
    EXPECT_STR(parsed("--mde x"), "error: unknown option '--mde'; did you mean '--mode'?");
    EXPECT_STR(parsed("--mde=x"), "error: unknown option '--mde=x'; did you mean '--mode'?");
    EXPECT_STR(parsed("--retire-scv"),
               "error: unknown option '--retire-scv'; did you mean '--retire_svc'?");
    EXPECT_STR(parsed("--svc"), "error: unknown option '--svc'; did you mean '--retire_svc'?");
    EXPECT_STR(parsed("--zzzzzz"), "error: unknown option '--zzzzzz'");
    EXPECT_STR(parsed("-mode"), "error: option '-mode' needs a value: -mode MODE");
    EXPECT_STR(parsed("-limit x"), "error: --limit: 'x' is no whole number");
    EXPECT_STR(parsed("--retire_svc=x"), "error: --retire_svc: 'x' is neither true nor false");
}

static void checks_that_nothing_required_is_missing(void)
{
    struct err err = {0};
    CLEANUP(json_put) struct json_object *values = json_object_new_object();
    EXPECT_INT(args_check_required(LOAD, values, &err), -EINVAL);
    EXPECT_STR(err.text, "argument NAME is missing: which module");
    json_set_str(values, "name", "text");
    EXPECT_INT(args_check_required(LOAD, values, &err), -EINVAL);
    EXPECT_STR(err.text, "option --mode MODE is missing: where to");
    json_set_str(values, "mode", NULL); /* null was given: the daemon's to judge */
    EXPECT_INT(args_check_required(LOAD, values, &err), 0);
}

TEST_MAIN(accepts_one_dash_and_two_and_an_equals_sign, takes_dash_and_underscore_in_a_name_as_equal,
          lets_a_boolean_stand_alone, takes_the_next_word_as_a_value_whatever_it_is,
          reads_letters_with_their_value_next_or_attached, prefers_a_command_s_own_option,
          takes_a_negative_number_and_a_dash_as_words, takes_a_positional_by_name_as_well,
          fills_required_options_with_spare_words_where_asked, keeps_the_last_of_repeated_options,
          gathers_an_option_that_may_be_repeated, gathers_the_rest, stops_where_a_command_begins,
          names_what_is_wrong, checks_that_nothing_required_is_missing)
