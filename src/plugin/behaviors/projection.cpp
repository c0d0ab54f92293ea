#include "plugin/behaviors/projection.hpp"

#include "plugin/calls/failure.hpp"
#include "plugin/calls/message.hpp"

namespace flexcore::plugin {
namespace {

class projection final : public domain::projection_behavior {
public:
    projection(std::shared_ptr<instance> of, const projection_entry& entry)
        : of_{std::move(of)}, entry_{entry} {}

    void apply(std::string_view tenant, std::span<const store::recorded_event> events,
               domain::projection_views& views, deadline until,
               std::move_only_function<void(result<void>)> done) override {
        if (events.empty()) return done({});
        auto opened = of_->open(call_kind::apply, until);
        if (!opened) return done(fail(open_error(std::move(opened).error())));
        call& of = **opened;
        fill_events(of, tenant, entry_.name, events);
        of.handler = of_->tables().projection->apply;
        of.projection_views = &views;
        of.models_written = &entry_.writes;
        of.first_position = events.front().pos;
        of.last_position = events.back().pos;
        of.done = [plugin = of_, done = std::move(done)](call_outcome&& outcome) mutable {
            if (outcome.failure)
                return done(fail(projection_error(*outcome.failure, plugin->name())));
            done({});
        };
        of_->run(of);
    }

private:
    std::shared_ptr<instance> of_;
    const projection_entry& entry_;
};

}  // namespace

std::shared_ptr<domain::projection_behavior> make_projection(std::shared_ptr<instance> of,
                                                             const projection_entry& entry) {
    return std::make_shared<projection>(std::move(of), entry);
}

}  // namespace flexcore::plugin
