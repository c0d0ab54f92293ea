/* Every call starts a thread that ends the call a tenth of a second later and then goes on using
 * it for ever; drain joins nothing. */
#include <pthread.h>
#include <time.h>

#include "raw.h"

RAW_INFO("test.thread_left", "{}", 0, FXC_PROCESSOR);

struct left {
    const fxc_host* host;
    fxc_call call;
};

static void* stay(void* raw) {
    const struct left mine = *(struct left*)raw;
    free(raw);
    struct timespec pause = {0, 100000000};
    for (;;) {
        nanosleep(&pause, NULL);
        pause.tv_nsec = 1000000;
        mine.host->call_succeed(mine.host, mine.call, NULL);
        mine.host->call_info(mine.host, mine.call);
        if (mine.host->service(mine.host, FXC_SERVICE_METRICS) != NULL) {
            const fxc_metrics* metrics = mine.host->service(mine.host, FXC_SERVICE_METRICS);
            metrics->record(mine.host, 1, 1.0, NULL, 0);
        }
    }
    return NULL;
}
static void leave_a_thread(fxc_instance* self, fxc_call call, const fxc_message* const* messages,
                           size_t count) {
    (void)self, (void)messages, (void)count;
    struct left* mine = malloc(sizeof *mine);
    if (mine == NULL) return;
    mine->host = raw_host;
    mine->call = call;
    pthread_t thread;
    if (pthread_create(&thread, NULL, stay, mine) == 0) pthread_detach(thread);
}
static const fxc_single single = {sizeof(fxc_single), 0, leave_a_thread};

static const void* find(fxc_instance* self, const char* id) {
    if (strcmp(id, FXC_PROCESSOR) == 0) return &single;
    return raw_find(self, id);
}
static const fxc_library library = RAW_LIBRARY(find);
RAW_ENTRY(&library);
