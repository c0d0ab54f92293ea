# flexcore_embed(<out.cpp> NAME <a::b::name> HEADER <header> FILES …)
#     Writes a source file that defines `const std::vector<embedded_file>& name()` in namespace
#     a::b: name and text of each file, in the order given. Configured anew when a file changes.

function(flexcore_embed output)
  cmake_parse_arguments(arg "" "NAME;HEADER" "FILES" ${ARGN})
  string(REGEX MATCH "^(.*)::([^:]+)$" ignored ${arg_NAME})
  set(space ${CMAKE_MATCH_1})
  set(function ${CMAKE_MATCH_2})
  set(entries "")
  foreach(file IN LISTS arg_FILES)
    set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${file})
    file(READ ${file} text)
    get_filename_component(name ${file} NAME)
    string(APPEND entries "        {\"${name}\", R\"embedded(${text})embedded\"},\n")
  endforeach()
  file(CONFIGURE OUTPUT ${output} @ONLY CONTENT
"#include \"@arg_HEADER@\"

namespace @space@ {

const std::vector<embedded_file>& @function@() {
    static const std::vector<embedded_file> files{
@entries@    };
    return files;
}

}  // namespace @space@
")
endfunction()
