#include "store/errc.hpp"
#include "store/model_fields_impl.hpp"

#include <fmt/format.h>
#include <boost/json.hpp>

namespace flexcore::store {

std::string fields_as_json(const std::vector<std::string>& fields) {
    return boost::json::serialize(boost::json::array(fields.begin(), fields.end()));
}

result<std::vector<std::string>> fields_from_json(std::string_view text, std::string_view where) {
    boost::system::error_code problem;
    const auto list = boost::json::parse(text, problem);
    const auto damaged = fail(store_errc::corrupt, "the catalogue of read models is damaged",
                              fmt::format("{}: a model's fields do not read back", where));
    if (problem || !list.is_array()) return damaged;
    std::vector<std::string> fields;
    for (const auto& field : list.get_array()) {
        if (!field.is_string()) return damaged;
        fields.emplace_back(field.get_string());
    }
    return fields;
}

}  // namespace flexcore::store
