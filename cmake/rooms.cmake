add_library(kedge_options INTERFACE)
target_include_directories(kedge_options INTERFACE ${PROJECT_SOURCE_DIR})
target_compile_options(kedge_options INTERFACE -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wno-sign-conversion)
if(CMAKE_CXX_COMPILER_ID STREQUAL GNU AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
    # GCC 12 reports std::string's own insert, assign and operator+ as overlapping copies, as soon as it inlines them (GCC bug 105651).
    target_compile_options(kedge_options INTERFACE -Wno-restrict)
endif()
if(KEDGE_WERROR)
    target_compile_options(kedge_options INTERFACE -Werror)
endif()

# What is installed is built for size: an agent that mostly waits is what it keeps in memory, and nothing in it computes long (docs/benchmarks.md).
# GCC 12 then reports members of std::optional and std::stop_source as uninitialised; the tests, which keep -O3, and ./dev lint still look for that.
function(kedge_small target)
    target_compile_options(${target} PRIVATE "$<$<CONFIG:Release>:-Os;-ffunction-sections;-fdata-sections;-Wno-maybe-uninitialized>")
endfunction()

# kedge_sanitize(target): puts the configured sanitizers on everything but the static shim.
function(kedge_sanitize target)
    if(KEDGE_SANITIZE)
        target_compile_options(${target} PRIVATE -fsanitize=${KEDGE_SANITIZE} -fno-omit-frame-pointer)
        target_link_options(${target} PUBLIC -fsanitize=${KEDGE_SANITIZE})
    endif()
endfunction()

# kedge_room(name [USES rooms...] [LIBRARIES libraries...] [EXCEPT sources...]): the static library kedge_<name> of the sources in the current
# folder, but for those named EXCEPT. USES names the rooms it may include; nothing else of kedge is linked, so a call into a room that isn't named fails to link.
function(kedge_room name)
    cmake_parse_arguments(arg "" "" "USES;LIBRARIES;EXCEPT" ${ARGN})
    file(GLOB sources CONFIGURE_DEPENDS *.cpp)
    foreach(except IN LISTS arg_EXCEPT)
        list(REMOVE_ITEM sources ${CMAKE_CURRENT_SOURCE_DIR}/${except})
    endforeach()
    if(NOT sources)
        add_library(kedge_${name} INTERFACE)
        return()
    endif()
    add_library(kedge_${name} STATIC ${sources})
    list(TRANSFORM arg_USES PREPEND kedge_)
    target_link_libraries(kedge_${name} PUBLIC kedge_options ${arg_USES} PRIVATE ${arg_LIBRARIES})
    kedge_small(kedge_${name})
    kedge_sanitize(kedge_${name})
endfunction()

# kedge_program(name destination USES rooms... [LIBRARIES ...] [SOURCES sources...] [STATIC]): the executable <name> of the named sources, or of all
# in the current folder, installed into `destination`. A STATIC one is linked with these rooms alone and none of their libraries, so it needs no dynamic
# linker, which takes longer than such a program's own work.
function(kedge_program name destination)
    cmake_parse_arguments(arg "STATIC" "" "USES;LIBRARIES;SOURCES" ${ARGN})
    file(GLOB sources CONFIGURE_DEPENDS *.cpp)
    if(arg_SOURCES)
        set(sources ${arg_SOURCES})
    endif()
    if(NOT sources)
        return()
    endif()
    add_executable(${name} ${sources})
    list(TRANSFORM arg_USES PREPEND kedge_)
    if(arg_STATIC AND NOT KEDGE_SANITIZE)
        add_dependencies(${name} ${arg_USES})
        list(TRANSFORM arg_USES REPLACE ".+" "$<TARGET_FILE:\\0>")
        # Thousands of vtables and constants are moved at each start: packed, that takes no pages of its own.
        target_link_options(${name} PRIVATE -static-pie -Wl,-z,pack-relative-relocs)
    endif()
    target_link_libraries(${name} PRIVATE kedge_options ${arg_USES} ${arg_LIBRARIES})
    kedge_small(${name})
    target_link_options(${name} PRIVATE -Wl,--gc-sections)
    kedge_sanitize(${name})
    install(TARGETS ${name} DESTINATION ${destination})
endfunction()
