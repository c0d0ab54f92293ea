#include "app/data_folder.hpp"

namespace flexcore::app {

result<store::verify_report> verify_store(
    const store::store_settings& settings,
    const std::function<void(const store::verify_progress&)>& progress) {
    return store::verify(settings, progress);
}

result<store::backup_report> back_up_store(
    const store::store_settings& settings, const std::filesystem::path& to,
    const std::function<void(const store::verify_progress&)>& progress,
    const std::function<bool()>& stop) {
    return store::back_up(settings, to, progress, stop);
}

result<store::database_facts> look_at_database(const store::store_settings& settings) {
    return store::look_at_database(settings);
}

}  // namespace flexcore::app
