/* Does not have the one interface that is required. */
#include "raw.h"

RAW_INFO("test.no_lifecycle", "{}", 0, FXC_PROCESSOR);

static const void* find(fxc_instance* self, const char* id) {
    return strcmp(id, FXC_PROCESSOR) == 0 ? raw_find(self, id) : NULL;
}
static const fxc_library library = RAW_LIBRARY(find);
RAW_ENTRY(&library);
