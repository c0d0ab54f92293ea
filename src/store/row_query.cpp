#include "store/row_query_impl.hpp"

#include "base/json.hpp"
#include "base/names.hpp"

#define XXH_INLINE_ALL
#include <fmt/format.h>
#include <xxhash.h>

#include <algorithm>
#include <bit>
#include <charconv>
#include <cmath>
#include <cstring>
#include <set>

namespace flexcore::store {
namespace {

bool is_field_name(std::string_view name) {
    if (name.empty() || name.size() > name_bytes_max || !is_utf8(name)) return false;
    return std::none_of(name.begin(), name.end(), [](char c) {
        return static_cast<unsigned char>(c) < 0x20 || c == '"' || c == '\'' || c == '\\';
    });
}

bool declared(const model_spec& model, const std::string& field) {
    return std::find(model.indexed.begin(), model.indexed.end(), field) != model.indexed.end();
}

error not_indexed(const model_spec& model, const std::string& field) {
    return {store_errc::not_indexed,
            fmt::format("field {} of read model {} is not indexed", field, model.name)};
}

scalar number_value(const json::slice& value) {
    if (const auto integer = value.integer()) return *integer;
    double number = 0;
    const char* end = value.text.data() + value.text.size();
    std::from_chars(value.text.data(), end, number);
    return number == 0 ? scalar{std::int64_t{0}} : scalar{number};
}

scalar field_value(const json::slice& value) {
    switch (value.type()) {
        case json::kind::boolean:
            return std::int64_t{*value.boolean() ? 1 : 0};
        case json::kind::number:
            return number_value(value);
        case json::kind::string:
            return value.string();
        case json::kind::null:
        case json::kind::array:
        case json::kind::object:
            break;
    }
    return nullptr;
}

enum class kind : std::uint8_t { null, number, text };

kind kind_of(const scalar& value) noexcept {
    if (std::holds_alternative<std::nullptr_t>(value)) return kind::null;
    return std::holds_alternative<std::string>(value) ? kind::text : kind::number;
}

/// Exact, also where the integer does not fit a double.
std::strong_ordering compare_mixed(std::int64_t left, double right) noexcept {
    constexpr double two63 = 9223372036854775808.0;
    if (right >= two63) return std::strong_ordering::less;
    if (right < -two63) return std::strong_ordering::greater;
    const double whole = std::trunc(right);
    const auto by_whole = left <=> static_cast<std::int64_t>(whole);
    if (by_whole != 0) return by_whole;
    return right > whole   ? std::strong_ordering::less
           : right < whole ? std::strong_ordering::greater
                           : std::strong_ordering::equal;
}

std::strong_ordering compare_numbers(const scalar& left, const scalar& right) noexcept {
    const auto* li = std::get_if<std::int64_t>(&left);
    const auto* ri = std::get_if<std::int64_t>(&right);
    if (li != nullptr && ri != nullptr) return *li <=> *ri;
    if (li != nullptr) return compare_mixed(*li, std::get<double>(right));
    if (ri != nullptr) return 0 <=> compare_mixed(*ri, std::get<double>(left));
    const double l = std::get<double>(left);
    const double r = std::get<double>(right);
    return l < r   ? std::strong_ordering::less
           : l > r ? std::strong_ordering::greater
                   : std::strong_ordering::equal;
}

// Cursors: a version byte, the query's shape, the values, the key; then hex.

constexpr char cursor_version = '\x01';

void append_u64(std::string& out, std::uint64_t value) {
    char bytes[8];
    std::memcpy(bytes, &value, 8);
    out.append(bytes, 8);
}

void append_text(std::string& out, std::string_view text) {
    append_u64(out, text.size());
    out += text;
}

void append_scalar(std::string& out, const scalar& value) {
    out += static_cast<char>(value.index());
    if (const auto* integer = std::get_if<std::int64_t>(&value)) {
        append_u64(out, static_cast<std::uint64_t>(*integer));
    } else if (const auto* number = std::get_if<double>(&value)) {
        append_u64(out, std::bit_cast<std::uint64_t>(*number));
    } else if (const auto* text = std::get_if<std::string>(&value)) {
        append_text(out, *text);
    }
}

std::uint64_t shape_of(std::string_view model, const scan_query& query) {
    std::string shape;
    append_text(shape, model);
    for (const auto& condition : query.where) {
        append_text(shape, condition.field);
        shape += static_cast<char>(condition.op);
        append_scalar(shape, normalized(condition.value));
    }
    shape += '|';
    for (const auto& order : query.order) {
        append_text(shape, order.field);
        shape += order.descending ? '-' : '+';
    }
    return XXH3_64bits(shape.data(), shape.size());
}

class cursor_reader {
public:
    explicit cursor_reader(std::string_view bytes) : rest_{bytes} {}
    bool u64(std::uint64_t& value) {
        if (rest_.size() < 8) return false;
        std::memcpy(&value, rest_.data(), 8);
        rest_.remove_prefix(8);
        return true;
    }
    bool byte(char& value) {
        if (rest_.empty()) return false;
        value = rest_.front();
        rest_.remove_prefix(1);
        return true;
    }
    bool text(std::string& value) {
        std::uint64_t size = 0;
        if (!u64(size) || size > rest_.size()) return false;
        value = rest_.substr(0, size);
        rest_.remove_prefix(size);
        return true;
    }
    bool value(scalar& out) {
        char which = 0;
        std::uint64_t bits = 0;
        if (!byte(which)) return false;
        switch (which) {
            case 0:
                out = nullptr;
                return true;
            case 2:
                if (!u64(bits)) return false;
                out = static_cast<std::int64_t>(bits);
                return true;
            case 3:
                if (!u64(bits) || !std::isfinite(std::bit_cast<double>(bits))) return false;
                out = std::bit_cast<double>(bits);
                return true;
            case 4: {
                std::string read;
                if (!text(read)) return false;
                out = std::move(read);
                return true;
            }
            default:
                return false;
        }
    }
    [[nodiscard]] bool at_end() const { return rest_.empty(); }

private:
    std::string_view rest_;
};

std::string to_hex(std::string_view bytes) {
    static constexpr char digits[] = "0123456789abcdef";
    std::string out;
    out.reserve(bytes.size() * 2);
    for (const char c : bytes) {
        const auto byte = static_cast<unsigned char>(c);
        out += digits[byte >> 4];
        out += digits[byte & 15];
    }
    return out;
}

std::string from_hex(std::string_view text) {
    std::string out;
    if (text.size() % 2 != 0) return out;
    for (std::size_t at = 0; at < text.size(); at += 2) {
        unsigned byte = 0;
        const char* end = text.data() + at + 2;
        const auto [stop, problem] = std::from_chars(text.data() + at, end, byte, 16);
        if (problem != std::errc{} || stop != end) return {};
        out += static_cast<char>(byte);
    }
    return out;
}

}  // namespace

result<void> check_models(const std::vector<model_spec>& models) {
    std::set<std::string_view> names;
    for (const auto& model : models) {
        if (auto ok = check_name("read model", model.name); !ok) return ok;
        if (!names.insert(model.name).second) {
            return fail(store_errc::invalid_request,
                        fmt::format("read model {} stands twice", model.name));
        }
        std::set<std::string_view> fields;
        for (const auto& field : model.indexed) {
            if (!is_field_name(field) || !fields.insert(field).second) {
                return fail(
                    store_errc::invalid_request,
                    fmt::format("read model {} cannot index field \"{}\"", model.name, field));
            }
        }
    }
    return {};
}

result<void> check_scan(const model_spec& model, const scan_query& query) {
    if (query.limit == 0 || query.limit > scan_rows_max) {
        return fail(store_errc::invalid_request, "limit must be 1 to 1000");
    }
    for (const auto& condition : query.where) {
        if (!declared(model, condition.field)) return fail(not_indexed(model, condition.field));
        const auto* number = std::get_if<double>(&condition.value);
        if (number != nullptr && !std::isfinite(*number)) {
            return fail(store_errc::invalid_request,
                        fmt::format("{} is compared with what is no number", condition.field));
        }
        if (kind_of(condition.value) == kind::null && condition.op != compare::eq) {
            return fail(store_errc::invalid_request,
                        fmt::format("{}: null has no order", condition.field));
        }
    }
    for (const auto& order : query.order) {
        if (!declared(model, order.field)) return fail(not_indexed(model, order.field));
    }
    return {};
}

result<std::vector<scalar>> indexed_values(std::string_view json,
                                           const std::vector<std::string>& fields) {
    const auto object = json::parse(json);
    if (!object) return fail(object.error());
    if (object->type() != json::kind::object) {
        return fail(store_errc::invalid_request, "a row must be a JSON object");
    }
    std::vector<scalar> values(fields.size(), nullptr);
    if (fields.empty()) return values;
    std::vector<json::member> members;
    json::members_of(*object, members);
    for (const auto& member : members) {
        for (std::size_t f = 0; f < fields.size(); ++f) {
            if (member.named(fields[f])) values[f] = field_value(member.value);
        }
    }
    return values;
}

scalar normalized(scalar value) {
    if (const auto* flag = std::get_if<bool>(&value)) return std::int64_t{*flag ? 1 : 0};
    const auto* number = std::get_if<double>(&value);
    if (number != nullptr && *number == 0) return std::int64_t{0};  // -0.0 too
    return value;
}

std::strong_ordering compare_scalars(const scalar& left, const scalar& right) noexcept {
    const kind lk = kind_of(left);
    if (const auto by_kind = lk <=> kind_of(right); by_kind != 0) return by_kind;
    switch (lk) {
        case kind::null:
            return std::strong_ordering::equal;
        case kind::number:
            return compare_numbers(left, right);
        case kind::text:
            break;
    }
    return std::get<std::string>(left).compare(std::get<std::string>(right)) <=> 0;
}

bool holds(const scan_query::condition& condition, const scalar& value) noexcept {
    const scalar wanted = normalized(condition.value);
    if (kind_of(wanted) != kind_of(value)) return false;
    const auto order = compare_scalars(value, wanted);
    switch (condition.op) {
        case compare::eq:
            return order == 0;
        case compare::lt:
            return order < 0;
        case compare::le:
            return order <= 0;
        case compare::gt:
            return order > 0;
        case compare::ge:
            return order >= 0;
    }
    return false;
}

std::string encode_cursor(std::string_view model, const scan_query& query,
                          const scan_place& place) {
    std::string bytes{cursor_version};
    append_u64(bytes, shape_of(model, query));
    for (const auto& value : place.values) append_scalar(bytes, value);
    append_text(bytes, place.key);
    return to_hex(bytes);
}

result<scan_place> decode_cursor(std::string_view model, const scan_query& query,
                                 std::string_view cursor) {
    const auto refused = fail(store_errc::invalid_cursor, "the cursor is not of this query");
    const std::string bytes = from_hex(cursor);
    cursor_reader in{bytes};
    char format = 0;
    std::uint64_t shape = 0;
    if (!in.byte(format) || format != cursor_version || !in.u64(shape) ||
        shape != shape_of(model, query)) {
        return refused;
    }
    scan_place place;
    place.values.resize(query.order.size());
    for (auto& value : place.values) {
        if (!in.value(value)) return refused;
    }
    if (!in.text(place.key) || !in.at_end()) return refused;
    return place;
}

}  // namespace flexcore::store
