// An aggregate that accepts every command and remembers nothing: the part of a test plugin that is
// not the point.
#pragma once

#include <flexcore/plugin.hpp>

#include <string>
#include <string_view>

namespace {

namespace fc = flexcore::plugin;

struct accepting_rules {
    struct state {};
    [[maybe_unused]] static fc::decision decide(const fc::command&, const state&) { return {}; }
    [[maybe_unused]] static void evolve(state&, const fc::event&) {}
    [[maybe_unused]] static std::string snapshot(const state&) { return "{}"; }
    [[maybe_unused]] static state load(std::string_view) { return {}; }
};

}  // namespace
