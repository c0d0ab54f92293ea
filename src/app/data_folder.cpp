#include "app/verify.hpp"

namespace flexcore::app {

result<store::verify_report> verify_data(
    const std::filesystem::path& data,
    const std::function<void(const store::verify_progress&)>& progress) {
    return store::verify(data, progress);
}

}  // namespace flexcore::app
