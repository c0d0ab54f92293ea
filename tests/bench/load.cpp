// load: one kind of load against an HTTP server, from one thread, with its latencies as JSON on
// standard output.
//
//   load --port P [--connections 64] [--seconds 5] [--warmup 1] [--rate R] MODE…
//
//   request METHOD TARGET [BODY]     each connection sends its next request when it has its answer;
//   with --rate at that
//                                    rate over all, latencies counted from when a request was due
//   bulk TARGET LINE                 each connection streams NDJSON, --window lines of it
//   unanswered at a time pages TARGET                     follows "next": TARGET + cursor sse
//   TARGET APPEND_TARGET BODY    subscribes --connections times, appends at --rate over 16
//   connections; the body holds
//                                    "t":$(t), so that each event carries when it was sent
//
// METHOD, TARGET, BODY and LINE hold marks, see load_template.hpp. "@file" reads BODY or LINE from
// a file.
// --type sets the Content-Type, --header adds one.
#include "load_modes.hpp"
#include "load_template.hpp"

#include <cstdio>
#include <exception>
#include <fstream>
#include <sstream>
#include <stdexcept>
#include <string>

namespace flexcore::bench {
namespace {

std::string text_or_file(const std::string& word) {
    if (!word.starts_with('@')) return word;
    std::ostringstream text;
    text << std::ifstream{word.substr(1), std::ios::binary}.rdbuf();
    return text.str();
}

options parse(int argc, char** argv) {
    options how;
    for (int at = 1; at < argc; ++at) {
        const std::string word = argv[at];
        if (!word.starts_with("--")) {
            how.words.push_back(text_or_file(word));
            continue;
        }
        if (++at == argc) throw std::runtime_error{word + " needs a value"};
        const std::string value = argv[at];
        if (word == "--port")
            how.port = static_cast<std::uint16_t>(std::stoul(value));
        else if (word == "--connections")
            how.connections = std::stoul(value);
        else if (word == "--seconds")
            how.seconds = std::stod(value);
        else if (word == "--warmup")
            how.warmup = std::stod(value);
        else if (word == "--rate")
            how.rate = std::stod(value);
        else if (word == "--window")
            how.window = std::stoul(value);
        else if (word == "--type")
            how.type = value;
        else if (word == "--header")
            how.headers += value + "\r\n";
        else
            throw std::runtime_error{"unknown option " + word};
    }
    if (how.port == 0 || how.words.size() < 2)
        throw std::runtime_error{"--port and a mode are needed; see the head of load.cpp"};
    return how;
}

}  // namespace
}  // namespace flexcore::bench

int main(int argc, char** argv) {
    using namespace flexcore::bench;
    try {
        const options how = parse(argc, argv);
        tally sum;
        sum.measured_from = monotonic_ns() +
                            static_cast<std::uint64_t>(how.warmup * static_cast<double>(second_ns));
        sum.measured_to = sum.measured_from +
                          static_cast<std::uint64_t>(how.seconds * static_cast<double>(second_ns));
        const std::string& mode = how.words[0];
        if (mode == "request")
            run_requests(how, sum);
        else if (mode == "bulk")
            run_bulk(how, sum);
        else if (mode == "pages")
            run_pages(how, sum);
        else if (mode == "sse")
            run_sse(how, sum);
        else
            throw std::runtime_error{"unknown mode " + mode};
        sum.print(how.seconds);
        return 0;
    } catch (const std::exception& error) {
        std::fprintf(stderr, "load: %s\n", error.what());
        return 1;
    }
}
