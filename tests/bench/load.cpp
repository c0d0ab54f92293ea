// load: one kind of load against an HTTP server on this machine, from one thread, with its
// latencies as JSON on standard output. What `flexcore bench` is made of, without its conveniences.
//
//   load --port P [--connections 64] [--seconds 5] [--warmup 1] [--rate R] MODE…
//
//   request METHOD TARGET [BODY]     each connection sends its next request when it has its answer;
//                                    with --rate at that rate over all, latencies counted from when
//                                    a request was due
//   bulk TARGET LINE                 each connection streams NDJSON, --window lines of it
//                                    unanswered at a time
//   pages TARGET                     follows "next": TARGET + cursor
//   sse TARGET APPEND_TARGET BODY    subscribes --connections times, appends at --rate over 16
//                                    connections; the body holds "t":$(t), so that each event
//                                    carries when it was sent
//
// METHOD, TARGET, BODY and LINE hold marks, see src/cli/load_template.hpp. "@file" reads BODY or
// LINE from a file. --type sets the Content-Type, --header adds one.
#include "load_modes.hpp"

#include <cstdio>
#include <exception>
#include <fstream>
#include <sstream>
#include <stdexcept>
#include <string>

namespace flexcore::bench {
namespace {

constexpr std::size_t appenders = 16;

std::string text_or_file(const std::string& word) {
    if (!word.starts_with('@')) return word;
    std::ostringstream text;
    text << std::ifstream{word.substr(1), std::ios::binary}.rdbuf();
    return text.str();
}

options parse(int argc, char** argv) {
    options how;
    how.plan.where.host = "127.0.0.1";
    how.plan.where.port.clear();
    for (int at = 1; at < argc; ++at) {
        const std::string word = argv[at];
        if (!word.starts_with("--")) {
            how.words.push_back(text_or_file(word));
            continue;
        }
        if (++at == argc) throw std::runtime_error{word + " needs a value"};
        const std::string value = argv[at];
        if (word == "--port")
            how.plan.where.port = value;
        else if (word == "--connections")
            how.plan.connections = std::stoul(value);
        else if (word == "--seconds")
            how.plan.seconds = std::stod(value);
        else if (word == "--warmup")
            how.plan.warmup_s = std::stod(value);
        else if (word == "--rate")
            how.plan.rate = std::stod(value);
        else if (word == "--window")
            how.window = std::stoul(value);
        else if (word == "--type")
            how.plan.content_type = value;
        else if (word == "--header")
            how.plan.headers += value + "\r\n";
        else
            throw std::runtime_error{"unknown option " + word};
    }
    if (how.plan.where.port.empty() || how.words.size() < 2)
        throw std::runtime_error{"--port and a mode are needed; see the head of load.cpp"};
    return how;
}

tally measured(result<cli::load_tally> made) {
    if (!made) throw std::runtime_error{made.error().client};
    const std::uint64_t items = made->latency.count();
    return {std::move(*made), items};
}

tally run(options& how) {
    const std::string& mode = how.words[0];
    const cli::load_watch whole{[] { return true; }, nullptr};
    if (mode == "request") {
        how.plan.method = how.words.at(1);
        how.plan.target = how.words.at(2);
        if (how.words.size() > 3) how.plan.body = how.words[3];
        return measured(cli::run_load(how.plan, whole));
    }
    if (mode == "sse") {
        const std::size_t subscribers = how.plan.connections;
        how.plan.method = "POST";
        how.plan.target = how.words.at(2);
        how.plan.body = how.words.at(3);
        how.plan.connections = appenders;
        return measured(cli::run_propagation(how.plan, how.words.at(1), subscribers, whole));
    }
    if (mode == "bulk") return run_bulk(how);
    if (mode == "pages") return run_pages(how);
    throw std::runtime_error{"unknown mode " + mode};
}

void print(const tally& all, double seconds) {
    const auto& [sum, items] = all;
    std::printf(
        "{\"count\":%llu,\"per_s\":%.1f,\"items_per_s\":%.1f,\"bytes_per_s\":%.0f,\"errors\":%llu,"
        "\"first_error\":\"%s\",\"p50_us\":%.1f,\"p95_us\":%.1f,\"p99_us\":%.1f,\"max_us\":%.1f,"
        "\"refused_per_s\":%.1f,\"refused_p50_us\":%.1f,\"refused_p99_us\":%.1f}\n",
        static_cast<unsigned long long>(sum.latency.count()),
        static_cast<double>(sum.latency.count()) / seconds, static_cast<double>(items) / seconds,
        static_cast<double>(sum.bytes) / seconds,
        static_cast<unsigned long long>(sum.error_count()),
        sum.errors.empty() ? "" : sum.errors.begin()->first.c_str(), sum.latency.part_us(0.50),
        sum.latency.part_us(0.95), sum.latency.part_us(0.99), sum.latency.max_us(),
        static_cast<double>(sum.refusals.count()) / seconds, sum.refusals.part_us(0.50),
        sum.refusals.part_us(0.99));
}

}  // namespace
}  // namespace flexcore::bench

int main(int argc, char** argv) {
    using namespace flexcore::bench;
    try {
        options how = parse(argc, argv);
        const double seconds = how.plan.seconds;
        print(run(how), seconds);
        return 0;
    } catch (const std::exception& error) {
        std::fprintf(stderr, "load: %s\n", error.what());
        return 1;
    }
}
