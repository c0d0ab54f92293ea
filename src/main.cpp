// The executable: hands over to the sub-commands; the last wall for exceptions.
#include "cli/cli.hpp"

#include <cstdio>
#include <exception>
#include <iostream>
#include <string>
#include <vector>

int main(int argc, char** argv) {
    try {
        const std::vector<std::string> args(argv + 1, argv + argc);
        return flexcore::cli::run(args, {std::cin, std::cout, std::cerr});
    } catch (const std::exception& e) {
        std::fprintf(stderr, "flexcore: internal error: %s\n", e.what());
        return 1;
    }
}
