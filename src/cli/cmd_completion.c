/* The scripts are short: what may stand on a line is told by `jsorc __complete`, so that it is
 * always what the installed program knows, with the names that its daemon has. */
#include <string.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/json.h"
#include "cli/cli.h"
#include "cli/commands.h"
#include "cli/complete.h"

static const char BASH[] =
    "# bash completion for jsorc; made by 'jsorc completion bash'\n"
    "_jsorc() {\n"
    "    local line add IFS=$'\\n' word=${COMP_WORDS[COMP_CWORD]} candidates=()\n"
    "    local words=(\"${COMP_WORDS[@]:1:COMP_CWORD}\")\n"
    "    COMPREPLY=()\n"
    "    while IFS= read -r line; do\n"
    "        case $line in\n"
    "        :*) add=${line#:} ;;\n"
    "        *) candidates+=(\"${line%%$'\\t'*}\") ;;\n"
    "        esac\n"
    "    done < <(\"${COMP_WORDS[0]}\" __complete \"${words[@]}\" 2>/dev/null)\n"
    "    for line in \"${candidates[@]}\"; do\n"
    "        COMPREPLY+=(\"$(printf '%q' \"$line\")\")\n"
    "    done\n"
    "    case $add in\n"
    "    file)\n"
    "        compopt -o filenames 2>/dev/null\n"
    "        COMPREPLY+=($(compgen -f -- \"$word\"))\n"
    "        ;;\n"
    "    folder)\n"
    "        compopt -o filenames 2>/dev/null\n"
    "        COMPREPLY+=($(compgen -d -- \"$word\"))\n"
    "        ;;\n"
    "    esac\n"
    "}\n"
    "complete -F _jsorc jsorc\n";

static const char ZSH[] =
    "#compdef jsorc\n"
    "# zsh completion for jsorc; made by 'jsorc completion zsh'\n"
    "_jsorc() {\n"
    "    local line add name\n"
    "    local -a candidates\n"
    "    while IFS= read -r line; do\n"
    "        case $line in\n"
    "        :*) add=${line#:} ;;\n"
    "        *)\n"
    "            name=${line%%$'\\t'*}\n"
    "            candidates+=(\"${name//:/\\\\:}:${line#*$'\\t'}\")\n"
    "            ;;\n"
    "        esac\n"
    "    done < <(\"${words[1]}\" __complete \"${(@)words[2,CURRENT]}\" 2>/dev/null)\n"
    "    (( ${#candidates} )) && _describe jsorc candidates\n"
    "    case $add in\n"
    "    file) _files ;;\n"
    "    folder) _files -/ ;;\n"
    "    esac\n"
    "}\n"
    "if [[ $funcstack[1] == _jsorc ]]; then\n"
    "    _jsorc \"$@\"\n"
    "else\n"
    "    compdef _jsorc jsorc\n"
    "fi\n";

static const char FISH[] = "# fish completion for jsorc; made by 'jsorc completion fish'\n"
                           "function __jsorc_complete\n"
                           "    set -l words (commandline -opc) (commandline -ct)\n"
                           "    set -l add ''\n"
                           "    for line in ($words[1] __complete $words[2..-1] 2>/dev/null)\n"
                           "        if string match -q -- ':*' $line\n"
                           "            set add $line\n"
                           "        else\n"
                           "            echo $line\n"
                           "        end\n"
                           "    end\n"
                           "    switch $add\n"
                           "        case :file\n"
                           "            __fish_complete_path (commandline -ct)\n"
                           "        case :folder\n"
                           "            __fish_complete_directories (commandline -ct)\n"
                           "    end\n"
                           "end\n"
                           "complete -c jsorc -f -a '(__jsorc_complete)'\n";

static int run_completion(struct cli *cli, struct json_object *values)
{
    static const struct {
        const char *name;
        const char *script;
    } shells[] = {{"bash", BASH}, {"zsh", ZSH}, {"fish", FISH}};
    const char *wanted = json_str(values, "shell");
    for (size_t i = 0; i < sizeof(shells) / sizeof(shells[0]); i++) {
        if (wanted && strcmp(wanted, shells[i].name) == 0) {
            struct err err = {0};
            const char *script = shells[i].script;
            return output_bytes(&cli->output, script, strlen(script), &err) < 0
                       ? cli_fail(cli, CLI_FAILED, &err)
                       : CLI_OK;
        }
    }
    return cli_usage(cli, "no completion for '%s'; there is one for bash, zsh and fish",
                     wanted ? wanted : "None");
}

static const struct param SHELL_PARAMS[] = {
    {.name = "shell",
     .kind = PARAM_ARGUMENT,
     .required = true,
     .choices = "bash zsh fish",
     .help = "which shell"},
    {.name = NULL},
};

static const struct example EXAMPLES[] = {
    {"source <(jsorc completion bash)", "For this shell; in ~/.bashrc for all."},
    {"jsorc completion zsh > ~/.zfunc/_jsorc", "With ~/.zfunc in fpath before compinit."},
    {"jsorc completion fish > ~/.config/fish/completions/jsorc.fish", "For fish."},
    {NULL, NULL},
};

const struct command COMMAND_COMPLETION = {
    .words = "completion",
    .summary = "Print a script that makes a shell complete jsorc's commands",
    .detail = "The script completes commands, options and values, and asks the daemon for the "
              "names of actions and modules.",
    .params = SHELL_PARAMS,
    .examples = EXAMPLES,
    .offline = true,
    .run = run_completion,
};

static int run_complete(struct cli *cli, int argc, char **argv)
{
    char *empty[] = {""};
    struct buf out = {0};
    bool none = argc < 2;
    complete_line(cli, none ? 1 : argc - 1, none ? empty : argv + 1, &out);
    (void)fwrite(out.data, 1, buf_size(&out), stdout);
    buf_done(&out);
    return CLI_OK;
}

const struct command COMMAND_COMPLETE = {
    .words = "__complete",
    .synopsis = "[WORD]...",
    .summary = "Tell what may stand next on a command line",
    .hidden = true,
    .run_words = run_complete,
};
