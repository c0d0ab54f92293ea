/* Ends its process: the processor calls abort() on "abort" and writes to an address
 * without memory on "segv". */
#include "raw.h"

RAW_INFO("test.crash_on_call", "{}", 0, FXC_PROCESSOR);

static void crash(fxc_instance* self, fxc_call call, const fxc_message* const* messages,
                  size_t count) {
    if (count == 1 && raw_is(messages[0]->payload, "abort")) abort();
    if (count == 1 && raw_is(messages[0]->payload, "segv")) {
        /* Volatile, so that the compiler does not see where it goes and refuse. */
        const volatile uintptr_t nowhere = 64;
        *(volatile int*)nowhere = 1;
    }
    raw_echo(self, call, messages, count);
}
static const fxc_single processor = {sizeof(fxc_single), 0, crash};

static const void* find(fxc_instance* self, const char* id) {
    return strcmp(id, FXC_PROCESSOR) == 0 ? &processor : raw_find(self, id);
}
static const fxc_library library = RAW_LIBRARY(find);
RAW_ENTRY(&library);
