#include "gateway/coding.hpp"

#include "gateway/header_values.hpp"

#include <zlib.h>
#include <zstd.h>

#include <algorithm>
#include <memory>

namespace flexcore::gateway {
namespace {

// Answers are coded while their client waits: the time of a level counts more than its last bytes.
constexpr int gzip_level = 4;
constexpr int zstd_level = 3;
constexpr int gzip_window = 15 + 16;  // the largest window, in a gzip wrapper

/// A q-value in thousandths; 0 for one that is malformed: it cannot be what is wanted.
int quality(std::string_view parameter) noexcept {
    parameter = trim_space(parameter);
    if (parameter.size() < 3 || (parameter[0] | 0x20) != 'q' || parameter[1] != '=') return 0;
    parameter.remove_prefix(2);
    if (parameter.size() > 5 || (parameter.size() > 1 && parameter[1] != '.')) return 0;
    int value = 0;
    for (std::size_t i = 0; i < 5; ++i) {
        if (i == 1) continue;
        const char digit = i < parameter.size() ? parameter[i] : '0';
        if (digit < '0' || digit > '9') return 0;
        value = 10 * value + (digit - '0');
    }
    return value <= 1000 ? value : 0;
}

struct element {
    std::string_view name;
    int q = 1000;
};

element read_element(std::string_view text) noexcept {
    const std::size_t semicolon = text.find(';');
    element out{trim_space(text.substr(0, semicolon))};
    if (semicolon != text.npos) out.q = quality(text.substr(semicolon + 1));
    return out;
}

struct compressor {
    compressor() = default;
    compressor(const compressor&) = delete;
    compressor& operator=(const compressor&) = delete;
    ~compressor() {
        if (gzip_ready) deflateEnd(&gzip);
        ZSTD_freeCCtx(zstd);
    }
    z_stream gzip{};
    bool gzip_ready = false;
    ZSTD_CCtx* zstd = nullptr;
};

compressor& mine() {
    thread_local compressor one;
    return one;
}

/// Empty when it does not get shorter than `text`.
std::string gzipped(std::string_view text) {
    compressor& with = mine();
    z_stream& stream = with.gzip;
    if (!with.gzip_ready) {
        if (deflateInit2(&stream, gzip_level, Z_DEFLATED, gzip_window, 8, Z_DEFAULT_STRATEGY) !=
            Z_OK)
            return {};
        with.gzip_ready = true;
    } else if (deflateReset(&stream) != Z_OK) {
        return {};
    }
    std::string out(text.size(), '\0');
    // zlib reads through a pointer that is not const.
    stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
    stream.avail_in = static_cast<uInt>(text.size());
    stream.next_out = reinterpret_cast<Bytef*>(out.data());
    stream.avail_out = static_cast<uInt>(out.size());
    if (deflate(&stream, Z_FINISH) != Z_STREAM_END) return {};
    out.resize(stream.total_out);
    return out;
}

std::string zstandard(std::string_view text) {
    compressor& with = mine();
    if (with.zstd == nullptr) with.zstd = ZSTD_createCCtx();
    if (with.zstd == nullptr) return {};
    std::string out(text.size(), '\0');
    const std::size_t size =
        ZSTD_compressCCtx(with.zstd, out.data(), out.size(), text.data(), text.size(), zstd_level);
    if (ZSTD_isError(size) != 0) return {};
    out.resize(size);
    return out;
}

bool is_text(std::string_view type) noexcept {
    return type.starts_with("text/") || type.starts_with("application/json") ||
           type.starts_with("application/problem+json") ||
           type.starts_with("application/javascript");
}

}  // namespace

content_coding choose_coding(std::string_view field) noexcept {
    int gzip = -1, zstd = -1, any = -1, identity = -1;
    while (!field.empty()) {
        const std::size_t comma = std::min(field.find(','), field.size());
        const element one = read_element(field.substr(0, comma));
        field.remove_prefix(std::min(comma + 1, field.size()));
        if (same_ignoring_case(one.name, "gzip") || same_ignoring_case(one.name, "x-gzip"))
            gzip = one.q;
        else if (same_ignoring_case(one.name, "zstd"))
            zstd = one.q;
        else if (same_ignoring_case(one.name, "identity"))
            identity = one.q;
        else if (one.name == "*")
            any = one.q;
    }
    gzip = std::max(gzip >= 0 ? gzip : any, 0);
    zstd = std::max(zstd >= 0 ? zstd : any, 0);
    const int best = std::max(gzip, zstd);
    // Being coded is preferred to not being so, unless the client says otherwise.
    if (best == 0 || (identity > best)) return content_coding::identity;
    return zstd == best ? content_coding::zstd : content_coding::gzip;
}

bool may_be_coded(const response& answer, std::size_t bytes_min) noexcept {
    if (bytes_min == 0) return false;
    if (answer.status == 304) return answer.unchanged_bytes >= bytes_min;
    return answer.bytes().size() >= bytes_min && !answer.flows && is_text(answer.content_type);
}

void add_vary(response& answer) {
    for (const response::header& one : answer.headers)
        if (one.name == "Vary" && list_has(one.value, "accept-encoding")) return;
    answer.headers.push_back({"Vary", "Accept-Encoding"});
}

void encode(response& answer, content_coding coding) {
    if (coding == content_coding::identity || answer.bytes().empty()) return;
    std::string coded =
        coding == content_coding::zstd ? zstandard(answer.bytes()) : gzipped(answer.bytes());
    if (coded.empty()) return;
    answer.body = std::move(coded);
    answer.owner.reset();
    answer.shared = {};
    answer.headers.push_back(
        {"Content-Encoding", coding == content_coding::zstd ? "zstd" : "gzip"});
}

}  // namespace flexcore::gateway
