#include "store/errc.hpp"

namespace flexcore::store {
namespace {

class store_category final : public std::error_category {
public:
    [[nodiscard]] const char* name() const noexcept override { return "store"; }
    [[nodiscard]] std::string message(int value) const override {
        switch (static_cast<store_errc>(value)) {
            case store_errc::version_conflict:
                return "the stream is at another version";
            case store_errc::condition_failed:
                return "an event matches the condition";
            case store_errc::event_id_conflict:
                return "an event id is known already";
            case store_errc::key_conflict:
                return "an idempotency key is known already";
            case store_errc::stream_not_found:
                return "no such stream";
            case store_errc::event_not_found:
                return "no such event";
            case store_errc::stream_deleted:
                return "the stream was deleted for good";
            case store_errc::invalid_request:
                return "invalid request to the store";
            case store_errc::busy:
                return "the write queue is full";
            case store_errc::full:
                return "no space left on the device";
            case store_errc::unavailable:
                return "the store is unavailable";
            case store_errc::corrupt:
                return "stored data is damaged";
            case store_errc::newer_schema:
                return "the database is of another program version";
            case store_errc::locked:
                return "the data folder is in use";
            case store_errc::checkpoint_conflict:
                return "the checkpoint is elsewhere";
            case store_errc::unknown_generation:
                return "the rows are gone";
            case store_errc::unknown_model:
                return "no such read model";
            case store_errc::not_indexed:
                return "the field is not indexed";
            case store_errc::invalid_cursor:
                return "not a cursor of this query";
            case store_errc::stopped:
                return "the store is shutting down";
        }
        return "unknown store error";
    }
};

}  // namespace

std::error_code make_error_code(store_errc code) noexcept {
    static const store_category category;
    return {static_cast<int>(code), category};
}

}  // namespace flexcore::store
