#include "app/data_folder.hpp"

namespace flexcore::app {

result<store::verify_report> verify_data(
    const std::filesystem::path& data,
    const std::function<void(const store::verify_progress&)>& progress) {
    return store::verify(data, progress);
}

result<store::backup_report> back_up_data(
    const std::filesystem::path& data, const std::filesystem::path& to,
    const std::function<void(const store::verify_progress&)>& progress,
    const std::function<bool()>& stop) {
    return store::back_up(data, to, progress, stop);
}

}  // namespace flexcore::app
