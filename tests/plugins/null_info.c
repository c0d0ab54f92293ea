/* Says that it holds one plugin and then tells nothing about it. */
#include "raw.h"

static const fxc_plugin_info* raw_info(uint32_t index) {
    (void)index;
    return NULL;
}
static const fxc_library library = RAW_LIBRARY(raw_find);
RAW_ENTRY(&library);
