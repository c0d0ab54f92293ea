#include "plugin/behaviors/query.hpp"

#include "base/json.hpp"
#include "plugin/calls/failure.hpp"
#include "plugin/calls/message.hpp"

#include <fmt/format.h>

namespace flexcore::plugin {
namespace {

result<std::string> answer_of(call_outcome&& outcome, std::string_view plugin) {
    if (outcome.failure) return fail(query_error(*outcome.failure, plugin));
    if (const auto valid = json::validate(outcome.result); !valid)
        return fail(bus::bus_errc::handler_failed, "the plugin failed; the server's log says why",
                    fmt::format("plugin {}: its answer is not valid JSON: {}", plugin,
                                valid.error().client));
    return std::move(outcome.result);
}

class query final : public bus::query_handler {
public:
    query(std::shared_ptr<instance> of, const query_entry& entry)
        : of_{std::move(of)}, entry_{entry} {}

    void handle(const bus::query& asked, bus::query_views& views,
                std::move_only_function<void(result<std::string>)> done) override {
        auto opened = of_->open(call_kind::query, asked.until);
        if (!opened) return done(fail(open_error(std::move(opened).error())));
        call& of = **opened;
        fill_query(of, asked);
        of.handler = of_->tables().query_handler->handle;
        of.query_views = &views;
        of.models_read = &entry_.reads;
        of.done = [plugin = of_, done = std::move(done)](call_outcome&& outcome) mutable {
            done(answer_of(std::move(outcome), plugin->name()));
        };
        of_->run(of);
    }

private:
    std::shared_ptr<instance> of_;
    const query_entry& entry_;
};

}  // namespace

std::shared_ptr<bus::query_handler> make_query(std::shared_ptr<instance> of,
                                               const query_entry& entry) {
    return std::make_shared<query>(std::move(of), entry);
}

}  // namespace flexcore::plugin
