/* What a well-behaved plugin in C needs, so that each file here shows only its one misdeed.
 *
 * A file defines `raw_info` (with RAW_INFO or by hand), the tables it wants to change, and ends
 * with RAW_ENTRY(&its_library). */
#ifndef FLEXCORE_TESTS_PLUGINS_RAW_H
#define FLEXCORE_TESTS_PLUGINS_RAW_H

#include <flexcore/plugin_abi.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RAW_MAYBE __attribute__((unused)) static

struct fxc_instance {
    int nothing;
};
static struct fxc_instance raw_instance;
static const fxc_host* raw_host;

RAW_MAYBE fxc_view raw_view(const char* text) {
    const fxc_view view = {text, strlen(text)};
    return view;
}
RAW_MAYBE int raw_is(fxc_view view, const char* text) {
    return view.size == strlen(text) && memcmp(view.data, text, view.size) == 0;
}

/* ---- texts the host takes over -------------------------------------------------------- */

RAW_MAYBE void raw_free(fxc_buffer* buffer) {
    free(buffer->owner);
    memset(buffer, 0, sizeof *buffer);
}
RAW_MAYBE fxc_buffer raw_copy(const void* data, size_t size) {
    fxc_buffer buffer = {NULL, 0, NULL, NULL};
    buffer.owner = malloc(size + 1);
    if (buffer.owner == NULL) return buffer;
    memcpy(buffer.owner, data, size);
    buffer.data = buffer.owner;
    buffer.size = size;
    buffer.release = raw_free;
    return buffer;
}
RAW_MAYBE void raw_succeed_text(fxc_call call, const char* text) {
    fxc_buffer result = raw_copy(text, strlen(text));
    raw_host->call_succeed(raw_host, call, &result);
}
RAW_MAYBE fxc_status raw_emit(fxc_call call, const char* type, const char* json) {
    fxc_message event;
    memset(&event, 0, sizeof event);
    event.struct_size = sizeof event;
    event.type = raw_view(type);
    event.content_type = raw_view("application/json");
    event.payload = raw_view(json);
    event.schema_version = 1;
    return raw_host->call_emit(raw_host, call, &event);
}

/* ---- a plugin that does nothing wrong ------------------------------------------------- */

RAW_MAYBE void raw_well(fxc_instance* self, fxc_call call) {
    (void)self;
    raw_host->call_succeed(raw_host, call, NULL);
}
RAW_MAYBE void raw_echo(fxc_instance* self, fxc_call call, const fxc_message* const* messages,
                        size_t count) {
    (void)self;
    fxc_buffer result = {NULL, 0, NULL, NULL};
    if (count == 1) result = raw_copy(messages[0]->payload.data, (size_t)messages[0]->payload.size);
    raw_host->call_succeed(raw_host, call, &result);
}
RAW_MAYBE fxc_status raw_open(const fxc_host* host) {
    raw_host = host;
    return FXC_OK;
}
RAW_MAYBE void raw_close(void) { raw_host = NULL; }
RAW_MAYBE fxc_status raw_create(uint32_t index, fxc_view config, fxc_instance** out,
                                fxc_buffer* error_out) {
    (void)index, (void)config, (void)error_out;
    *out = &raw_instance;
    return FXC_OK;
}
RAW_MAYBE void raw_destroy(fxc_instance* self) { (void)self; }

__attribute__((unused)) static const fxc_lifecycle raw_lifecycle = {
    sizeof(fxc_lifecycle), 0, raw_well, raw_well, raw_well, NULL, NULL};
__attribute__((unused)) static const fxc_single raw_processor = {sizeof(fxc_single), 0, raw_echo};

RAW_MAYBE const void* raw_find(fxc_instance* self, const char* id) {
    (void)self;
    if (strcmp(id, FXC_LIFECYCLE) == 0) return &raw_lifecycle;
    if (strcmp(id, FXC_PROCESSOR) == 0) return &raw_processor;
    return NULL;
}

/* A static info under the name raw_info(index). The interfaces are given as "a", "b", … */
#define RAW_INFO(plugin_id, plugin_catalogue, plugin_flags, ...)                    \
    static const char* const raw_interfaces[] = {FXC_LIFECYCLE, __VA_ARGS__, NULL}; \
    static const char* const raw_capabilities[] = {NULL};                           \
    static const fxc_plugin_info raw_the_info = {sizeof(fxc_plugin_info),           \
                                                 plugin_flags,                      \
                                                 plugin_id,                         \
                                                 "1.0.0",                           \
                                                 raw_interfaces,                    \
                                                 raw_capabilities,                  \
                                                 "{\"type\":\"object\"}",           \
                                                 plugin_catalogue,                  \
                                                 0,                                 \
                                                 0};                                \
    static const fxc_plugin_info* raw_info(uint32_t index) {                        \
        return index == 0 ? &raw_the_info : NULL;                                   \
    }                                                                               \
    struct raw_semicolon

#define RAW_LIBRARY(find) \
    {sizeof(fxc_library), 1, raw_info, raw_open, raw_close, raw_create, raw_destroy, find}

#define RAW_ENTRY(the_library)                                                         \
    fxc_status flexcore_plugin_negotiate(const fxc_offer* offer, fxc_answer* answer) { \
        if (offer->magic != FXC_ABI_MAGIC) return FXC_INVALID;                         \
        answer->major = FXC_ABI_MAJOR;                                                 \
        answer->minor_needed = 0;                                                      \
        answer->library = (the_library);                                               \
        return FXC_OK;                                                                 \
    }                                                                                  \
    struct raw_semicolon

#endif
