#include "app/settings.hpp"

#include "app/setting_table.hpp"
#include "base/json.hpp"
#include "support/process.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <map>
#include <set>

using namespace flexcore;
using namespace flexcore::app;
using namespace std::chrono_literals;

namespace {

/// Loads from a file of this text, and keeps the file's name out of the expectations.
struct from_file {
    test::temp_folder folder;
    setting_inputs in;
    explicit from_file(const std::string& text) {
        test::write_file(folder / "s.toml", text);
        in.file = folder / "s.toml";
    }
    std::string place(const std::string& line_and_column) const {
        return in.file->string() + ":" + line_and_column;
    }
    loaded_settings values() const {
        auto loaded = load_settings(in);
        if (!loaded) FAIL(to_text(loaded.error()));
        return *loaded;
    }
    std::vector<settings_problem> problems() const {
        auto loaded = load_settings(in);
        if (loaded) FAIL("the settings were accepted");
        return loaded.error();
    }
};

std::vector<settings_problem> problems_of(const setting_inputs& in) {
    auto loaded = load_settings(in);
    if (loaded) FAIL("the settings were accepted");
    return loaded.error();
}

loaded_settings loaded_from(const setting_inputs& in) {
    auto loaded = load_settings(in);
    if (!loaded) FAIL(to_text(loaded.error()));
    return *loaded;
}

bool contains(const std::string& text, const std::string& part) {
    return text.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("settings: without file, variables and flags everything has its default") {
    const auto loaded = load_settings({});
    REQUIRE(loaded);
    const settings defaults;
    for (const setting& s : setting_table()) {
        INFO(s.key);
        CHECK(s.get(loaded->values) == s.get(defaults));
        CHECK(loaded->sources.at(s.key) == "default");
    }
    CHECK(loaded->values.http.port == 8080);
    CHECK(loaded->values.http.host == "127.0.0.1");
}

TEST_CASE("settings: a later source wins, and each value names its own") {
    from_file load{"[http]\nport = 1\nbody_bytes_max = \"1MiB\"\ndrain_ms = 1\nhost = \"::1\"\n"};
    load.in.environment = {
        {"FLEXCORE_HTTP_PORT", "2"}, {"FLEXCORE_HTTP_DRAIN_MS", "2s"}, {"PATH", "/bin"}};
    load.in.flags = {{"http.port", "3", "--listen"}};
    const loaded_settings s = load.values();
    CHECK(s.values.http.port == 3);
    CHECK(s.sources.at("http.port") == "--listen");
    CHECK(s.values.http.drain == 2s);
    CHECK(s.sources.at("http.drain_ms") == "FLEXCORE_HTTP_DRAIN_MS");
    CHECK(s.values.http.body_bytes_max == 1u << 20);
    CHECK(s.sources.at("http.body_bytes_max") == load.place("3:18"));
    CHECK(s.values.http.host == "::1");
    CHECK(s.sources.at("http.idle_timeout_ms") == "default");
}

TEST_CASE("settings: DATABASE_URL names the store unless FLEXCORE_STORE_URL does") {
    setting_inputs in;
    in.environment = {{"DATABASE_URL", "memory:"}};
    CHECK(load_settings(in)->values.store.url == "memory:");
    CHECK(load_settings(in)->sources.at("store.url") == "DATABASE_URL");
    in.environment["FLEXCORE_STORE_URL"] = "sqlite:";
    CHECK(load_settings(in)->values.store.url == "sqlite:");
    in.flags = {{"store.url", "memory:", "--store"}};
    CHECK(load_settings(in)->values.store.url == "memory:");
}

TEST_CASE("settings: all errors are listed at once, each with its place") {
    from_file load{
        "[http]\n"
        "prot = 80\n"
        "port = 70000\n"
        "access_log = \"yes\"\n"
        "[stroe]\n"
        "url = \"memory:\"\n"
        "[log]\n"
        "level = \"loud\"\n"};
    load.in.environment = {{"FLEXCORE_HTP_PORT", "1"}, {"FLEXCORE_QUERIES_TIMEOUT_MS", "soon"}};
    load.in.flags = {{"http.drain", "1s", "--set http.drain"}};
    const auto problems = load.problems();
    std::map<std::string, std::string> by_place;
    for (const auto& p : problems) by_place[p.where] = p.text;
    REQUIRE(by_place.size() == 8);
    CHECK(by_place[load.place("2:1")] == "unknown setting http.prot; did you mean http.port?");
    CHECK(by_place[load.place("3:8")] ==
          "http.port must be an integer from 0 to 65535, not \"70000\"");
    CHECK(by_place[load.place("4:14")] == "http.access_log must be true or false, not a text");
    CHECK(by_place[load.place("5:2")] == "unknown setting stroe; did you mean store?");
    CHECK(by_place[load.place("8:9")] ==
          "log.level must be one of trace, debug, info, warn, error, off, not \"loud\"");
    CHECK(contains(by_place["FLEXCORE_HTP_PORT"], "did you mean FLEXCORE_HTTP_PORT?"));
    CHECK(contains(by_place["FLEXCORE_QUERIES_TIMEOUT_MS"], "not \"soon\""));
    CHECK(contains(by_place["--set http.drain"], "did you mean http.drain_ms?"));
}

TEST_CASE(
    "settings: wrong names, wrong types, wrong values and missing files are listed together") {
    from_file load{
        "[http]\n"
        "prot = 80\n"
        "host = \"example.org\"\n"
        "[store]\n"
        "url = \"mysql://x\"\n"
        "batch_events_max = \"many\"\n"
        "[plugins]\n"
        "load = [\"nope.so\"]\n"};
    load.in.flags = {{"projections.retry_delay_ms", "10min", "--set projections.retry_delay_ms"}};
    const auto all = load_settings(load.in, named_files::looked_at);
    REQUIRE_FALSE(all);
    std::vector<std::string> places;
    for (const auto& p : all.error()) places.push_back(p.where);
    std::ranges::sort(places);
    CHECK(places == std::vector<std::string>{"--set projections.retry_delay_ms", load.place("2:1"),
                                             load.place("3:8"), load.place("5:7"),
                                             load.place("6:20"), load.place("8:9")});
    CHECK(load.problems().size() == 5);  // no file is looked at without being asked for
}

TEST_CASE("settings: what only follows from another mistake is not said") {
    const auto count = [](const char* text, std::vector<flag_value> flags = {}) {
        from_file load{text};
        load.in.flags = std::move(flags);
        return load.problems().size();
    };
    const flag_value small{"runtime.stop_ms_max", "1s", "--set runtime.stop_ms_max"};
    // Against the default of a value that was meant to be another.
    CHECK(count("http.drain_ms = \"x\"", {small}) == 1);
    CHECK(count("http.drian_ms = 10", {small}) == 1);
    CHECK(count("[htpp]\ndrain_ms = 10", {small}) == 1);
    CHECK(count("[http]\ndrain_ms = = 10", {small}) == 1);
    CHECK(count("", {small, {"http.drian_ms", "10", "--set http.drian_ms"}}) == 1);
    // A flag puts right what the file has wrong, so it counts.
    CHECK(count("http.drain_ms = \"x\"", {small, {"http.drain_ms", "5s", "--set"}}) == 2);
    CHECK(count("[http]\nport = = 1", {{"http.host", "0.0.0.0", "--listen"},
                                       {"security.allow_anonymous_non_loopback", "false", "-"}}) ==
          2);
    from_file dirs{"[plugins]\ndirs = [\"/nowhere\"]\nload = [\"/proc/self/exe\"]\n"};
    const auto all = load_settings(dirs.in, named_files::looked_at);
    REQUIRE_FALSE(all);
    REQUIRE(all.error().size() == 1);
    CHECK(contains(all.error()[0].text, "plugins.dirs names /nowhere"));
}

TEST_CASE("settings: the errors of a file come in its order") {
    from_file load{
        "[store]\ndta = 1\n[http]\nprot = 1\nport = \"x\"\n[foo]\nx = 1\n[[plugins.load]]\nfil = "
        "1\n"};
    std::vector<std::string> places;
    for (const auto& p : load.problems()) places.push_back(p.where);
    CHECK(places == std::vector<std::string>{load.place("2:1"), load.place("4:1"),
                                             load.place("5:8"), load.place("6:2"),
                                             load.place("8:1"), load.place("9:1")});
}

TEST_CASE("settings: a file that is not TOML is refused with line and column") {
    from_file load{"[http]\nport = = 3\n"};
    const auto problems = load.problems();
    REQUIRE(problems.size() == 1);
    CHECK(problems[0].where == load.place("2:8"));
    CHECK_FALSE(problems[0].text.empty());
}

TEST_CASE("settings: a file the parser did not foresee is refused with its line") {
    for (const char* header : {"[?", "[?]", "[[?]]", "[ \x01 ]"}) {
        INFO(header);
        const from_file file{std::string{"http.port = 1\n\n"} + header + "\nx = 1\n"};
        const auto problems = file.problems();
        REQUIRE(problems.size() == 1);
        CHECK(problems[0].where.starts_with(file.place("3")));
        CHECK_FALSE(problems[0].text.empty());
    }
}

TEST_CASE("settings: a file that is not there is refused by name") {
    setting_inputs in;
    in.file = "/nowhere/flexcore.toml";
    CHECK(problems_of(in).at(0).where == "/nowhere/flexcore.toml");
}

TEST_CASE("settings: a folder, or a file that may not be read, is refused by name and reason") {
    const test::temp_folder folder;
    setting_inputs in;
    in.file = folder.path();
    CHECK(problems_of(in).at(0).where == folder.path().string());
    CHECK(contains(problems_of(in).at(0).text, "it is a folder"));
    in.file = "/nowhere/flexcore.toml";
    CHECK(contains(problems_of(in).at(0).text, "No such file"));
    in.file = "";
    CHECK(contains(problems_of(in).at(0).text, "cannot be read"));
    CHECK_FALSE(problems_of(in).at(0).where.empty());
}

TEST_CASE("settings: a key or section that stands twice is refused with the line of the second") {
    CHECK(contains(from_file{"[http]\nport = 1\nport = 2\n"}.problems().at(0).where, ":3:"));
    CHECK(contains(from_file{"[http]\nport = 1\n[http]\n"}.problems().at(0).where, ":3:"));
}

TEST_CASE(
    "settings: a default that does not fit is named by its key, a given value by its source") {
    setting_inputs in;
    in.flags = {{"projections.retry_delay_ms_max", "1ms", "--set max"}};
    CHECK(problems_of(in).at(0).where == "projections.retry_delay_ms (default)");
    in.flags.push_back({"projections.retry_delay_ms", "2ms", "--set delay"});
    CHECK(problems_of(in).at(0).where == "--set delay");
}

TEST_CASE("settings: a plugin that is given twice is loaded once, with a doubt") {
    setting_inputs in;
    in.flags = {{"plugins.load", "a.so", "--plugin", true}};
    CHECK(loaded_from(in).doubts.empty());
    in.flags.push_back(in.flags.front());
    const auto twice = loaded_from(in);
    CHECK(twice.values.plugin_load.size() == 1);
    REQUIRE(twice.doubts.size() == 1);
    CHECK(contains(twice.doubts[0].text, "a.so is given twice"));
}

TEST_CASE("settings: files and folders that are named must be there, each named with its place") {
    const test::temp_folder here;
    const auto problems = [](std::vector<flag_value> flags) {
        setting_inputs in;
        in.flags = std::move(flags);
        return check_named_files(loaded_from(in));
    };
    const std::string folder = here.path().string();
    const auto write = [&](const char* name, const char* text) {
        test::write_file(here / name, text);
        return (here / name).string();
    };
    CHECK(problems({}).empty());
    CHECK(problems({{"store.data", folder + "/new/below", "--data"}}).empty());
    const std::string file = write("file", "text");
    for (const std::string& data : {file, file + "/below"}) {
        const auto wrong = problems({{"store.data", data, "--data"}});
        REQUIRE(wrong.size() == 1);
        CHECK(wrong[0].where == "--data");
        CHECK(contains(wrong[0].text, file + " is a file"));
    }
    CHECK(problems({{"store.data", file, "--data"}, {"store.url", "memory:", "--store"}}).empty());
    const auto dirs = problems({{"plugins.dirs", folder + "/none", "--plugin-dir"}});
    REQUIRE(dirs.size() == 1);
    CHECK(contains(dirs[0].text, "none, which is not there"));
    const auto plugin = [&](const std::string& path, const std::string& dir) {
        const auto wrong = problems(
            {{"plugins.dirs", dir, "--plugin-dir"}, {"plugins.load", path, "--plugin", true}});
        return wrong.empty() ? std::string{} : wrong.at(0).text;
    };
    CHECK(contains(plugin(folder + "/none.so", folder), "no such file"));
    CHECK(contains(plugin(folder, folder), "not a regular file"));
    CHECK(contains(plugin(file, folder), "not a shared library"));
    CHECK(contains(plugin(file, "/usr"), "--plugin-dir " + folder));
    CHECK(plugin(write("good.so",
                       "\x7f"
                       "ELF and more"),
                 folder)
              .empty());
    CHECK(plugin(folder + "/good.so", folder + "/../" + here.path().filename().string()).empty());
}

TEST_CASE("settings: a variable without a name is nobody's") {
    setting_inputs in;
    in.environment = {{"", "x"}};
    CHECK(load_settings(in));
}

TEST_CASE("settings: wrong types are refused, not guessed") {
    for (const char* line :
         {"http.port = \"80\"", "http.port = 80.5", "http.port = true", "http.port = [80]",
          "log.level = 3", "plugins.dirs = \"plugins\"", "plugins.dirs = [1]", "http = 3",
          "plugins.load = [{config = {}}]", "plugins.load = [{file = 3}]",
          "plugins.load = [{file = \"a.so\", confg = {}}]", "http.access_log = 1", "http.port = {}",
          "http.drain_ms = \"-1s\"", "http.drain_ms = \"1 year\"",
          "http.body_bytes_max = \"99999999999GiB\"", "http.body_bytes_max = \"4MB\""}) {
        INFO(line);
        CHECK(from_file{line}.problems().size() == 1);
    }
    CHECK(contains(from_file{"http.port = 8e3"}.problems().at(0).text, "not a fraction"));
    CHECK(contains(from_file{"log.level = 2020-01-01"}.problems().at(0).text, "not a date"));
}

TEST_CASE("settings: durations and sizes are integers in the name's unit or texts with their own") {
    const auto drain = [](const std::string& text) {
        return from_file{"http.drain_ms = " + text}.values().values.http.drain;
    };
    CHECK(drain("250") == 250ms);
    CHECK(drain("\"250ms\"") == 250ms);
    CHECK(drain("\"2s\"") == 2s);
    CHECK(drain("\"2 s\"") == 2s);
    CHECK(drain("\"250\"") == 250ms);
    const auto body = [](const std::string& text) {
        return from_file{"http.body_bytes_max = " + text}.values().values.http.body_bytes_max;
    };
    CHECK(body("65536") == 65536);
    CHECK(body("\"64KiB\"") == 65536);
    CHECK(body("\"65536B\"") == 65536);
}

TEST_CASE("settings: plugins are files with their configuration, --plugin adds") {
    from_file load{
        "[[plugins.load]]\nfile = \"a.so\"\nconfig = {deep = {n = 1}, list = [\"x\"]}\n"
        "[[plugins.load]]\nfile = \"b.so\"\n"};
    load.in.flags = {{"plugins.load", "c.so", "--plugin", true},
                     {"plugins.load", "a.so", "--plugin", true}};
    const auto loaded = load.values();
    const auto& plugins = loaded.values.plugin_load;
    REQUIRE(plugins.size() == 3);
    CHECK(plugins[0].file == "a.so");
    const auto config = json::to_value(plugins[0].config_json);
    REQUIRE(config);
    CHECK(*config == json::to_value(R"({"deep":{"n":1},"list":["x"]})").value());
    CHECK(plugins[1] == plugin_entry{"b.so", ""});
    CHECK(plugins[2] == plugin_entry{"c.so", ""});
    setting_inputs by_variable;
    by_variable.environment = {{"FLEXCORE_PLUGINS_LOAD", "x.so, y.so"}};
    CHECK(load_settings(by_variable)->values.plugin_load ==
          std::vector<plugin_entry>{{"x.so", ""}, {"y.so", ""}});
    // --set is a new list like a variable; --plugin takes a comma as it is.
    load.in.flags = {{"plugins.load", "x.so,y.so", "--set plugins.load"},
                     {"plugins.load", "z,z.so", "--plugin", true}};
    CHECK(load.values().values.plugin_load ==
          std::vector<plugin_entry>{{"x.so", ""}, {"y.so", ""}, {"z,z.so", ""}});
}

TEST_CASE("settings: other than loopback needs an explicit word") {
    setting_inputs in;
    in.flags = {{"http.host", "0.0.0.0", "--listen"}};
    const auto problems = problems_of(in);
    REQUIRE(problems.size() == 1);
    CHECK(problems[0].where == "--listen");
    CHECK(contains(problems[0].text, "security.allow_anonymous_non_loopback"));
    in.flags.push_back({"security.allow_anonymous_non_loopback", "true", "--set"});
    CHECK(load_settings(in));
    for (const char* host : {"127.0.0.1", "127.9.9.9", "::1", "localhost"}) {
        INFO(host);
        CHECK(is_loopback(host));
    }
    for (const char* host : {"0.0.0.0", "::", "192.168.1.1", "128.0.0.1", "example.org", ""}) {
        INFO(host);
        CHECK_FALSE(is_loopback(host));
    }
}

TEST_CASE("settings: values that contradict each other are refused") {
    for (const char* text :
         {"http.drain_ms = \"15s\"\nruntime.stop_ms_max = \"10s\"", "http.host = \"example.org\"",
          "store.url = \"mysql://x\"", "store.url = \"memory:x\"", "store.url = \"sqlite:/x.db\"",
          "store.data = \"\"", "store.batch_events_max = 1000\nstore.queue_events_max = 10",
          "http.body_bytes_max = \"128MiB\"", "projections.retry_delay_ms = \"10min\""}) {
        INFO(text);
        CHECK(from_file{text}.problems().size() == 1);
    }
}

TEST_CASE("settings: origins of pages are origins, or refused by name") {
    from_file good{"[http]\ncors_origins = [\"https://app.example.com\", \"http://[::1]:3000\"]\n"};
    CHECK(good.values().values.http.cors_origins.size() == 2);
    setting_inputs variable;
    variable.environment = {{"FLEXCORE_HTTP_CORS_ORIGINS", "http://a,http://b"}};
    CHECK(load_settings(variable)->values.http.cors_origins ==
          std::vector<std::string>{"http://a", "http://b"});
    for (const char* bad : {"*", "null", "app.example.com", "https://app.example.com/"}) {
        from_file load{"[http]\ncors_origins = [\"https://a\", \"" + std::string{bad} + "\"]\n"};
        const auto problems = load.problems();
        REQUIRE(problems.size() == 1);
        CHECK(contains(problems[0].text, "must list origins"));
        CHECK(contains(problems[0].text, bad));
    }
}

TEST_CASE("settings: variables that Kubernetes sets for a service are not settings") {
    setting_inputs in;
    in.environment = {{"FLEXCORE_SERVICE_HOST", "10.0.0.1"},
                      {"FLEXCORE_SERVICE_PORT", "8080"},
                      {"FLEXCORE_PORT", "tcp://10.0.0.1:8080"},
                      {"FLEXCORE_PORT_8080_TCP_ADDR", "10.0.0.1"},
                      {"FLEXCORE_CONFIG", "x"},
                      {"FLEXCORE_URL", "http://x"}};
    CHECK(load_settings(in));
}

TEST_CASE("settings: a password in the store's URL is never shown") {
    CHECK(mask_url("postgres://u:secret@h/db") == "postgres://u:***@h/db");
    CHECK(mask_url("postgres://u:s@c:r@h:5432/db") == "postgres://u:***@h:5432/db");
    CHECK(mask_url("postgres://h/db?user=u&password=secret&x=1") ==
          "postgres://h/db?user=u&password=***&x=1");
    CHECK(mask_url("postgres://u@h:5432/db") == "postgres://u@h:5432/db");
    CHECK(mask_url("sqlite:") == "sqlite:");
    CHECK_FALSE(contains(mask_url("postgres://u:se/cr?et#@h/db"), "cr?et"));
    CHECK_FALSE(contains(mask_url("postgres:u:secret@h/db"), "secret"));
    CHECK_FALSE(contains(mask_url("postgres://h/?sslpassword=a&password=secret"), "secret"));
    CHECK(mask_url("postgres://h:5432/db") == "postgres://h:5432/db");
    loaded_settings loaded = *load_settings({});
    loaded.values.store.url = "postgres://u:secret@h/db";
    CHECK_FALSE(contains(settings_as_toml(loaded), "secret"));
    CHECK_FALSE(contains(settings_as_json(loaded), "secret"));
    setting_inputs in;
    in.flags = {{"store.url", "mysql://u:secret@h/db", "--store"}};
    CHECK_FALSE(contains(to_text(problems_of(in)), "secret"));
}

TEST_CASE("settings: what `show` prints is a settings file that gives the same values") {
    from_file load{"[http]\nport = 9999\n[log]\nlevel = \"debug\"\n[plugins]\ndirs = [\"a b\"]\n"};
    const loaded_settings first = load.values();
    const loaded_settings second = from_file{settings_as_toml(first)}.values();
    for (const setting& s : setting_table()) {
        INFO(s.key);
        CHECK(s.get(first.values) == s.get(second.values));
    }
    const auto json = json::to_value(settings_as_json(first));
    REQUIRE(json);
    CHECK(json->at("http.port").at("value") == 9999);
    CHECK(json->at("http.port").at("source").as_string() == load.place("2:8"));
    CHECK(json->at("http.host").at("source") == "default");
}

TEST_CASE("settings: config/flexcore.toml lists every setting with its default and explanation") {
    CHECK(test::read_file(FLEXCORE_SOURCE_DIR "/config/flexcore.toml") == settings_example());
}

TEST_CASE("settings: the example's lines are the defaults, once their comment sign is gone") {
    std::string text;
    std::set<std::string> names;
    for (const setting& s : setting_table()) names.insert(s.name());
    std::istringstream lines{settings_example()};
    for (std::string line; std::getline(lines, line);) {
        const std::string plain = line.starts_with("# ") ? line.substr(2) : line;
        const bool is_value = names.contains(plain.substr(0, plain.find(" = ")));
        if (is_value || line.starts_with('[')) text += plain + "\n";
    }
    const loaded_settings loaded = from_file{text}.values();
    const settings defaults;
    for (const setting& s : setting_table()) {
        INFO(s.key);
        CHECK(s.get(loaded.values) == s.get(defaults));
        CHECK(loaded.sources.at(s.key) != "default");
        CHECK_FALSE(s.about.empty());
    }
}

TEST_CASE("settings: names, variables and limits of the table are sound") {
    std::set<std::string> keys, variables;
    const settings defaults;
    for (const setting& s : setting_table()) {
        INFO(s.key);
        CHECK(keys.insert(s.key).second);
        CHECK(variables.insert(s.variable()).second);
        CHECK(std::ranges::count(s.key, '.') == 1);
        if (const setting_value value = s.get(defaults);
            std::holds_alternative<std::int64_t>(value))
            CHECK(value_from_integer(s, std::get<std::int64_t>(value)));
        if (s.kind == setting_kind::milliseconds) CHECK(s.key.find("_ms") != std::string::npos);
    }
    CHECK(find_setting("http.port")->variable() == "FLEXCORE_HTTP_PORT");
}
