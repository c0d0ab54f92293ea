// event_reader: everything that is asked of the log in PostgreSQL, each in as few statements as
// there are round trips to spare: one where that is possible.
//
// What a stream's rules hide is left out by the statements themselves, so an answer is one moment
// of the log whatever is changed meanwhile.
// Threads: any; each call lends a session of the pool.
// Errors:  those of `sessions` and `connection`; else as `event_log` says.
#pragma once

#include "store/event_log.hpp"
#include "store/log_writer_impl.hpp"
#include "store/postgres/sessions.hpp"

#include <memory>

namespace flexcore::store::postgres {

class event_reader {
public:
    event_reader(std::shared_ptr<sessions>, log_writer::clock);

    [[nodiscard]] result<stream_page> read_stream(std::string_view tenant, std::string_view stream,
                                                  version from, std::size_t limit, direction);
    [[nodiscard]] result<stream_page> read_history(std::string_view tenant, std::string_view stream,
                                                   version from, std::size_t limit);
    /// `head`: nothing beyond is shown, also when others have written it already.
    [[nodiscard]] result<log_page> read_log(const log_filter&, position after, std::size_t limit,
                                            direction, position head);
    [[nodiscard]] result<std::shared_ptr<const event_batch>> read_event(std::string_view tenant,
                                                                        const uuid&);
    [[nodiscard]] result<stream_info> stream(std::string_view tenant, std::string_view name);
    [[nodiscard]] result<stream_list> streams(std::string_view tenant, std::string_view category,
                                              std::string_view prefix, std::string_view after,
                                              std::size_t limit);
    [[nodiscard]] result<position> end();
    [[nodiscard]] result<std::optional<event_log::stored_answer>> find_answer(
        std::string_view tenant, std::string_view key);

private:
    const std::shared_ptr<sessions> sessions_;
    const log_writer::clock clock_;
};

/// Events after `after` up to `to`, served or not, at most `limit`, events_looked_at_max and a
/// page's bytes; over a session of the caller. For who has to learn what others have written.
[[nodiscard]] result<std::shared_ptr<const event_batch>> read_all(connection&, position after,
                                                                  position to, std::size_t limit);

}  // namespace flexcore::store::postgres
