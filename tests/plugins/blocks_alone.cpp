// The same as `blocks`, one call at a time (not reentrant).
#define BLOCKS_ALONE 1
#include "blocks.cpp"
