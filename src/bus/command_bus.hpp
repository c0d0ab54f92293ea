// command_bus: from a command to its durable answer.
//
// Pipeline: catalogue → schema → authorizer → idempotency (command_id, Idempotency-Key) → deadline
//           → handler (domain: lane, decide, append) → wait for inline projections → answer.
// Threads:  `send` on any thread; the reply runs once, on any thread (inside `send` when refused at
//           once), and must be quick. Registration on any thread, also while commands run.
// Errors:   bus_errc and store_errc; a refusal by the domain is bus_errc::command_rejected.
#pragma once

#include "base/clock.hpp"
#include "base/result.hpp"
#include "base/uuid.hpp"
#include "bus/caller.hpp"
#include "bus/errc.hpp"
#include "bus/inline_gate.hpp"
#include "bus/key_registry.hpp"
#include "runtime/timers.hpp"
#include "schema/schema.hpp"
#include "store/event_log.hpp"
#include "telemetry/metrics.hpp"

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace flexcore::bus {

struct command {
    std::string type;
    std::string aggregate_id;  ///< 1 to 255 bytes; stream is "<category>-<aggregate_id>"
    std::string data;          ///< one validated JSON value
    std::string metadata;      ///< the client's, a validated JSON object; empty means {}
    std::optional<store::expected_version> expected;
    std::optional<uuid> command_id;  ///< the client's: makes the command idempotent
    std::string idempotency_key;     ///< of the HTTP header, empty when there is none
    std::string fingerprint;         ///< of the request, compared when a key is known
    caller who;
    deadline until = no_deadline;
};

struct event_ref {
    uuid id;
    std::string type;
    store::version ver = 0;
    store::position pos = 0;
};

struct command_reply {
    uuid command_id;
    std::string stream;
    store::version ver = 0;   ///< of the stream after the command
    store::position pos = 0;  ///< of the last event; the head when there were none
    std::vector<event_ref> events;
    std::string result;     ///< raw JSON, "null" when the handler gave none
    bool replayed = false;  ///< answered from an idempotency key
};
/// A refusal that is replayed carries the member "replayed": true in its error.
using command_done = std::move_only_function<void(result<command_reply>)>;

/// What the handler gets: validated, authorized, with its final ids.
struct accepted_command {
    command cmd;           ///< command_id and until are set; metadata is that of
                           ///< the events to be written
    std::string category;  ///< of the aggregate
    std::string stream;
    /// Keys to store with the effect (scoped), none when the client gave none, at most two. Their
    /// stored answer is made with encode_reply / encode_rejection.
    std::vector<std::string> keys;
    /// Set when `cmd.data` is too large to be held against its schema by the thread that sent it:
    /// then the handler calls check_data before anything else. Lives as long as the command.
    std::shared_ptr<const schema> unchecked;
};

/// Implemented by domain::aggregate_runtime.
class command_handler {
public:
    virtual ~command_handler() = default;
    /// Must answer exactly once, at the deadline at the latest (later ones are dropped and
    /// counted). `check_data` and, for a command with keys, `known_answer` come before it is
    /// decided: the one may take long, the other reads the store, so both belong on the handler's
    /// workers.
    virtual void execute(accepted_command, command_done) = 0;
};

struct command_descriptor {
    std::string type;
    std::string category;
    std::string plugin;
    std::string description;
    std::optional<schema> data_schema;
};

/// The stored form of an answer, so that a repeated command gets the first one's, word for word.
[[nodiscard]] std::string encode_reply(const command_reply&);
[[nodiscard]] std::string encode_rejection(const error&);
[[nodiscard]] result<command_reply> decode_answer(std::string_view stored);
/// Holds what is still unchecked against its schema. validation_failed with what is wrong.
[[nodiscard]] result<void> check_data(accepted_command&);
/// The answer remembered under one of the command's keys: its reply or refusal, replayed, or
/// idempotency_conflict. Nothing when no key is known. Blocks on the store.
[[nodiscard]] std::optional<result<command_reply>> known_answer(store::event_log&,
                                                                const accepted_command&);
[[nodiscard]] error key_reused();

struct command_settings {
    monotonic::duration timeout = std::chrono::seconds{10};  ///< when the caller gives no deadline
    monotonic::duration inline_wait = std::chrono::seconds{1};
    std::size_t in_flight_max = 20'000;  ///< beyond: busy
};

class command_bus {
public:
    command_bus(command_settings, const authorizer&, inline_gate&, key_registry&, runtime::timers&,
                telemetry::metrics&);
    ~command_bus();

    /// duplicate_name when the type is taken.
    [[nodiscard]] result<void> add(command_descriptor, std::shared_ptr<command_handler>);
    void remove(std::string_view type);
    [[nodiscard]] std::vector<command_descriptor> catalogue() const;  ///< by type

    void send(command, command_done);
    /// busy when `send` would refuse whatever command it gets now. For who has work to do before
    /// it can send: a refusal must cost next to nothing when there are thousands of them.
    [[nodiscard]] result<void> has_room() const;

private:
    struct state;
    std::shared_ptr<state> state_;
};

}  // namespace flexcore::bus
