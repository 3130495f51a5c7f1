#include "base/system.h"

#include <ftw.h>
#include <math.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/test.h"

static char root[] = "/tmp/jsorc-system-XXXXXX";

/* A file below root, with the folders on its way. */
static void put(const char *name, const char *text)
{
    char path[200];
    (void)snprintf(path, sizeof(path), "%s/%s", root, name);
    for (char *slash = strchr(path + sizeof(root), '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        (void)mkdir(path, 0700);
        *slash = '/';
    }
    FILE *file = fopen(path, "we");
    EXPECT(file && fputs(text, file) >= 0);
    EXPECT(file && fclose(file) == 0);
}

static int remove_one(const char *path, const struct stat *status, int type, struct FTW *where)
{
    (void)status;
    (void)type;
    (void)where;
    return remove(path);
}

static void make_root(void)
{
    EXPECT(mkdtemp(root) != NULL);
    put("proc/stat", "cpu  100 0 50 9999 0 0 0 0 0 0\n");
    put("proc/diskstats", " 254 0 vda 100 1 2 5 200 2 4 7 0 11 13\n");
    put("proc/net/dev", "  eth0: 15 1 0 0 0 0 0 0 25 1 0 0 0 0 0 0\n");
    put("proc/meminfo", "MemTotal: 4096 kB\nMemAvailable: 2048 kB\nActive: 1024 kB\n");
    put("proc/pressure/memory", "some avg10=7.50 avg60=0.00 avg300=0.00 total=1\n");
    put("proc/7/stat", "7 (worker) S 1 1 1 0 -1 0 9 0 0 0 200 100 0 0 20 0\n");
    put("proc/7/smaps_rollup", "Rss: 30 kB\nPss: 20 kB\n");
    put("proc/7/status", "VmHWM: 40 kB\nVmRSS: 31 kB\n");
    put("proc/8/status", "VmRSS: 31 kB\n"); /* a kernel without smaps_rollup */
    put("proc/self/cgroup", "1:cpu:/old\n0::/jsorc.service\n");
    put("sys/fs/cgroup/jsorc.service/cpu.stat", "usage_usec 2500000\nuser_usec 1\n");
    put("sys/fs/cgroup/jsorc.service/memory.current", "123456\n");
    put("sys/fs/cgroup/jsorc.service/memory.max", "max\n");
}

static void reads_host_processes_and_group(void)
{
    double tick_s = 1.0 / (double)sysconf(_SC_CLK_TCK);
    make_root();
    struct system_host host = system_read_host(root);
    EXPECT(host.cpu_s == 150 * tick_s);
    EXPECT(host.disk_read_bytes == 2 * 512 && host.disk_write_bytes == 4 * 512);
    EXPECT(host.net_recv_bytes == 15 && host.net_tran_bytes == 25);
    EXPECT(host.mem_total_bytes == 4096 * 1024 && host.mem_active_bytes == 1024 * 1024);
    EXPECT(system_process_cpu_s(root, 7) == 300 * tick_s);
    EXPECT(system_process_mem_bytes(root, 7) == 20 * 1024);
    EXPECT(system_process_mem_bytes(root, 8) == 31 * 1024);
    EXPECT(system_process_peak_bytes(root, 7) == 40 * 1024);
    struct system_group group = system_read_group(root);
    EXPECT(group.cpu_s == 2.5 && group.mem_bytes == 123456 && isnan(group.mem_max_bytes));
    struct system_memory memory = system_read_memory(root);
    EXPECT(memory.total_bytes == 4096 * 1024 && memory.available_bytes == 2048 * 1024);
    EXPECT(memory.pressure_percent == 7.5);
    put("sys/fs/cgroup/jsorc.service/memory.max", "123556\n"); /* a tighter limit */
    put("sys/fs/cgroup/jsorc.service/memory.pressure", "some avg10=0.25 avg60=0.00 total=1\n");
    memory = system_read_memory(root);
    EXPECT(memory.total_bytes == 123556 && memory.available_bytes == 100);
    EXPECT(memory.pressure_percent == 0.25);
    /* Pages of files that nobody used lately do not count as used. */
    put("sys/fs/cgroup/jsorc.service/memory.stat", "anon 23456\ninactive_file 50000\n");
    EXPECT(system_read_memory(root).available_bytes == 50100);
    /* A limit of a group around it holds as well. */
    put("proc/self/cgroup", "0::/jsorc.service/pods/one\n");
    put("sys/fs/cgroup/jsorc.service/pods/one/memory.max", "999999\n");
    put("sys/fs/cgroup/jsorc.service/pods/one/memory.current", "999\n");
    memory = system_read_memory(root);
    EXPECT(memory.total_bytes == 123556 && memory.available_bytes == 50100);
    EXPECT_INT(nftw(root, remove_one, 8, FTW_DEPTH | FTW_PHYS), 0);
}

static void what_cannot_be_read_is_not_known(void)
{
    struct system_host host = system_read_host("/nowhere");
    EXPECT(isnan(host.cpu_s) && isnan(host.mem_total_bytes) && isnan(host.mem_active_bytes));
    EXPECT(isnan(host.disk_read_bytes) && isnan(host.disk_write_bytes));
    EXPECT(isnan(host.net_recv_bytes) && isnan(host.net_tran_bytes));
    struct system_group group = system_read_group("/nowhere");
    EXPECT(isnan(group.cpu_s) && isnan(group.mem_bytes) && isnan(group.mem_max_bytes));
    EXPECT(isnan(system_process_cpu_s("/nowhere", 1)));
    EXPECT(isnan(system_process_mem_bytes("/nowhere", 1)));
    EXPECT(isnan(system_process_peak_bytes("/nowhere", 1)));
    char folder[100];
    EXPECT(!system_group_folder("/nowhere", folder, sizeof(folder)));
}

static void knows_this_process(void)
{
    double before_s = system_process_cpu_s("", (int)getpid());
    volatile unsigned work = 0;
    while (system_process_cpu_s("", (int)getpid()) <= before_s && work < 2000000000) {
        work += 1;
    }
    EXPECT(system_process_cpu_s("", (int)getpid()) > before_s);
    double mem_bytes = system_process_mem_bytes("", (int)getpid());
    EXPECT(mem_bytes > 50e3 && mem_bytes < 1e9); /* a sanitizer's own memory, too */
    struct system_host host = system_read_host("");
    EXPECT(host.cpu_s > 0 && host.mem_total_bytes > mem_bytes);
}

TEST_MAIN(reads_host_processes_and_group, what_cannot_be_read_is_not_known, knows_this_process)
