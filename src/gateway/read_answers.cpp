#include "gateway/read_answers.hpp"

#include "gateway/header_values.hpp"

namespace flexcore::gateway {

response answer_with_etag(const request& asked, std::shared_ptr<const bus::query_answer> found) {
    response out;
    out.headers.push_back({"ETag", found->etag});
    if (found->age.count() != 0) out.headers.push_back({"Age", std::to_string(found->age.count())});
    if (etag_matches(asked.fields.if_none_match, found->etag)) {
        out.status = 304;
        out.content_type = {};
        out.unchanged_bytes = found->body.size();
    } else {
        out.shared = found->body;
        out.owner = std::move(found);
    }
    return out;
}

}  // namespace flexcore::gateway
