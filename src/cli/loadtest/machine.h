/* What the figures of a load test belong to. */
#pragma once

/* {"time", "host_kernel", "cpu", "cores", "memory_mb", "load_before"}; owned by the caller. */
struct json_object *machine_json(void);
