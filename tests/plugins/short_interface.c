/* Its processor table ends before the handler. */
#include "raw.h"

RAW_INFO("test.short_interface", "{}", 0, FXC_PROCESSOR);

static const fxc_single processor = {8, 0, raw_echo};

static const void* find(fxc_instance* self, const char* id) {
    return strcmp(id, FXC_PROCESSOR) == 0 ? &processor : raw_find(self, id);
}
static const fxc_library library = RAW_LIBRARY(find);
RAW_ENTRY(&library);
