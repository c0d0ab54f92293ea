#define CATCH_CONFIG_MAIN
#include <catch2/catch.hpp>

// libpqxx 6.4 forgets a result of 2 KB whenever a session is lost in a statement; it was mended
// in 7.
extern "C" const char* __lsan_default_suppressions();                              // NOLINT
extern "C" const char* __lsan_default_suppressions() { return "leak:libpqxx\n"; }  // NOLINT
