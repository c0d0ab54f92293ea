#include "store/postgres/view_store.hpp"

#include "store/postgres/view_writer.hpp"
#include "store/view_errors_impl.hpp"

#include <atomic>

namespace flexcore::store::postgres {
namespace {

class postgres_views final : public view_store {
public:
    postgres_views(connection_settings writing, std::shared_ptr<sessions> readers)
        : heard_{writing.overdue},
          readers_{std::make_shared<view_moments>(readers)},
          writer_{std::move(writing), std::move(readers), readers_} {}
    ~postgres_views() override { stop(); }

    result<std::vector<generation>> generations() override { return writer_.generations(); }
    result<generation> create(std::string_view projection, std::uint32_t version,
                              const std::vector<model_spec>& models) override {
        return writer_.create(projection, version, models);
    }
    result<void> serve(generation_id id) override { return writer_.serve(id); }
    result<void> drop(generation_id id) override { return writer_.drop(id); }
    result<void> set_paused(std::string_view projection, bool paused) override {
        return writer_.set_paused(projection, paused);
    }
    result<void> set_stopped(generation_id id, std::string_view why) override {
        return writer_.set_stopped(id, why);
    }
    result<std::unique_ptr<view_transaction>> begin(generation_id id, position expected) override {
        return writer_.begin(id, expected);
    }
    result<std::unique_ptr<view_reader>> read() override {
        if (stopped_) return fail(views_stopped());
        return readers_->read();
    }
    std::uint64_t generations_changed() const noexcept override { return heard_->catalogue(); }
    monotonic::duration unseen_for() const noexcept override { return heard_->unseen_for(); }
    void stop() override {
        stopped_ = true;
        writer_.stop();
    }

private:
    const std::shared_ptr<const watch> heard_;
    const std::shared_ptr<view_moments> readers_;
    view_writer writer_;
    std::atomic<bool> stopped_{false};
};

}  // namespace

std::unique_ptr<view_store> open_views(connection_settings writing,
                                       std::shared_ptr<sessions> readers) {
    return std::make_unique<postgres_views>(std::move(writing), std::move(readers));
}

}  // namespace flexcore::store::postgres
