/* Asks for a process of its own. */
#include "raw.h"

RAW_INFO("test.wants_isolation", "{}", FXC_ISOLATE, FXC_PROCESSOR);
static const fxc_library library = RAW_LIBRARY(raw_find);
RAW_ENTRY(&library);
