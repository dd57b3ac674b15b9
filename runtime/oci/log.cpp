#include "runtime/oci/log.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/fd.h"
#include "runtime/oci/json_field.h"

#include <fcntl.h>

namespace kedge::oci {

void Log::write(const std::string& level, const std::string& message) const {
    if (path.empty()) return;
    auto quoted = [](const std::string& text) {
        return Json(text).dump(-1, ' ', false, Json::error_handler_t::replace);
    };
    const std::string time = format_time(wall_now());
    const std::string line =
        json ? "{\"level\":" + quoted(level) + ",\"msg\":" + quoted(message) + ",\"time\":" + quoted(time) + "}\n"
             : "time=" + quoted(time) + " level=" + level + " msg=" + quoted(message) + "\n";
    try {
        Fd file = open_at(AT_FDCWD, path, O_WRONLY | O_CREAT | O_APPEND, 0644);
        write_all(file.get(), line);
    } catch (const Error&) {
        // Standard error has it too.
    }
}

}  // namespace kedge::oci
