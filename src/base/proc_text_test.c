#include "base/proc_text.h"

#include <math.h>

#include "base/test.h"

static void reads_a_process(void)
{
    EXPECT(
        proc_text_process_ticks("1933 (cat) R 1930 1930 25035 0 -1 4194304 99 0 0 0 12 34 5 6 20 0 "
                                "1 0 1443065 3133440 360\n") == 46);
    EXPECT(proc_text_process_ticks(
               "7 (a) b) R 99 (c)) S 1 1 1 0 -1 0 9 0 0 0 1000000000000 1 0 0") == 1000000000001);
    EXPECT(isnan(proc_text_process_ticks("1933 (cat) R 1930 1930")));
    EXPECT(isnan(proc_text_process_ticks("")));
}

static void reads_the_processors(void)
{
    static const char text[] = "cpu  1345781 5187 511930 928802 5842 7 68550 1767 3 4\n"
                               "cpu0 666650 2482 255329 473208 1880 0 32925 874 0 0\n";
    EXPECT(proc_text_busy_ticks(text) == 1345781 + 5187 + 511930 + 5842 + 7 + 68550 + 1767);
    EXPECT(proc_text_busy_ticks("intr 1\ncpu  1 2 3 4 5\n") == 1 + 2 + 3 + 5); /* Linux 2.5 */
    EXPECT(isnan(proc_text_busy_ticks("cpu  1 2 3\n")));
    EXPECT(isnan(proc_text_busy_ticks("cpu0 1 2 3 4 5\n")));
}

static void reads_memory(void)
{
    static const char meminfo[] = "MemTotal:       24684084 kB\nMemFree:        24301652 kB\n"
                                  "SwapCached:            0 kB\nActive:            48576 kB\n"
                                  "Active(anon):         12 kB\nHugePages_Total:       0\n";
    static const char rollup[] =
        "55f1c0a3d000-7ffd1a3f2000 ---p 00000000 00:00 0                          [rollup]\n"
        "Rss:                1756 kB\nPss:                 325 kB\nPss_Dirty:           104 kB\n";
    EXPECT(proc_text_bytes(meminfo, "MemTotal") == 24684084.0 * 1024);
    EXPECT(proc_text_bytes(meminfo, "Active") == 48576.0 * 1024);
    EXPECT(proc_text_bytes(rollup, "Pss") == 325.0 * 1024);
    EXPECT(isnan(proc_text_bytes(rollup, "Swap")));
    EXPECT(isnan(proc_text_bytes("Pss:\n", "Pss")));
    static const char psi[] = "some avg10=1.25 avg60=0.10 avg300=0.00 total=14561\n"
                              "full avg10=0.50 avg60=0.05 avg300=0.00 total=13982\n";
    EXPECT(proc_text_pressure(psi) == 1.25);
    EXPECT(isnan(proc_text_pressure("")));
}

static void adds_the_interfaces_up(void)
{
    static const char text[] =
        "Inter-|   Receive                                                |  Transmit\n"
        " face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs "
        "drop fifo colls carrier compressed\n"
        "    lo: 64190165399 295059353    0    0    0     0          0         0 64190165399 "
        "295059353    0    0    0     0       0          0\n"
        "  eth0: 1500 10    0    0    0     0          0         0 2500 "
        "20    0    0    0     0       0          0\n"
        "wlan0:7 1 0 0 0 0 0 0 9 1 0 0 0 0 0 0\n";
    struct proc_text_io io = proc_text_net(text);
    EXPECT(io.in_bytes == 1507 && io.out_bytes == 2509);
    EXPECT(proc_text_net("").in_bytes == 0);
}

static void adds_whole_disks_up(void)
{
    static const char text[] = "   7       0 loop0 9 0 9 0 9 0 9 0 0 0 0 0 0 0 0 0 0\n"
                               " 254       0 vda 100 1 2000 5 200 2 3000 7 0 11 13 0 0 0 0 0 0\n"
                               " 254       1 vda1 90 1 1900 5 190 2 2900 7 0 11 13\n"
                               "   8       0 sdaa 1 0 1 0 1 0 1 0 0 0 0\n"
                               " 259       0 nvme0n1 1 0 10 0 1 0 20 0 0 0 0\n"
                               " 259       1 nvme0n1p1 1 0 10 0 1 0 20 0 0 0 0\n"
                               " 179       0 mmcblk0 1 0 100 0 1 0 200 0 0 0 0\n"
                               " 179       1 mmcblk0p1 1 0 100 0 1 0 200 0 0 0 0\n"
                               " 252       0 zram0 1 0 9 0 1 0 9 0 0 0 0\n"
                               "   1       0 ram0 1 0 9 0 1 0 9 0 0 0 0\n";
    struct proc_text_io io = proc_text_disk(text);
    EXPECT(io.in_bytes == 512 * (2000 + 1 + 10 + 100));
    EXPECT(io.out_bytes == 512 * (3000 + 1 + 20 + 200));
}

static void reads_a_cgroup(void)
{
    static const char cpu[] = "usage_usec 35217123\nuser_usec 28000000\nsystem_usec 7217123\n";
    char path[16];
    EXPECT(proc_text_value(cpu, "usage_usec") == 35217123);
    EXPECT(isnan(proc_text_value(cpu, "usec")));
    EXPECT(isnan(proc_text_value(cpu, "nr_periods")));
    EXPECT(proc_text_number("734003200\n") == 734003200);
    EXPECT(isnan(proc_text_number("max\n")));
    EXPECT(isnan(proc_text_number("")));
    proc_text_cgroup("9:name=systemd:/a\n0::/b/c\n", path, sizeof(path));
    EXPECT_STR(path, "/b/c");
    proc_text_cgroup("0::/0123456789abcdef\n", path, sizeof(path));
    EXPECT_STR(path, "/0123456789abcd");
    proc_text_cgroup("9:name=systemd:/a\n", path, sizeof(path));
    EXPECT_STR(path, "");
}

TEST_MAIN(reads_a_process, reads_the_processors, reads_memory, adds_the_interfaces_up,
          adds_whole_disks_up, reads_a_cgroup)
