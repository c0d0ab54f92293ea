/* Ends its process while it is loaded, before anything was asked of it. */
#include "raw.h"

RAW_INFO("test.crash_in_constructor", "{}", 0, FXC_PROCESSOR);

__attribute__((constructor)) static void crash(void) { abort(); }

static const fxc_library library = RAW_LIBRARY(raw_find);
RAW_ENTRY(&library);
