/* Its catalogue has a member that the ABI does not know: "agregates". */
#include "raw.h"

RAW_INFO("test.unknown_catalogue_member", "{\"agregates\": []}", 0, FXC_PROCESSOR);
static const fxc_library library = RAW_LIBRARY(raw_find);
RAW_ENTRY(&library);
