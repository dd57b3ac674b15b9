#include "cli/flag_values.h"
#include "cli/format.h"

#include <nlohmann/json.hpp>

#include <charconv>
#include <sstream>

namespace kedge::cli {

using nlohmann::json;

namespace {

constexpr const char* kNumberForm = ". The correct format is <device-path>:<number>. Number must be a positive integer";

struct PathAndValue {
    std::string path, value;
};

PathAndValue split_limit(const std::string& flag, const std::string& name) {
    const size_t colon = flag.find(':');
    if (colon == std::string::npos || colon == 0 || flag.find(':', colon + 1) != std::string::npos)
        throw invalid_flag(flag, name, "bad format: " + flag);
    if (!flag.starts_with("/dev/")) throw invalid_flag(flag, name, "bad format for device path: " + flag);
    return {flag.substr(0, colon), flag.substr(colon + 1)};
}

int64_t whole_number(const std::string& text, int64_t least, int64_t most) {
    int64_t value = 0;
    auto [rest, failure] = std::from_chars(text.data(), text.data() + text.size(), value);
    const bool good = failure == std::errc() && rest == text.data() + text.size() && value >= least && value <= most;
    return good ? value : -1;
}

void put_operations(const std::vector<std::string>& flags, const char* name, const char* key, json& host) {
    for (const std::string& flag : flags) {
        const auto [path, text] = split_limit(flag, name);
        const int64_t rate = whole_number(text, 1, INT64_MAX);
        if (rate < 0) throw invalid_flag(flag, name, "invalid rate for device: " + flag + kNumberForm);
        host[key].push_back({{"Path", path}, {"Rate", rate}});
    }
}

void put_bytes(const std::vector<std::string>& flags, const char* name, const char* key, json& host) {
    for (const std::string& flag : flags) {
        const auto [path, text] = split_limit(flag, name);
        int64_t rate = 0;
        try {
            rate = size_of(text);
        } catch (const Error&) {
            rate = 0;
        }
        if (rate <= 0) {
            throw invalid_flag(flag, name,
                               "invalid rate for device: " + flag +
                                   ". The correct format is <device-path>:<number>[<unit>]. Number must be a positive "
                                   "integer. Unit is optional and can be kb, mb, or gb");
        }
        host[key].push_back({{"Path", path}, {"Rate", rate}});
    }
}

}  // namespace

void put_device_limits(const RunOptions& o, json& host) {
    for (const std::string& flag : o.device_weights) {
        const auto [path, text] = split_limit(flag, "--blkio-weight-device");
        const int64_t weight = whole_number(text, 10, 1000);
        if (weight < 0) throw invalid_flag(flag, "--blkio-weight-device", "invalid weight for device: " + flag);
        host["BlkioWeightDevice"].push_back({{"Path", path}, {"Weight", weight}});
    }
    put_bytes(o.device_read_bytes, "--device-read-bps", "BlkioDeviceReadBps", host);
    put_bytes(o.device_write_bytes, "--device-write-bps", "BlkioDeviceWriteBps", host);
    put_operations(o.device_read_operations, "--device-read-iops", "BlkioDeviceReadIOps", host);
    put_operations(o.device_write_operations, "--device-write-iops", "BlkioDeviceWriteIOps", host);
}

json read_gpus(const std::string& flag) {
    json request = {{"Driver", ""}, {"Count", -1}, {"Capabilities", json::array({{"gpu"}})}};
    std::istringstream fields(flag);
    for (std::string field; std::getline(fields, field, ',');) {
        if (field.starts_with("driver=")) request["Driver"] = field.substr(7);
    }
    return request;
}

}  // namespace kedge::cli
