#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/json.h"
#include "cli/catalogue.h"
#include "cli/cli.h"
#include "cli/commands.h"
#include "cli/man.h"

#define WORDS_MAX 8

static int write_page(const char *folder, const char *name, struct buf *page, struct err *err)
{
    CLEANUP(str_free) char *path = xasprintf("%s/%s.1", folder, name);
    FILE *file = fopen(path, "we");
    if (!file) {
        return err_errno(err, errno, "cannot write '%s'", path);
    }
    size_t size = buf_size(page);
    bool whole = fwrite(page->data + page->start, 1, size, file) == size;
    if (fclose(file) != 0 || !whole) {
        return err_errno(err, errno, "cannot write '%s'", path);
    }
    (void)printf("%s.1\n", name);
    buf_consume(page, size);
    return 0;
}

static int write_all(const struct catalogue *catalogue, const char *folder, struct err *err)
{
    if (mkdir(folder, 0777) < 0 && errno != EEXIST) {
        return err_errno(err, errno, "cannot make the folder '%s'", folder);
    }
    struct buf page = {0};
    man_main(catalogue, &page);
    int failed = write_page(folder, "jsorc", &page, err);
    for (size_t i = 0; !failed && i < catalogue_count(catalogue); i++) {
        CLEANUP(str_free) char *name = man_name(catalogue_at(catalogue, i));
        man_command(catalogue_at(catalogue, i), &page);
        failed = write_page(folder, name, &page, err);
    }
    buf_done(&page);
    return failed;
}

static int run(struct cli *cli, struct json_object *values)
{
    struct err err = {0};
    const char *folder = json_str(values, "all");
    if (folder) {
        return write_all(cli->catalogue, folder, &err) < 0 ? cli_fail(cli, CLI_FAILED, &err)
                                                           : CLI_OK;
    }
    char *words[WORDS_MAX];
    int count = 0;
    struct json_object *list = json_member(values, "command", json_type_array);
    for (size_t i = 0; list && i < json_object_array_length(list) && count < WORDS_MAX; i++) {
        words[count++] = (char *)json_object_get_string(json_object_array_get_idx(list, i));
    }
    struct buf page = {0};
    int used = 0;
    const struct command *command = catalogue_match(cli->catalogue, count, words, &used);
    if (count == 0) {
        man_main(cli->catalogue, &page);
    } else if (command && used == count) {
        man_command(command, &page);
    } else {
        return cli_usage(cli, "no command '%s'", words[0]);
    }
    int failed = output_bytes(&cli->output, page.data, buf_size(&page), &err);
    buf_done(&page);
    return failed ? cli_fail(cli, CLI_FAILED, &err) : CLI_OK;
}

static const struct param PARAMS[] = {
    {.name = "command",
     .kind = PARAM_REST,
     .values = VALUES_COMMAND,
     .help = "the words of a command; without it, the page of jsorc itself"},
    {.name = "all",
     .placeholder = "DIR",
     .values = VALUES_FOLDER,
     .help = "write all pages into DIR, and print their names"},
    {.name = NULL},
};

static const struct example EXAMPLES[] = {
    {"jsorc man call | man -l -", "Read the page of 'jsorc call'."},
    {"jsorc man --all ~/.local/share/man/man1", "Make them readable with 'man jsorc-call'."},
    {NULL, NULL},
};

const struct command COMMAND_MAN = {
    .words = "man",
    .summary = "Print a man page, in roff",
    .params = PARAMS,
    .examples = EXAMPLES,
    .offline = true,
    .run = run,
};
