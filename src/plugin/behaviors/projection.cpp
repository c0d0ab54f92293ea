#include "plugin/behaviors/projection.hpp"

#include "plugin/calls/failure.hpp"
#include "plugin/calls/message.hpp"

namespace flexcore::plugin {
namespace {

using applied = std::move_only_function<void(result<void>)>;

class projection final : public domain::projection_behavior,
                         public std::enable_shared_from_this<projection> {
public:
    projection(std::shared_ptr<instance> of, const projection_entry& entry)
        : of_{std::move(of)}, entry_{entry} {
        for (const auto& model : of_->brings().read_models) readable_.push_back(model.name);
    }

    void apply(std::string_view tenant, std::span<const store::recorded_event> events,
               domain::projection_views& views, deadline until, applied done) override {
        const std::uint32_t most = of_->tables().projection->batch_max;
        const std::size_t taken =
            most == 0 ? events.size() : std::min<std::size_t>(most, events.size());
        if (taken == 0) return done({});
        auto opened = of_->open(call_kind::apply, until);
        if (!opened) return done(fail(open_error(std::move(opened).error())));
        const auto now = events.first(taken);
        const auto rest = events.subspan(taken);
        call& of = **opened;
        fill_events(of, tenant, entry_.name, now);
        of.handler = of_->tables().projection->apply;
        of.projection_views = &views;
        of.models_read = &readable_;
        of.models_written = &entry_.writes;
        of.first_position = now.front().pos;
        of.last_position = now.back().pos;
        of.on_worker = false;
        of.done = [self = shared_from_this(), tenant, rest, &views, until,
                   done = std::move(done)](call_outcome outcome) mutable {
            if (outcome.failure)
                return done(fail(projection_error(*outcome.failure, self->of_->name())));
            if (rest.empty()) return done({});
            self->apply(tenant, rest, views, until, std::move(done));
        };
        of_->run(of);
    }

private:
    std::shared_ptr<instance> of_;
    const projection_entry& entry_;
    std::vector<std::string> readable_;
};

}  // namespace

std::shared_ptr<domain::projection_behavior> make_projection(std::shared_ptr<instance> of,
                                                             const projection_entry& entry) {
    return std::make_shared<projection>(std::move(of), entry);
}

}  // namespace flexcore::plugin
