/* Its catalogue is not JSON. */
#include "raw.h"

RAW_INFO("test.bad_catalogue", "{\"aggregates\": [", 0, FXC_PROCESSOR);
static const fxc_library library = RAW_LIBRARY(raw_find);
RAW_ENTRY(&library);
