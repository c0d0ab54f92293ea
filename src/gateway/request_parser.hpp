// request_parser: Beast's parser, keeping of a request only what routing needs.
//
// Input:   a head that check_head accepted, then the bytes of its body.
// Threads: one; lives for one request.
#pragma once

#include "gateway/request.hpp"

#include <boost/beast/http/basic_parser.hpp>

#include <functional>

namespace flexcore::gateway {

/// Where the body's bytes go.
class body_taker {
public:
    virtual ~body_taker() = default;
    /// False: too much; parsing ends with an error.
    virtual bool take_body(std::string_view) = 0;
    /// A chunk of this size begins. False: too much, whatever it may hold.
    virtual bool begin_chunk(std::uint64_t bytes) = 0;
};

class request_parser final : public boost::beast::http::basic_parser<true> {
public:
    request_parser(request& into, body_taker& body, std::size_t head_bytes_max);

    /// Feeds bytes; answers how many were used. Fewer than given without an error means that the
    /// request is complete or that the next piece of framing has not wholly arrived.
    [[nodiscard]] std::size_t feed(std::string_view, boost::system::error_code&);

private:
    using text = boost::beast::string_view;
    using code = boost::system::error_code;
    void on_request_impl(boost::beast::http::verb, text method, text target, int version,
                         code&) override;
    void on_response_impl(int, text, int, code&) override {}
    void on_field_impl(boost::beast::http::field, text name, text value, code&) override;
    void on_header_impl(code&) override;
    void on_body_init_impl(const boost::optional<std::uint64_t>&, code&) override {}
    std::size_t on_body_impl(text body, code&) override;
    void on_chunk_header_impl(std::uint64_t bytes, text extensions, code&) override;
    std::size_t on_chunk_body_impl(std::uint64_t, text body, code&) override;
    void on_finish_impl(code&) override {}

    void keep(std::string& into, text value, std::string_view name);

    request& into_;
    body_taker& body_;
    bool head_done_ = false;
    std::uint32_t seen_ = 0;  ///< which single fields have come
    bool chunk_seen_ = false;
    std::size_t framing_bytes_max_;
    std::size_t extension_bytes_ = 0;  ///< of all chunks; they say nothing, so they are bounded
    /// In the bytes of this call: where the chunk's header begins that is read next.
    const char* chunk_header_ = nullptr;
    const char* last_chunk_end_ = nullptr;  ///< in the bytes of this call: behind the last size
};

}  // namespace flexcore::gateway
