/* flexcore/plugin_abi.h - the binary contract between FlexCore and a plugin.
 *
 * C11, standard headers only. ABI 1.0, not yet frozen.
 *
 * Growth. Every table starts with struct_size, written by the side that fills it; in fxc_answer
 * the host writes it, as the room it gives. Released fields never move, change type or vanish;
 * new ones go at the end. Read a field of the other side's table only after FXC_HAS says it is
 * there. Ignore unknown flags, treat unknown status codes as FXC_INTERNAL. A change that breaks
 * these rules needs a new interface id (".../2").
 *
 * Memory. Nobody frees what the other side allocated. fxc_view is borrowed: valid until the
 * function it was passed to returns (until call completion for handler input). fxc_buffer is
 * moved: the holder calls release exactly once. Text is UTF-8; only `const char *` ends in NUL.
 *
 * Threads. [loader] alone in the library, one at a time. [serial] never two at once on one
 * instance, though on changing threads. [any] any thread, concurrently. Handlers are [serial]
 * unless the plugin sets FXC_REENTRANT. Nothing may block on work the host must still deliver.
 *
 * Errors. No exception, panic or longjmp crosses this boundary, in either direction.
 */
#ifndef FLEXCORE_PLUGIN_ABI_H
#define FLEXCORE_PLUGIN_ABI_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define FXC_ABI_MAGIC 0x46584331u /* "FXC1" */
#define FXC_ABI_MAJOR 1u
#define FXC_ABI_MINOR 0u
#define FXC_ENTRY_SYMBOL "flexcore_plugin_negotiate"
#define FXC_EXPORT __attribute__((visibility("default")))
#define FXC_HAS(type, ptr, field) \
    ((ptr)->struct_size >= offsetof(type, field) + sizeof((ptr)->field))

/* ---- values -------------------------------------------------------------------------- */

typedef int32_t fxc_status;
enum {
    FXC_OK = 0,
    FXC_INVALID = 1, /* the input is wrong; a retry cannot help */
    FXC_NOT_FOUND = 2,
    FXC_CONFLICT = 3,    /* expected version did not match */
    FXC_DENIED = 4,      /* capability not granted */
    FXC_UNSUPPORTED = 5, /* not in this version of the interface */
    FXC_BUSY = 6,        /* back off, then retry */
    FXC_TIMEOUT = 7,
    FXC_CANCELLED = 8,
    FXC_UNAVAILABLE = 9, /* a dependency is down; retry later */
    FXC_INTERNAL = 10,
    FXC_REJECTED = 11 /* the domain refuses; problem_json carries {"reason": "no_lines", …} */
};

typedef struct fxc_view {
    const void* data;
    uint64_t size;
} fxc_view;
typedef struct fxc_field {
    fxc_view key, value;
} fxc_field;

typedef struct fxc_buffer {
    const void* data;
    uint64_t size;
    void (*release)(struct fxc_buffer* self); /* [any] NULL when nothing is owned */
    void* owner;                              /* the producer's, opaque to the holder */
} fxc_buffer;

typedef struct fxc_message {
    uint32_t struct_size;
    uint32_t flags;
    fxc_view type;         /* "billing.invoice_paid" */
    fxc_view id;           /* UUID text */
    fxc_view stream;       /* "invoice-42", empty when none */
    fxc_view content_type; /* "application/json" */
    fxc_view metadata;     /* JSON object: correlation, causation, tenant */
    fxc_view payload;
    uint64_t version;  /* within the stream, 1 is first, 0 is none */
    uint64_t position; /* in the whole log, 0 is none */
    int64_t time_unix_us;
    uint32_t schema_version; /* 1 is first, 0 is none */
    uint32_t tag_count;
    const fxc_view* tags; /* "customer:17850" */
} fxc_message;

/* One invocation. A handle with a generation, not a pointer: completing it late, twice or from
 * another process is detected and logged instead of corrupting the host. 0 is never valid. */
typedef uint64_t fxc_call;

typedef struct fxc_call_info {
    uint32_t struct_size;
    uint32_t attempt;         /* 1 on the first try */
    uint64_t deadline_ns;     /* CLOCK_MONOTONIC of this machine, 0 is none */
    fxc_view idempotency_key; /* same for every attempt */
    fxc_view tenant;
    fxc_view principal;
    fxc_view traceparent; /* W3C trace context */
    fxc_view state;       /* aggregate snapshot, projection checkpoint or connector cursor */
    fxc_view target;      /* what is called: aggregate category, projection or query name */
} fxc_call_info;

/* ---- what the host gives ------------------------------------------------------------- */

typedef struct fxc_host {
    uint32_t struct_size, abi_minor;
    void* ctx; /* the host's */
    /* [any] Valid until this call is completed; NULL for a stale handle. */
    const fxc_call_info* (*call_info)(const struct fxc_host*, fxc_call);
    /* [any] Nonzero after a cancel or the deadline. The call must still be completed. */
    int32_t (*call_cancelled)(const struct fxc_host*, fxc_call);
    /* [any] Adds one output message; the host copies it. FXC_BUSY: wait, then emit again. */
    fxc_status (*call_emit)(const struct fxc_host*, fxc_call, const fxc_message*);
    /* [any] Exactly one of these two ends a call; either may run inside the handler itself.
     * `result` may be NULL; otherwise the host takes it over and clears *result. */
    void (*call_succeed)(const struct fxc_host*, fxc_call, fxc_buffer* result);
    void (*call_fail)(const struct fxc_host*, fxc_call, fxc_status, fxc_view message,
                      fxc_view problem_json);
    /* [any] A service table by id, NULL when unknown or not granted. Valid until close(). */
    const void* (*service)(const struct fxc_host*, const char* id);
} fxc_host;

#define FXC_SERVICE_LOG "flexcore.log/1" /* always granted */
enum { FXC_TRACE, FXC_DEBUG, FXC_INFO, FXC_WARN, FXC_ERROR };
typedef struct fxc_log {
    uint32_t struct_size;
    int32_t level_min; /* drop below this before formatting */
    void (*write)(const fxc_host*, int32_t level, fxc_view message, const fxc_field*, size_t n);
} fxc_log;

#define FXC_SERVICE_METRICS "flexcore.metrics/1" /* always granted */
enum { FXC_COUNTER, FXC_GAUGE, FXC_HISTOGRAM };
typedef struct fxc_metrics {
    uint32_t struct_size, reserved;
    /* Define while starting, keep the handle, record on any thread. 0 means refused. */
    uint64_t (*define)(const fxc_host*, int32_t kind, fxc_view name, fxc_view unit, fxc_view help);
    void (*record)(const fxc_host*, uint64_t metric, double value, const fxc_field*, size_t n);
} fxc_metrics;

#define FXC_SERVICE_BUS "flexcore.bus/1" /* capability "bus.send" */
typedef void (*fxc_reply_fn)(void* user, fxc_status, const fxc_message* reply);
typedef struct fxc_bus {
    uint32_t struct_size, reserved;
    /* `reply` runs once, on any thread, unless the return value is not FXC_OK. Cancelling or
     * timing out `parent` does the same to the request. */
    fxc_status (*send)(const fxc_host*, fxc_call parent, const fxc_message*, fxc_reply_fn reply,
                       void* user);
} fxc_bus;

#define FXC_SERVICE_VIEWS "flexcore.views/1" /* read models; granted for the declared ones */
typedef int32_t (*fxc_row_fn)(void* user, fxc_view key, fxc_view row_json); /* nonzero stops */
typedef struct fxc_views {
    uint32_t struct_size, reserved;
    /* [any] All are bound to a running call and end with it. In projection calls they read and
     * write the models that the projection writes, no others: apply sees its own earlier writes,
     * and the host commits the rows together with the checkpoint; a refusal fails the call. In
     * query calls they read one snapshot. Rows are JSON objects. `position` is that
     * of the event that causes the change: a row tells by it how current it is, whatever the
     * batching. get: FXC_NOT_FOUND when there is no such row. */
    fxc_status (*get)(const fxc_host*, fxc_call, fxc_view model, fxc_view key, fxc_buffer* row_out);
    fxc_status (*put)(const fxc_host*, fxc_call, fxc_view model, fxc_view key, fxc_view row_json,
                      uint64_t position);
    fxc_status (*remove)(const fxc_host*, fxc_call, fxc_view model, fxc_view key,
                         uint64_t position);
    /* {"where": {"field": {"eq"|"lt"|"le"|"gt"|"ge": value}}, "order": ["-units", "sku"],
     *  "limit": n, "after": cursor}; only fields declared as indexed. `next_out` may be NULL;
     * otherwise it receives the cursor of the next page, empty when there is none. */
    fxc_status (*scan)(const fxc_host*, fxc_call, fxc_view model, fxc_view query_json, fxc_row_fn,
                       void* user, fxc_buffer* next_out);
} fxc_views;

/* ---- what the plugin gives ------------------------------------------------------------ */

typedef struct fxc_instance fxc_instance; /* the plugin's own object */

/* Every handler has this shape. It returns soon; the call ends through fxc_host. Messages come
 * as pointers because fxc_message can grow: an array of values would change its stride. */
typedef void (*fxc_handler)(fxc_instance*, fxc_call, const fxc_message* const* messages,
                            size_t count);

#define FXC_LIFECYCLE "flexcore.lifecycle/1" /* required */
typedef struct fxc_lifecycle {
    uint32_t struct_size, reserved;
    void (*start)(fxc_instance*, fxc_call); /* [serial] may open sockets, start threads */
    /* [serial] Ends when nothing is in flight and every thread the plugin made is joined. */
    void (*drain)(fxc_instance*, fxc_call);
    void (*health)(fxc_instance*, fxc_call);        /* [any] fails with the reason when unwell */
    void (*cancel)(fxc_instance*, fxc_call victim); /* [any] optional hint, no completion */
    /* [serial] optional; FXC_UNSUPPORTED makes the host build a new instance instead. */
    void (*reconfigure)(fxc_instance*, fxc_call, fxc_view config_json);
} fxc_lifecycle;

#define FXC_PROCESSOR "flexcore.processor/1"         /* one in, result buffer out */
#define FXC_VALIDATOR "flexcore.validator/1"         /* succeeds, or fails FXC_INVALID */
#define FXC_TRANSFORMER "flexcore.transformer/1"     /* one in, any number emitted */
#define FXC_QUERY_HANDLER "flexcore.query-handler/1" /* query in, result buffer out */
typedef struct fxc_single {                          /* the table behind the four ids above */
    uint32_t struct_size, reserved;
    fxc_handler handle;
} fxc_single;

#define FXC_CONNECTOR "flexcore.connector/1"
typedef struct fxc_connector {
    uint32_t struct_size, batch_max;
    fxc_handler read;  /* emits a batch after call_info.state; result is the next cursor */
    fxc_handler write; /* at least once: deduplicate on message id */
} fxc_connector;

#define FXC_AGGREGATE "flexcore.aggregate/1" /* pure: no clock, no I/O, same in - same out */
typedef struct fxc_aggregate {
    uint32_t struct_size, reserved;
    fxc_handler decide; /* messages[0] is the command, state the snapshot; emits events */
    fxc_handler evolve; /* folds events into state; result is the new snapshot */
} fxc_aggregate;

/* The same with a state object of the plugin's own, so that a hot aggregate is not parsed and
 * printed for every command. Bytes remain the form of snapshots. Preferred when both are offered.
 * One state is never used by two calls at once; different states may be, if FXC_REENTRANT.
 * load, evolve and snapshot are plain functions: pure, without I/O, done when they return. */
#define FXC_AGGREGATE_NATIVE "flexcore.aggregate-native/1"
typedef struct fxc_state fxc_state; /* the plugin's own object */
typedef struct fxc_aggregate_native {
    uint32_t struct_size, reserved;
    /* An empty snapshot gives the state of an aggregate without events. */
    fxc_status (*load)(fxc_instance*, fxc_view category, fxc_view snapshot, fxc_state** out,
                       fxc_buffer* error_out);
    void (*release)(fxc_instance*, fxc_state*);
    /* Emits events, does not change the state; result is the command's result (JSON). */
    void (*decide)(fxc_instance*, fxc_call, const fxc_state*, const fxc_message* command);
    /* After a failure the host releases the state and does not use it again. */
    fxc_status (*evolve)(fxc_instance*, fxc_state*, const fxc_message* const* events, size_t count,
                         fxc_buffer* error_out);
    fxc_status (*snapshot)(fxc_instance*, const fxc_state*, fxc_buffer* out);
} fxc_aggregate_native;

#define FXC_PROJECTION "flexcore.projection/1"
typedef struct fxc_projection {
    uint32_t struct_size, batch_max;
    fxc_handler apply; /* a batch of events; rows are written through flexcore.views/1 */
} fxc_projection;

#define FXC_WORKFLOW_STEP "flexcore.workflow-step/1"
typedef struct fxc_workflow_step {
    uint32_t struct_size, reserved;
    fxc_handler execute;    /* must be idempotent on call_info.idempotency_key */
    fxc_handler compensate; /* undoes a completed execute; may be NULL */
} fxc_workflow_step;

enum {
    FXC_REENTRANT = 1u << 0,  /* handlers may run concurrently on one instance */
    FXC_UNLOADABLE = 1u << 1, /* safe to dlclose after close(); never set by Go plugins */
    FXC_ISOLATE = 1u << 2     /* asks for its own process whatever the host's default is */
};

typedef struct fxc_plugin_info { /* must agree with the signed manifest, or loading fails */
    uint32_t struct_size;
    uint32_t flags;
    const char* id;                  /* "com.example.geocoder" */
    const char* version;             /* semantic version */
    const char* const* interfaces;   /* NULL-terminated ids, e.g. FXC_PROCESSOR */
    const char* const* capabilities; /* NULL-terminated, e.g. "bus.send", "net.connect:*:443" */
    const char* config_schema;       /* JSON Schema draft 7, host validates before create() */
    /* What it brings, as JSON (every member optional, unknown members refused):
     * {"aggregates":  [{"category": "sales.order", "reducer_version": 1,
     *                   "commands": [{"type", "description"?, "schema"?}],
     *                   "events":   [{"type", "schema_version"?, "description"?, "schema"?}]}],
     *  "projections": [{"name", "version", "selector": selector or array of selectors,
     *                   "mode": "async" (default) | "inline", "writes": ["model", ...]}],
     *  "read_models": [{"name", "indexed": ["field", ...], "description"?}],
     *  "queries":     [{"name", "description"?, "schema"?, "reads": ["model", ...],
     *                   "varies_by": ["principal"]?, "cache": true (default) | false}]}
     * Schemas are JSON Schema draft 7: of a command's or event's data, of a query's parameters. */
    const char* catalogue;
    uint32_t in_flight_max; /* 0 is the host's default */
    uint32_t reserved;
} fxc_plugin_info;

typedef struct fxc_library {
    uint32_t struct_size;
    uint32_t plugin_count;
    const fxc_plugin_info* (*info)(uint32_t index); /* [any] static data; NULL past the end */
    fxc_status (*open)(const fxc_host* host);       /* [loader] host outlives close() */
    void (*close)(void);                            /* [loader] after every destroy() */
    /* [loader] Cheap: no I/O, no threads; those belong in start(). On failure, *error_out is
     * an owned UTF-8 text for the operator. */
    fxc_status (*create)(uint32_t index, fxc_view config_json, fxc_instance** out,
                         fxc_buffer* error_out);
    void (*destroy)(fxc_instance*);                               /* [loader] after drain */
    const void* (*find_interface)(fxc_instance*, const char* id); /* [any] NULL if absent */
} fxc_library;

/* ---- negotiation: the only symbol a plugin exports ------------------------------------- */

typedef struct fxc_offer {
    uint32_t struct_size;
    uint32_t magic; /* FXC_ABI_MAGIC */
    uint32_t major_min, major_max;
    uint32_t minor; /* of major_max */
    uint32_t reserved;
    const char* host_version; /* for messages only, never for decisions */
} fxc_offer;

typedef struct fxc_answer {
    uint32_t struct_size;
    uint32_t major;        /* chosen, within the offer */
    uint32_t minor_needed; /* the host refuses when it has less */
    uint32_t reserved;
    const fxc_library* library; /* static, valid until dlclose */
    const char* error;          /* static text when the status is not FXC_OK */
} fxc_answer;

/* [loader] No allocation, no threads, no side effects: also called to inspect a file. */
FXC_EXPORT fxc_status flexcore_plugin_negotiate(const fxc_offer* offer, fxc_answer* answer);

#ifdef __cplusplus
}
#endif
#endif
