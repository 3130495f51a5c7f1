/* The checks of `jsorc doctor`, each a question that users ask when something does not work. */
#pragma once

#include <stddef.h>

struct cli;

enum doctor_level { DOCTOR_OK, DOCTOR_WARN, DOCTOR_FAIL };

#define DOCTOR_TEXT_MAX 1024

struct finding {
    enum doctor_level level;
    char text[DOCTOR_TEXT_MAX]; /* what was found */
    char fix[DOCTOR_TEXT_MAX];  /* what to do; "" = nothing */
};

/* What the checks share; made and freed by the command. */
struct doctor {
    struct cli *cli;
    char *state;                     /* state folder; owned */
    const char *python_option;       /* --python, or NULL; borrowed */
    struct json_object *interpreter; /* what the interpreter told of itself; owned; NULL: nothing */
};

struct doctor_check {
    const char *name; /* one word; NULL ends the list */
    void (*run)(struct doctor *doctor, struct finding *finding);
};

/* In an order in which later ones may build on earlier ones. */
extern const struct doctor_check DOCTOR_CHECKS[];

/* Sets level, text and fix (fix may be NULL; a format like text, without arguments). */
void finding_set(struct finding *finding, enum doctor_level level, const char *fix,
                 const char *format, ...) __attribute__((format(printf, 4, 5)));

/* doctor_python.c */
void doctor_python(struct doctor *doctor, struct finding *finding);
void doctor_package(struct doctor *doctor, struct finding *finding);
void doctor_extension(struct doctor *doctor, struct finding *finding);
void doctor_orjson(struct doctor *doctor, struct finding *finding);

/* doctor_host.c */
void doctor_memory(struct doctor *doctor, struct finding *finding);
void doctor_cgroup(struct doctor *doctor, struct finding *finding);
void doctor_pressure(struct doctor *doctor, struct finding *finding);
void doctor_descriptors(struct doctor *doctor, struct finding *finding);
void doctor_clock(struct doctor *doctor, struct finding *finding);

/* doctor_daemon.c */
void doctor_program(struct doctor *doctor, struct finding *finding);
void doctor_state(struct doctor *doctor, struct finding *finding);
void doctor_disk(struct doctor *doctor, struct finding *finding);
void doctor_daemon(struct doctor *doctor, struct finding *finding);
void doctor_port(struct doctor *doctor, struct finding *finding);
