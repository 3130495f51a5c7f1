#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/child.h"
#include "base/environment.h"
#include "base/err.h"
#include "base/json.h"
#include "cli/commands.h"
#include "cli/doctor.h"

#define PYTHON_TIMEOUT_MS 20000 /* a cold start from a slow disk */
#define PYTHON_OUTPUT_MAX 65536 /* what is asked fits a line; imports may say more */
#define PYTHON_MAJOR      3
#define PYTHON_MINOR_MIN  11 /* of the limited API that the extension is built against */

static const char PROBE[] =
    "import json, sys\n"
    "def probe(name):\n"
    "    try:\n"
    "        module = __import__(name)\n"
    "        return {'ok': True, 'file': getattr(module, '__file__', None),\n"
    "                'version': str(getattr(module, '__version__', ''))}\n"
    "    except BaseException as error:\n"
    "        return {'ok': False, 'error': f'{type(error).__name__}: {error}'}\n"
    "print(json.dumps({'version': sys.version.split()[0], 'major': sys.version_info[0],\n"
    "                  'minor': sys.version_info[1], 'executable': sys.executable,\n"
    "                  'implementation': sys.implementation.name,\n"
    "                  'jsorc': probe('jsorc'), '_jsorc': probe('_jsorc'),\n"
    "                  'orjson': probe('orjson')}))\n";

/* The last line that was printed: modules may say things while they are imported. */
static struct slice last_line(struct slice text)
{
    while (text.data && text.size > 0 && strchr("\r\n", text.data[text.size - 1])) {
        text.size--;
    }
    const char *end = text.data ? memrchr(text.data, '\n', text.size) : NULL;
    return end ? slice_from(text, (size_t)(end - text.data) + 1) : text;
}

static int ask(const char *python, struct json_object **ret_answer, struct err *err)
{
    CLEANUP(str_free) char *package = daemon_python_path();
    char *path = NULL;
    char **environment = environment_prepend("PYTHONPATH", package, &path);
    char *args[] = {(char *)(uintptr_t)python, (char *)(uintptr_t) "-c", (char *)(uintptr_t)PROBE,
                    NULL};
    struct child_run run = {.args = args,
                            .environment = environment,
                            .timeout_ms = PYTHON_TIMEOUT_MS,
                            .output_bytes_max = PYTHON_OUTPUT_MAX};
    struct buf out = {0}, errors = {0};
    int status = child_capture(&run, &out, &errors, err);
    int failed = status < 0 ? status : 0;
    if (!failed) {
        struct slice line = last_line(buf_slice(&out));
        failed = json_parse_object(line, ret_answer, NULL);
        if (failed || status != 0 || line.size == 0) {
            struct slice said = last_line(buf_slice(status != 0 ? &errors : &out));
            failed = err_set(err, EIO, "'%s' ends with status %d: %.*s", python, status,
                             (int)(said.size > 300 ? 300 : said.size), said.size ? said.data : "");
        }
    }
    buf_done(&out);
    buf_done(&errors);
    free(environment);
    free(path);
    return failed;
}

void doctor_python(struct doctor *doctor, struct finding *finding)
{
    struct err err = {0};
    CLEANUP(str_free) char *python = daemon_python(doctor->python_option);
    if (ask(python, &doctor->interpreter, &err) < 0) {
        finding_set(finding, DOCTOR_FAIL,
                    "install python3 (3.11 or later), or name one with --python PATH; modules in "
                    "C need none",
                    "no interpreter for Python modules: %s", err.text);
        return;
    }
    struct json_object *told = doctor->interpreter;
    int64_t major = json_int(told, "major", 0);
    int64_t minor = json_int(told, "minor", 0);
    const char *name = json_str(told, "implementation");
    bool old = major < PYTHON_MAJOR || (major == PYTHON_MAJOR && minor < PYTHON_MINOR_MIN);
    bool other = name && strcmp(name, "cpython") != 0;
    const char *fix = "name CPython 3.11 or later with --python PATH, or activate an environment "
                      "made with it";
    finding_set(finding, old || other ? DOCTOR_FAIL : DOCTOR_OK, old || other ? fix : NULL,
                "%s %s at %s", name ? name : "Python", json_str(told, "version"),
                json_str(told, "executable"));
}

/* One of the imports that the interpreter tried. fix is for one that failed. */
static void report_import(struct doctor *doctor, struct finding *finding, const char *module,
                          enum doctor_level level_bad, const char *fix)
{
    struct json_object *told = json_member(doctor->interpreter, module, json_type_object);
    if (!told) {
        finding_set(finding, DOCTOR_WARN, "see the check of the interpreter", "not looked at");
        return;
    }
    const char *version = json_str(told, "version");
    if (json_flag(told, "ok", false)) {
        const char *file = json_str(told, "file");
        finding_set(finding, DOCTOR_OK, NULL, "%s%s%s at %s", module,
                    version && *version ? " " : "", version ? version : "",
                    file ? file : "(built in)");
        return;
    }
    finding_set(finding, level_bad, fix, "%s cannot be imported: %s", module,
                json_str(told, "error"));
}

void doctor_package(struct doctor *doctor, struct finding *finding)
{
    report_import(doctor, finding, "jsorc", DOCTOR_FAIL,
                  "the Python package lies beside the program when it was installed by 'make "
                  "install', or in python/ of the source tree; install it anew");
}

void doctor_extension(struct doctor *doctor, struct finding *finding)
{
    report_import(doctor, finding, "_jsorc", DOCTOR_FAIL,
                  "build it ('make'), and use an interpreter of this machine's kind");
}

void doctor_orjson(struct doctor *doctor, struct finding *finding)
{
    report_import(doctor, finding, "orjson", DOCTOR_WARN,
                  "install it into that environment (python -m pip install orjson); without it "
                  "the slower module json is used, and numpy's values are not encoded");
}
