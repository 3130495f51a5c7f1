/* The settings of `jsorc serve`: one table (settings_table.c) from which parsing, checks, help and
 * documentation come. Later sources win: defaults, jsorc.yaml, command line. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct err;
struct json_object;

#define LISTEN_MAX 7 /* addresses beside the Unix socket */

enum open_actions { OPEN_AUTO, OPEN_YES, OPEN_NO };

struct settings {
    struct json_object *listen;  /* array of "HOST:PORT" */
    struct json_object *sources; /* array of texts: what the command line names to be loaded */
    struct json_object *modules; /* object: name -> {source, place, ctx, timeout_s, ...} */
    char *config_path;           /* of the file that was read; NULL = none */
    char *state;
    char *state_url; /* NULL = the database is a file in the state folder */
    double lease_s;
    char *lease; /* "postgresql", "kubernetes" */
    char *lease_name;
    char *python;
    char *tls_cert;
    char *tls_key;
    char *public_url;   /* NULL = that of the first address */
    char *open_actions; /* "auto", "yes", "no" */
    char *log_level;
    bool allow_plain;
    bool measure;
    char *otlp_url; /* NULL = no traces */
    double trace_ratio;
    char *access_log; /* a path, "-" or "off" */
    int64_t io_threads;
    int64_t call_threads;
    int64_t memory_max_mb;
    char *policy;
    char *provider;   /* "process", "kubernetes" */
    char *kubeconfig; /* NULL = as KUBE_CONFIG says */
    char *kube_context;
    char *kube_namespace;
    char *pod_access; /* "auto", "direct", "forward" */
    int64_t policy_memory_mb;
    double policy_phase_s;
    int64_t body_bytes_max;
    int64_t connections_max;
    double timeout_s;
    double start_timeout_s;
    double drain_timeout_s;
    double stop_grace_s;
    double probe_interval_s;
    double probe_timeout_s;
    double wait_timeout_s;
    double tracksys_interval_s;
    struct json_object *services;   /* object: name -> config */
    struct json_object *keep_alive; /* array of names */
    double service_interval_s;
    double service_timeout_s;
    double service_start_timeout_s;
};

enum setting_type {
    SETTING_TEXT,
    SETTING_LIST,
    SETTING_OBJECT,
    SETTING_FLAG,
    SETTING_INT,
    SETTING_NUMBER
};

struct setting {
    const char *name; /* NULL ends the table */
    enum setting_type type;
    size_t offset;        /* in struct settings */
    const char *fallback; /* JSON text */
    double min;           /* of a number */
    double max;
    bool on_command_line; /* --name VALUE, with '-' for '_' */
    const char *help;     /* one sentence with unit and meaning */
};

extern const struct setting SETTINGS_TABLE[];

void settings_done(struct settings *settings);

/* Defaults, then the file of -c/--config (or jsorc.yaml in the one folder given, or in the current
 * one), then argv. 0 or -EINVAL with what is wrong, where and how to fix it. */
int settings_read(struct settings *settings, int argc, char **argv, struct err *err);

/* What settings_read checks beyond the table's types and ranges: the values of choices and of what
 * belongs together; the modules of a file. 0 or -EINVAL with what is wrong. */
int settings_check(const struct settings *settings, struct err *err);
int settings_check_modules(const struct settings *settings, struct err *err);

/* Prints the table for `jsorc serve --help`-like places: name, default, help. */
void settings_print(void);
