/* Ends its process when it is asked what it is. */
#include "raw.h"

static const fxc_plugin_info* crash(uint32_t index) {
    (void)index;
    abort();
}
static const fxc_library library = {sizeof(fxc_library), 1,          crash,       raw_open,
                                    raw_close,           raw_create, raw_destroy, raw_find};
RAW_ENTRY(&library);
