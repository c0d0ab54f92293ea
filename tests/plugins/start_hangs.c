/* Never says that it has started. */
#include "raw.h"

RAW_INFO("test.start_hangs", "{}", 0, FXC_PROCESSOR);

static void hang(fxc_instance* self, fxc_call call) { (void)self, (void)call; }
static const fxc_lifecycle lifecycle = {
    sizeof(fxc_lifecycle), 0, hang, raw_well, raw_well, NULL, NULL};
static const void* find(fxc_instance* self, const char* id) {
    return strcmp(id, FXC_LIFECYCLE) == 0 ? &lifecycle : raw_find(self, id);
}
static const fxc_library library = RAW_LIBRARY(find);
RAW_ENTRY(&library);
