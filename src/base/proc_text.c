#include "base/proc_text.h"

#include <ctype.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SECTOR_BYTES 512 /* of diskstats, whatever the device's are */

/* What follows the next line's end; NULL = nothing. */
static const char *next_line(const char *at)
{
    at = strchr(at, '\n');
    return at && at[1] ? at + 1 : NULL;
}

/* What stands after name at the beginning of a line; NULL = no such line. */
static const char *after(const char *text, const char *name)
{
    size_t size = strlen(name);
    for (const char *at = *text ? text : NULL; at; at = next_line(at)) {
        if (strncmp(at, name, size) == 0) {
            return at + size;
        }
    }
    return NULL;
}

static double number(const char *at)
{
    char *end = NULL;
    double value = at ? strtod(at, &end) : 0;
    return at && end != at ? value : NAN;
}

double proc_text_process_ticks(const char *stat)
{
    const char *at = strrchr(stat, ')'); /* the name before it may hold anything */
    unsigned long long user = 0, kernel = 0;
    /* after the name: state, 10 numbers, then utime and stime, fields 14 and 15 of proc(5) */
    bool found = at && sscanf(at + 1, " %*c %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %llu %llu",
                              &user, &kernel) == 2;
    return found ? (double)user + (double)kernel : NAN;
}

double proc_text_busy_ticks(const char *stat)
{
    const char *at = after(stat, "cpu ");
    unsigned long long user, nice, kernel, iowait, irq = 0, softirq = 0, steal = 0;
    if (!at || sscanf(at, "%llu %llu %llu %*u %llu %llu %llu %llu", &user, &nice, &kernel, &iowait,
                      &irq, &softirq, &steal) < 4) {
        return NAN;
    }
    return (double)(user + nice + kernel + iowait + irq + softirq + steal); /* guest is in user */
}

double proc_text_bytes(const char *text, const char *name)
{
    char start[64];
    (void)snprintf(start, sizeof(start), "%s:", name);
    return number(after(text, start)) * 1024;
}

struct proc_text_io proc_text_net(const char *dev)
{
    struct proc_text_io io = {0};
    for (const char *at = dev; at; at = next_line(at)) {
        char name[64];
        unsigned long long in, out;
        /* NAME: 8 numbers of what was received, then of what was sent; two lines are titles */
        if (sscanf(at, " %63[^:\n]:%llu %*u %*u %*u %*u %*u %*u %*u %llu", name, &in, &out) == 3 &&
            strcmp(name, "lo") != 0) {
            io.in_bytes += (double)in;
            io.out_bytes += (double)out;
        }
    }
    return io;
}

static bool all_digits(const char *text)
{
    return *text && text[strspn(text, "0123456789")] == '\0';
}

static bool is_whole_disk(const char *name)
{
    static const char *const memory[] = {"ram", "zram", "loop", "fd"};
    static const char *const lettered[] = {"sd", "hd", "vd", "xvd"};
    for (size_t i = 0; i < sizeof(memory) / sizeof(memory[0]); i++) {
        size_t size = strlen(memory[i]);
        if (strncmp(name, memory[i], size) == 0 && all_digits(name + size)) {
            return false;
        }
    }
    for (size_t i = 0; i < sizeof(lettered) / sizeof(lettered[0]); i++) {
        size_t size = strlen(lettered[i]);
        if (strncmp(name, lettered[i], size) == 0 && isalpha((unsigned char)name[size])) {
            return !isdigit((unsigned char)name[strlen(name) - 1]); /* sda1: a partition */
        }
    }
    const char *part = strrchr(name, 'p'); /* nvme0n1p2, mmcblk0p1 */
    bool numbered = strncmp(name, "nvme", 4) == 0 || strncmp(name, "mmcblk", 6) == 0;
    return !(numbered && part && all_digits(part + 1));
}

struct proc_text_io proc_text_disk(const char *diskstats)
{
    struct proc_text_io io = {0};
    for (const char *at = diskstats; at; at = next_line(at)) {
        char name[64];
        unsigned long long in, out;
        /* major minor NAME, reads: done merged SECTORS ms, writes: done merged SECTORS */
        if (sscanf(at, " %*u %*u %63s %*u %*u %llu %*u %*u %*u %llu", name, &in, &out) == 3 &&
            is_whole_disk(name)) {
            io.in_bytes += (double)in * SECTOR_BYTES;
            io.out_bytes += (double)out * SECTOR_BYTES;
        }
    }
    return io;
}

double proc_text_pressure(const char *psi)
{
    return number(after(psi, "some avg10="));
}

double proc_text_value(const char *text, const char *name)
{
    char start[64];
    (void)snprintf(start, sizeof(start), "%s ", name);
    return number(after(text, start));
}

double proc_text_number(const char *text)
{
    return isdigit((unsigned char)text[0]) ? number(text) : NAN;
}

void proc_text_cgroup(const char *cgroup, char *ret, unsigned size)
{
    const char *at = after(cgroup, "0::");
    int length = at ? (int)strcspn(at, "\n") : 0;
    (void)snprintf(ret, size, "%.*s", length, at ? at : "");
}
