/* Its catalogue brings an aggregate, its interfaces have none. */
#include "raw.h"

RAW_INFO("test.lying_catalogue",
         "{\"aggregates\":[{\"category\":\"lying_catalogue\",\"reducer_version\":1,"
         "\"commands\":[{\"type\":\"lying_catalogue.do\"}],\"events\":[]}]}",
         0, FXC_PROCESSOR);
static const fxc_library library = RAW_LIBRARY(raw_find);
RAW_ENTRY(&library);
