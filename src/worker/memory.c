#include <math.h>
#include <unistd.h>

#include "base/system.h"
#include "worker/worker.h"

static int64_t kb(double bytes)
{
    return isnan(bytes) ? -1 : (int64_t)(bytes / 1024);
}

struct worker_memory worker_memory_read(void)
{
    return (struct worker_memory){
        .pss_kb = kb(system_process_mem_bytes("", getpid())),
        .pss_peak_kb = kb(system_process_peak_bytes("", getpid())),
    };
}
