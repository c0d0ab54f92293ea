# What every target of the project shares: language level, warnings, sanitizers, compile-time aids.
#
#   flexcore_module(<name> SOURCES … [DEPENDS …] [PRIVATE …] [ASIO | PCH <header>])
#       A module of src/: static library flexcore_<name>. DEPENDS: modules or libraries its public
#       headers need; PRIVATE: those only its sources need; ASIO: precompile Asio and Beast too;
#       PCH: precompile a header of its own.
#   flexcore_plugin(<name> SOURCES … [LIBS …])
#       A plugin: build/<preset>/plugins/<name>.so, against include/ only; in plugin.cmake.
#   flexcore_test(<name> SOURCES … [LIBS …] [LABELS …] [TIMEOUT seconds] [POSTGRES])
#       A Catch2 program; each of its test cases becomes one test of ctest. POSTGRES: they find the run's
#       PostgreSQL started; see tests/support.
#   flexcore_test_on_postgres(<name> SPEC <test spec> [LABELS …] [TIMEOUT seconds])
#       The same program once more, its servers with a store in PostgreSQL: the test cases of Catch's spec.
#   flexcore_test_library(<name> SOURCES … [LIBS …])
#       What several test programs share, compiled once, as the tests are.

option(FLEXCORE_TESTS "Build the tests" ON)
set(FLEXCORE_SANITIZE "" CACHE STRING "-fsanitize= list: address,undefined or thread")
option(FLEXCORE_FUZZ "Build the fuzz targets with libFuzzer (clang)" OFF)

set(CMAKE_CXX_STANDARD 23)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_C_STANDARD 11)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}")
# -O2 with line tables: profiles and crash traces name the line.
set(CMAKE_CXX_FLAGS_RELWITHDEBINFO "-O2 -g1")
set(CMAKE_C_FLAGS_RELWITHDEBINFO "-O2 -g1")
set(CMAKE_CXX_FLAGS_DEBUG "-O1 -g1 -D_GLIBCXX_ASSERTIONS")
set(CMAKE_C_FLAGS_DEBUG "-O1 -g1")

find_program(FLEXCORE_CCACHE ccache)
if(FLEXCORE_CCACHE)
  set(launcher ${CMAKE_CURRENT_LIST_DIR}/compile ${CMAKE_SOURCE_DIR})
  set(CMAKE_C_COMPILER_LAUNCHER ${launcher})
  set(CMAKE_CXX_COMPILER_LAUNCHER ${launcher})
endif()
find_program(FLEXCORE_MOLD mold)
if(FLEXCORE_MOLD)
  add_link_options(-fuse-ld=mold)
endif()

add_compile_options(-Wall -Wextra -Wpedantic -Wshadow
                    $<$<COMPILE_LANGUAGE:CXX>:-Wnon-virtual-dtor> $<$<COMPILE_LANGUAGE:CXX>:-Wold-style-cast>
                    -Wcast-align $<$<COMPILE_LANGUAGE:CXX>:-Woverloaded-virtual>
                    -Werror -fno-omit-frame-pointer)
# ccache needs both to store what a precompiled header takes part in.
add_compile_options("$<$<CXX_COMPILER_ID:GNU>:-fpch-preprocess>"
                    "$<$<COMPILE_LANG_AND_ID:CXX,Clang>:SHELL:-Xclang -fno-pch-timestamp>")
# g++ would collect garbage again and again in what a precompiled header has brought (a tenth of
# the time): not below half a gigabyte.
add_compile_options("$<$<COMPILE_LANG_AND_ID:CXX,GNU>:SHELL:--param ggc-min-heapsize=524288>")
# libstdc++ 12 uses in std::stable_sort what it calls deprecated itself.
add_compile_options($<$<COMPILE_LANG_AND_ID:CXX,Clang>:-Wno-deprecated-declarations>)
# The sanitizers run with clang: it compiles them in half the time, and is a second opinion.
# vptr asks the kernel through a pipe whether memory can be read, and cries wolf in a test that
# has used up the file descriptors; the address sanitizer sees such accesses.
if(FLEXCORE_SANITIZE)
  add_compile_options(-fsanitize=${FLEXCORE_SANITIZE} -fno-sanitize=vptr -fno-sanitize-recover=all)
  add_link_options(-fsanitize=${FLEXCORE_SANITIZE})
endif()
if(FLEXCORE_FUZZ)
  add_compile_options(-fsanitize=fuzzer-no-link)
endif()

find_package(Threads REQUIRED)
find_package(Boost 1.81 REQUIRED COMPONENTS json)
find_package(fmt REQUIRED)
find_package(spdlog REQUIRED)
find_package(SQLite3 REQUIRED)
find_package(OpenSSL REQUIRED)
find_package(ZLIB REQUIRED)
find_package(PkgConfig REQUIRED)
pkg_check_modules(zstd REQUIRED IMPORTED_TARGET libzstd)

add_compile_definitions(BOOST_ASIO_SEPARATE_COMPILATION BOOST_ASIO_NO_DEPRECATED
                        BOOST_BEAST_SEPARATE_COMPILATION)

function(flexcore_module name)
  cmake_parse_arguments(arg "ASIO" "PCH" "SOURCES;DEPENDS;PRIVATE" ${ARGN})
  set(target flexcore_${name})
  add_library(${target} STATIC ${arg_SOURCES})
  target_include_directories(${target} PUBLIC ${CMAKE_SOURCE_DIR}/src
                                       PRIVATE ${CMAKE_SOURCE_DIR}/include)
  target_link_libraries(${target} PUBLIC Boost::json ${arg_DEPENDS}
                                  PRIVATE fmt::fmt Threads::Threads ${arg_PRIVATE})
  if(arg_PCH)
    target_precompile_headers(${target} PRIVATE ${arg_PCH})
  elseif(arg_ASIO)
    target_precompile_headers(${target} REUSE_FROM flexcore_pch_asio)
  else()
    target_precompile_headers(${target} REUSE_FROM flexcore_pch)
  endif()
endfunction()

include(${CMAKE_CURRENT_LIST_DIR}/plugin.cmake)

function(flexcore_test_library name)
  cmake_parse_arguments(arg "" "" "SOURCES;LIBS" ${ARGN})
  add_library(${name} STATIC ${arg_SOURCES})
  target_include_directories(${name} PUBLIC ${CMAKE_SOURCE_DIR}/tests ${CMAKE_SOURCE_DIR}/src
                                            ${CMAKE_SOURCE_DIR}/include)
  target_link_libraries(${name} PUBLIC Boost::json fmt::fmt Threads::Threads ${arg_LIBS})
  target_precompile_headers(${name} REUSE_FROM flexcore_pch_test)
  set_target_properties(${name} PROPERTIES POSITION_INDEPENDENT_CODE OFF)
  target_compile_options(${name} PRIVATE -O0 -fPIE)
endfunction()

function(flexcore_test name)
  cmake_parse_arguments(arg "POSTGRES" "TIMEOUT" "SOURCES;LIBS;LABELS" ${ARGN})
  if(NOT arg_TIMEOUT)
    set(arg_TIMEOUT 120)
  endif()
  set(properties TIMEOUT ${arg_TIMEOUT})
  if(arg_POSTGRES)
    list(APPEND properties FIXTURES_REQUIRED postgres)
  endif()
  add_executable(${name} ${arg_SOURCES})
  target_include_directories(${name} PRIVATE ${CMAKE_SOURCE_DIR}/tests ${CMAKE_SOURCE_DIR}/src
                                             ${CMAKE_SOURCE_DIR}/include)
  target_link_libraries(${name} PRIVATE flexcore_test_main Boost::json fmt::fmt Threads::Threads ${arg_LIBS})
  target_precompile_headers(${name} REUSE_FROM flexcore_pch_test)
  set_target_properties(${name} PROPERTIES
    RUNTIME_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}/tests")
  # Nothing in a test is worth the time that optimizing it takes.
  target_compile_options(${name} PRIVATE -O0)
  target_compile_definitions(${name} PRIVATE
    FLEXCORE_BINARY_DIR="${CMAKE_BINARY_DIR}" FLEXCORE_SOURCE_DIR="${CMAKE_SOURCE_DIR}")
  catch_discover_tests(${name} TEST_PREFIX "${name}: " PROPERTIES ${properties})
  _flexcore_label(${name}_TESTS "${arg_LABELS}")
endfunction()

# catch_discover_tests would keep the first of several labels only.
function(_flexcore_label list labels)
  set(file "${CMAKE_CURRENT_BINARY_DIR}/${list}_labels.cmake")
  file(WRITE "${file}" "set_tests_properties(\${${list}} PROPERTIES LABELS \"${labels}\")\n")
  set_property(DIRECTORY APPEND PROPERTY TEST_INCLUDE_FILES "${file}")
endfunction()

function(flexcore_test_on_postgres name)
  cmake_parse_arguments(arg "" "SPEC;TIMEOUT" "LABELS" ${ARGN})
  if(NOT arg_TIMEOUT)
    set(arg_TIMEOUT 120)
  endif()
  catch_discover_tests(${name} TEST_PREFIX "${name} on PostgreSQL: " TEST_SPEC "${arg_SPEC}"
    TEST_LIST ${name}_postgres_TESTS
    PROPERTIES TIMEOUT ${arg_TIMEOUT} FIXTURES_REQUIRED postgres ENVIRONMENT FLEXCORE_TEST_STORE=postgres)
  _flexcore_label(${name}_postgres_TESTS "${arg_LABELS}")
endfunction()
