/* Refuses in open(). */
#include "raw.h"

RAW_INFO("test.open_fails", "{}", 0, FXC_PROCESSOR);

static fxc_status open_fails(const fxc_host* host) {
    (void)host;
    return FXC_UNAVAILABLE;
}
static const fxc_library library = {sizeof(fxc_library), 1,          raw_info,    open_fails,
                                    raw_close,           raw_create, raw_destroy, raw_find};
RAW_ENTRY(&library);
