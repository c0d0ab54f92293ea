// Content codings: the choice and the bytes.
#include "gateway/coding.hpp"

#include <zlib.h>
#include <zstd.h>

#include <catch2/catch.hpp>

using namespace flexcore::gateway;

namespace {

std::string unzip(const std::string& text, std::size_t bytes) {
    std::string out(bytes + 1, '\0');
    z_stream stream{};
    REQUIRE(inflateInit2(&stream, 15 + 16) == Z_OK);
    std::string in = text;
    stream.next_in = reinterpret_cast<Bytef*>(in.data());
    stream.avail_in = static_cast<uInt>(in.size());
    stream.next_out = reinterpret_cast<Bytef*>(out.data());
    stream.avail_out = static_cast<uInt>(out.size());
    CHECK(inflate(&stream, Z_FINISH) == Z_STREAM_END);
    out.resize(stream.total_out);
    inflateEnd(&stream);
    return out;
}

}  // namespace

TEST_CASE("coding: the highest q wins, among equals zstd, then gzip") {
    using enum content_coding;
    CHECK(choose_coding("") == identity);
    CHECK(choose_coding("gzip") == gzip);
    CHECK(choose_coding("x-gzip") == gzip);
    CHECK(choose_coding("GZIP, deflate, br") == gzip);
    CHECK(choose_coding("gzip, deflate, br, zstd") == zstd);
    CHECK(choose_coding("gzip;q=1.0, zstd;q=0.9") == gzip);
    CHECK(choose_coding("gzip ; Q=0.5 , zstd;q=0.500") == zstd);
    CHECK(choose_coding("gzip;q=0, zstd;q=0.001") == zstd);
    CHECK(choose_coding("gzip;q=0") == identity);
    CHECK(choose_coding("identity, gzip;q=0.5") == identity);
    CHECK(choose_coding("identity;q=0.5, gzip;q=0.5") == gzip);
    CHECK(choose_coding("*") == zstd);
    CHECK(choose_coding("*;q=0.1, zstd;q=0") == gzip);
    CHECK(choose_coding("*;q=0") == identity);
    CHECK(choose_coding("deflate, br") == identity);
    // What is malformed is not what the client wants.
    for (const char* bad : {"gzip;q=2", "gzip;q=", "gzip;q=x", "gzip;q=1.0000", "gzip;q=0,5",
                            "gzip;level=9", "gzip;", ";;;", ",,,", "gzip;q=1.001"}) {
        INFO(bad);
        CHECK(choose_coding(bad) == identity);
    }
}

TEST_CASE("coding: answers come out as they went in, again and again") {
    const std::string text = "{\"items\":[" + std::string(10'000, '1') + "]}";
    for (int round = 0; round < 3; ++round) {
        response zipped = json_response(text);
        encode(zipped, content_coding::gzip);
        CHECK(zipped.bytes().size() < text.size() / 10);
        CHECK(unzip(zipped.body, text.size()) == text);
        CHECK(zipped.headers.back().value == "gzip");

        response packed;
        const auto owner = std::make_shared<const std::string>(text);
        packed.owner = owner;
        packed.shared = *owner;
        encode(packed, content_coding::zstd);
        std::string out(text.size(), '\0');
        CHECK(ZSTD_decompress(out.data(), out.size(), packed.body.data(), packed.body.size()) ==
              text.size());
        CHECK(out == text);
        CHECK(packed.bytes() == packed.body);
        CHECK(packed.headers.back().value == "zstd");
    }
}

TEST_CASE("coding: what does not get shorter stays as it is") {
    std::string noise;
    for (unsigned i = 0, x = 1; i < 5'000; ++i, x = x * 1'664'525 + 1'013'904'223)
        noise += static_cast<char>(x >> 24);
    for (const auto coding : {content_coding::gzip, content_coding::zstd}) {
        response out = json_response(noise);
        encode(out, coding);
        CHECK(out.body == noise);
        CHECK(out.headers.empty());
    }
}

TEST_CASE("coding: texts from the threshold on, and nothing else") {
    const auto of = [](std::string_view type, std::size_t bytes) {
        response out = json_response(std::string(bytes, 'x'));
        out.content_type = type;
        return out;
    };
    CHECK(may_be_coded(of(json_type, 100), 100));
    CHECK(may_be_coded(of(problem_type, 100), 100));
    CHECK(may_be_coded(of("text/html; charset=utf-8", 100), 100));
    CHECK_FALSE(may_be_coded(of(json_type, 99), 100));
    CHECK_FALSE(may_be_coded(of(json_type, 100), 0));
    CHECK_FALSE(may_be_coded(of(octets_type, 100), 100));
    CHECK_FALSE(may_be_coded(of("", 100), 100));
    response unchanged;
    unchanged.status = 304;
    unchanged.unchanged_bytes = 100;
    CHECK(may_be_coded(unchanged, 100));
    CHECK_FALSE(may_be_coded(unchanged, 101));
}
