/* Needs a minor version the host does not have. */
#include "raw.h"

RAW_INFO("test.future_minor", "{}", 0, FXC_PROCESSOR);
static const fxc_library library = RAW_LIBRARY(raw_find);

fxc_status flexcore_plugin_negotiate(const fxc_offer* offer, fxc_answer* answer) {
    answer->major = FXC_ABI_MAJOR;
    answer->minor_needed = offer->minor + 1;
    answer->library = &library;
    return FXC_OK;
}
