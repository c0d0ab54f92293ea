// HTTP framing: a connection's bytes to requests, as the gateway takes them. The same bytes in any
// pieces mean the same requests and the same end.
#include "fuzz/target.hpp"
#include "gateway/head_check.hpp"
#include "gateway/header_values.hpp"
#include "gateway/request_parser.hpp"

#include <boost/system/error_code.hpp>

#include <optional>
#include <string>

namespace {

using namespace flexcore;
using namespace flexcore::gateway;
using fuzz::require;

constexpr std::size_t head_bytes_max = 1024;
constexpr std::size_t body_bytes_max = 2048;

/// Takes bytes as a connection does, without its sockets, and writes down what it understood.
class reader final : public body_taker {
public:
    void take(std::string_view bytes) {
        if (over_) return;
        held_ += bytes;
        while (!over_ && (parser_ ? body() : head())) {
        }
    }
    [[nodiscard]] std::string end() {
        if (!over_) said_ += parser_ || !held_.empty() ? "inside a request" : "between requests";
        return said_;
    }

    bool take_body(std::string_view bytes) override {
        if (request_.body.size() + bytes.size() > body_bytes_max) return false;
        request_.body += bytes;
        return true;
    }
    bool begin_chunk(std::uint64_t bytes) override {
        return bytes <= body_bytes_max - request_.body.size();
    }

private:
    void refuse(std::string_view what) {
        over_ = true;
        said_ += what;
    }

    bool head() {
        while (held_.starts_with("\r\n")) held_.erase(0, 2);
        if (held_.empty() || held_ == "\r") return false;
        const auto length = scanner_.scan(held_);
        if (!length) {
            refuse("refused");
            return false;
        }
        if (*length == 0) return false;
        require(*length <= held_.size() && *length <= head_bytes_max, "a head within its bounds");
        const std::string whole = held_.substr(0, *length);
        require(whole.ends_with("\r\n\r\n"), "a head ends with an empty line");
        require(whole.find('\0') == whole.npos, "no NUL in a head");
        request_.clear();
        if (!check_head(whole)) {
            refuse("refused");
            return false;
        }
        parser_.emplace(request_, *this, head_bytes_max);
        boost::system::error_code bad;
        const std::size_t used = parser_->feed(whole, bad);
        if (bad || used != whole.size() || !parser_->is_header_done()) {
            refuse("refused");
            return false;
        }
        require(!(parser_->chunked() && parser_->content_length()), "one framing only");
        require(request_.target.find_first_of(" \r\n") == std::string::npos,
                "a target without white space");
        held_.erase(0, whole.size());
        scanner_.reset();
        if (parser_->is_done()) done();
        return !over_;
    }

    bool body() {
        if (held_.empty()) return false;
        boost::system::error_code bad;
        const std::size_t used = parser_->feed(held_, bad);
        require(used <= held_.size(), "no more used than given");
        held_.erase(0, used);
        if (bad || (used == 0 && !parser_->is_done() && held_.size() >= head_bytes_max)) {
            refuse("broken body");
            return false;
        }
        if (parser_->is_done()) {
            done();
            return !over_;
        }
        return used != 0 && !held_.empty();
    }

    void done() {
        said_ += std::string{name_of(request_.method)} + ' ' + request_.target + ' ' +
                 (request_.http10 ? "1.0 " : "1.1 ") + (parser_->keep_alive() ? "" : "close ") +
                 request_.fields.content_type + '|' + request_.fields.idempotency_key + '|' +
                 request_.fields.if_none_match + '|' + request_.fields.tenant + '|' +
                 std::string{request_.fields.duplicate} + '|' + request_.body + '\n';
        if (!parser_->keep_alive()) over_ = true;
        parser_.reset();
    }

    head_scanner scanner_{head_bytes_max};
    request request_;
    std::optional<request_parser> parser_;
    std::string held_;
    std::string said_;
    bool over_ = false;
};

std::string understood(std::string_view text, std::size_t piece_max) {
    reader from;
    for (const auto piece : fuzz::pieces_of(text, piece_max)) from.take(piece);
    return from.end();
}

std::string understood_whole(std::string_view text) {
    reader from;
    from.take(text);
    return from.end();
}

void header_values(std::string_view text) {
    const media_type type = parse_media_type(text);
    require(type.essence.size() <= text.size(), "a media type is part of its field");
    (void)etag_matches(text, "\"a\"");
    const std::string state = continued_tracestate(text);
    require(state.size() <= 512, "a tracestate within its bound");
    if (is_traceparent(text)) require(trace_id_of(text).size() == 32, "32 digits of a trace");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const auto text = fuzz::text_of(data, size);
    header_values(text);
    const std::string whole = understood_whole(text);
    require(understood(text, 1) == whole, "byte by byte means the same");
    require(understood(text, 40) == whole, "any pieces mean the same");
    return 0;
}
