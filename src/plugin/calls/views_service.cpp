#include "plugin/calls/views_service.hpp"

#include "base/json.hpp"
#include "base/names.hpp"
#include "plugin/calls/instance.hpp"
#include "plugin/calls/message.hpp"
#include "plugin/calls/scan_json.hpp"
#include "store/errc.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <exception>

namespace flexcore::plugin {
namespace {

constexpr std::size_t key_bytes_max = 1024;
constexpr std::size_t row_bytes_max = std::size_t{4} << 20;
constexpr std::size_t scan_bytes_max = std::size_t{64} << 10;

bool listed(const std::vector<std::string>* models, std::string_view model) {
    return models != nullptr && std::ranges::find(*models, model) != models->end();
}

/// A projection that was refused must not commit, whatever it makes of the status; so must nobody
/// who asks for what was not declared. A query may be refused a scan its own caller made up.
fxc_status misuse(call& of, fxc_status status, std::string why, std::uint64_t position = 0) {
    if (of.projection_views != nullptr || status == FXC_DENIED)
        of.doom({call_failure::origin::contract,
                 status,
                 std::move(why),
                 position == 0 ? std::string{} : fmt::format("{{\"position\":{}}}", position),
                 {}});
    return status;
}

/// What the store refuses: the plugin's fault, or a failure that ends the call.
fxc_status refused(call& of, error why) {
    if (why.code == store::store_errc::not_indexed ||
        why.code == store::store_errc::invalid_cursor || why.code == base_errc::invalid_argument ||
        why.code == base_errc::invalid_name || why.code == base_errc::invalid_json ||
        why.code == store::store_errc::invalid_request)
        return misuse(of, FXC_INVALID, "read model: " + why.client);
    if (why.code == store::store_errc::unknown_model)  // another plugin's, which is not loaded
        why = {make_error_code(bus::bus_errc::unavailable),
               "a read model that is needed is not there", why.client};
    of.doom({call_failure::origin::host, FXC_UNAVAILABLE, {}, {}, std::move(why)});
    return FXC_UNAVAILABLE;
}

/// Moves `text` to the plugin, with a release of ours.
void hand_over(fxc_buffer* to, std::string text) {
    if (to == nullptr) return;
    auto* const owned = new std::string{std::move(text)};
    *to = {owned->data(), owned->size(),
           [](fxc_buffer* self) {
               delete static_cast<std::string*>(self->owner);
               *self = {};
           },
           owned};
}

/// The open call behind the handle with its model and key, or the status that says why not.
struct access {
    instance::locked_call open;
    std::string_view model;
    std::string_view key;
    fxc_status status = FXC_OK;
};

access look_up(const fxc_host* host, fxc_call handle, fxc_view raw_model) {
    access at;
    const auto* const self = host == nullptr ? nullptr : static_cast<const instance*>(host->ctx);
    if (self == nullptr) {
        at.status = FXC_INVALID;
        return at;
    }
    const auto model = text_of(raw_model, name_bytes_max);
    at.model = model.value_or(std::string_view{});
    at.open = self->find(handle);
    if (at.open.at == nullptr) {
        at.status = FXC_CANCELLED;
    } else if (at.open.at->projection_views == nullptr && at.open.at->query_views == nullptr) {
        at.status = FXC_UNSUPPORTED;
    } else if (!model) {
        at.status = misuse(*at.open.at, FXC_INVALID, "named a read model by what is no text");
    } else if (!listed(at.open.at->models_read, at.model) &&
               !listed(at.open.at->models_written, at.model)) {
        at.status = misuse(*at.open.at, FXC_DENIED,
                           fmt::format("asked for the read model \"{}\", which is not declared for "
                                       "this call",
                                       to_utf8(at.model)));
    }
    return at;
}

access look_up(const fxc_host* host, fxc_call handle, fxc_view raw_model, fxc_view raw_key,
               std::uint64_t position) {
    access at = look_up(host, handle, raw_model);
    if (at.status != FXC_OK) return at;
    const auto key = text_of(raw_key, key_bytes_max);
    if (!key || key->empty() || !is_utf8(*key) || key->contains('\0')) {
        at.status = misuse(*at.open.at, FXC_INVALID,
                           fmt::format("a key of the read model {} is not 1 to {} bytes of UTF-8",
                                       at.model, key_bytes_max),
                           position);
        return at;
    }
    at.key = *key;
    return at;
}

/// The same for a change, which needs more.
access look_up_change(const fxc_host* host, fxc_call handle, fxc_view model, fxc_view key,
                      std::uint64_t position) {
    access at = look_up(host, handle, model, key, position);
    if (at.status != FXC_OK) return at;
    call& of = *at.open.at;
    if (of.projection_views == nullptr || !listed(of.models_written, at.model)) {
        at.status = misuse(of, FXC_DENIED,
                           fmt::format("wrote the read model {}, which is not its own", at.model),
                           position);
    } else if (position < of.first_position || position > of.last_position) {
        at.status = misuse(of, FXC_INVALID,
                           fmt::format("wrote the read model {} for position {}, which is none of "
                                       "the events at hand",
                                       at.model, position));
    }
    return at;
}

fxc_status get(const fxc_host* host, fxc_call handle, fxc_view model, fxc_view key,
               fxc_buffer* row_out) try {
    if (row_out != nullptr) *row_out = {};
    access at = look_up(host, handle, model, key, 0);
    if (at.status != FXC_OK) return at.status;
    call& of = *at.open.at;
    auto row = of.projection_views != nullptr ? of.projection_views->get(at.model, at.key)
                                              : of.query_views->get(at.model, at.key);
    if (!row) return refused(of, std::move(row).error());
    if (!*row) return FXC_NOT_FOUND;
    hand_over(row_out, std::move((*row)->json));
    return FXC_OK;
} catch (...) {
    return FXC_INTERNAL;
}

fxc_status put(const fxc_host* host, fxc_call handle, fxc_view model, fxc_view key,
               fxc_view row_json, std::uint64_t position) try {
    access at = look_up_change(host, handle, model, key, position);
    if (at.status != FXC_OK) return at.status;
    call& of = *at.open.at;
    const auto text = text_of(row_json, row_bytes_max);
    if (!text)
        return misuse(of, FXC_INVALID, fmt::format("a row of {} is larger than 4 MiB", at.model),
                      position);
    const auto row = json::parse(*text);
    if (!row || row->type() != json::kind::object)
        return misuse(of, FXC_INVALID, fmt::format("a row of {} is not a JSON object", at.model),
                      position);
    auto put = of.projection_views->put(at.model, at.key, row->text, position);
    return put ? FXC_OK : refused(of, std::move(put).error());
} catch (...) {
    return FXC_INTERNAL;
}

fxc_status remove(const fxc_host* host, fxc_call handle, fxc_view model, fxc_view key,
                  std::uint64_t position) try {
    access at = look_up_change(host, handle, model, key, position);
    if (at.status != FXC_OK) return at.status;
    call& of = *at.open.at;
    auto removed = of.projection_views->remove(at.model, at.key, position);
    return removed ? FXC_OK : refused(of, std::move(removed).error());
} catch (...) {
    return FXC_INTERNAL;
}

fxc_status scan(const fxc_host* host, fxc_call handle, fxc_view model, fxc_view query_json,
                fxc_row_fn each, void* user, fxc_buffer* next_out) try {
    if (next_out != nullptr) *next_out = {};
    result<store::row_page> page;
    {
        access at = look_up(host, handle, model);
        if (at.status != FXC_OK) return at.status;
        call& of = *at.open.at;
        const auto text = text_of(query_json, scan_bytes_max);
        if (each == nullptr || !text)
            return misuse(of, FXC_INVALID,
                          fmt::format("scanned {} without a function for the rows, or with a "
                                      "query of more than 64 KiB",
                                      at.model));
        const auto query = parse_scan(*text);
        if (!query) return misuse(of, FXC_INVALID, query.error().client);
        page = of.projection_views != nullptr ? of.projection_views->scan(at.model, *query)
                                              : of.query_views->scan(at.model, *query);
        if (!page) return refused(of, std::move(page).error());
    }
    for (const auto& row : page->rows)
        if (each(user, view_of(row.key), view_of(row.json)) != 0) return FXC_OK;
    if (!page->next.empty()) hand_over(next_out, std::move(page->next));
    return FXC_OK;
} catch (...) {
    return FXC_INTERNAL;
}

}  // namespace

fxc_views make_views_table() {
    return {.struct_size = sizeof(fxc_views),
            .reserved = 0,
            .get = get,
            .put = put,
            .remove = remove,
            .scan = scan};
}

}  // namespace flexcore::plugin
