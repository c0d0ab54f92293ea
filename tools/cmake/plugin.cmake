# flexcore_plugin(<name> SOURCES … [LIBS …])
#     A plugin: target plugin_<name>, file plugins/<name>.so in the build folder, against include/
#     only. Exports the entry function and nothing else, and can be unmapped.
#
# Works inside the tree and alone: a plugin's own CMakeLists.txt includes this file.

set(FLEXCORE_PLUGIN_ROOT "${CMAKE_CURRENT_LIST_DIR}/../..")

function(flexcore_plugin name)
  cmake_parse_arguments(arg "" "" "SOURCES;LIBS" ${ARGN})
  set(target plugin_${name})
  add_library(${target} MODULE ${arg_SOURCES})
  target_include_directories(${target} PRIVATE ${FLEXCORE_PLUGIN_ROOT}/include)
  target_link_libraries(${target} PRIVATE ${arg_LIBS})
  set_target_properties(${target} PROPERTIES
    PREFIX "" OUTPUT_NAME ${name} LIBRARY_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}/plugins"
    CXX_STANDARD 23 CXX_STANDARD_REQUIRED ON CXX_EXTENSIONS OFF
    CXX_VISIBILITY_PRESET hidden C_VISIBILITY_PRESET hidden VISIBILITY_INLINES_HIDDEN ON)
  target_compile_options(${target} PRIVATE $<$<COMPILE_LANG_AND_ID:CXX,GNU>:-fno-gnu-unique>)
  target_link_options(${target} PRIVATE
    -Wl,--version-script=${FLEXCORE_PLUGIN_ROOT}/tools/cmake/plugin.map)
  if(NOT FLEXCORE_SANITIZE)
    target_link_options(${target} PRIVATE -Wl,-z,defs)
  endif()
endfunction()
