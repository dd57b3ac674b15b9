#include "api/terminal_size.h"

#include "base/error.h"

#include <charconv>
#include <cstdint>

namespace kedge::api {

namespace {

unsigned size_parameter(const Request& request, const char* name) {
    std::string text = request.parameter(name);
    uint16_t value = 0;
    auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (failure != std::errc() || end != text.data() + text.size())
        throw Error(Code::invalid_argument, std::string(name) + ": \"" + text + "\" is not the size of a terminal");
    return value;
}

}  // namespace

std::pair<unsigned, unsigned> terminal_size(const Request& request) {
    return {size_parameter(request, "h"), size_parameter(request, "w")};
}

std::pair<unsigned, unsigned> read_console_size(const Fields& body) {
    const nlohmann::json* size = body.find("ConsoleSize");
    if (!size) return {0, 0};
    auto valid = [](const nlohmann::json& value) {
        return value.is_number_integer() && value >= 0 && value <= UINT16_MAX;
    };
    if (!size->is_array() || size->size() != 2 || !valid((*size)[0]) || !valid((*size)[1]))
        throw Error(Code::invalid_argument, body.path_of("ConsoleSize") + ": must be the height and the width");
    return {(*size)[0].get<unsigned>(), (*size)[1].get<unsigned>()};
}

}  // namespace kedge::api
