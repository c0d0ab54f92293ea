/* Chooses a major version that was not offered. */
#include "raw.h"

RAW_INFO("test.future_major", "{}", 0, FXC_PROCESSOR);
static const fxc_library library = RAW_LIBRARY(raw_find);

fxc_status flexcore_plugin_negotiate(const fxc_offer* offer, fxc_answer* answer) {
    answer->major = offer->major_max + 1;
    answer->minor_needed = 0;
    answer->library = &library;
    return FXC_OK;
}
