#include "api/origin.h"

bool origin_is_foreign(struct slice origin)
{
    static const struct slice schemes[] = {SLICE("http://"), SLICE("https://")};
    static const struct slice hosts[] = {SLICE("localhost"), SLICE("127.0.0.1"), SLICE("[::1]")};
    if (origin.size == 0) {
        return false;
    }
    for (size_t i = 0; i < sizeof(schemes) / sizeof(schemes[0]); i++) {
        struct slice host = slice_from(origin, schemes[i].size);
        if (!slice_starts(origin, schemes[i])) {
            continue;
        }
        for (size_t k = 0; k < sizeof(hosts) / sizeof(hosts[0]); k++) {
            bool same = host.size >= hosts[k].size &&
                        slice_eq_nocase((struct slice){host.data, hosts[k].size}, hosts[k]);
            if (same && (host.size == hosts[k].size || host.data[hosts[k].size] == ':')) {
                return false;
            }
        }
    }
    return true;
}
