#include "cli/flag_values.h"

#include <nlohmann/json.hpp>

#include <arpa/inet.h>

#include <charconv>
#include <sstream>

namespace kedge::cli {

using nlohmann::json;

namespace {

Error invalid(const std::string& text) {
    return Error(Code::invalid_argument, text);
}

/// One --network: a name, or `name=front,alias=www,ip=10.1.2.3`.
struct Attachment {
    std::string name, ip, ip6, mac;
    std::vector<std::string> aliases;
    std::vector<std::string> options;
    int64_t priority = 0;

    bool is_default() const { return name == "default" || name == "bridge"; }
    bool user_defined() const {
        return name != "host" && name != "none" && name != "default" && name != "bridge" &&
               !name.starts_with("container:");
    }
};

int64_t read_priority(const std::string& flag, const std::string& value) {
    int64_t priority = 0;
    auto [rest, failure] = std::from_chars(value.data(), value.data() + value.size(), priority);
    if (failure != std::errc() || rest != value.data() + value.size())
        throw invalid_flag(flag, "--network", "invalid gw-priority: " + value);
    return priority;
}

Attachment read_attachment(const std::string& flag) {
    Attachment attachment;
    if (flag.find('=') == std::string::npos) {
        attachment.name = flag;
        return attachment;
    }
    std::istringstream stream(flag);
    for (std::string field; std::getline(stream, field, ',');) {
        size_t equals = field.find('=');
        if (equals == std::string::npos) throw invalid_flag(flag, "--network", "invalid field " + field);
        std::string key = field.substr(0, equals), value = field.substr(equals + 1);
        if (key == "name")
            attachment.name = value;
        else if (key == "alias")
            attachment.aliases.push_back(value);
        else if (key == "ip")
            attachment.ip = value;
        else if (key == "ip6")
            attachment.ip6 = value;
        else if (key == "mac-address")
            attachment.mac = value;
        else if (key == "driver-opt")
            attachment.options.push_back(value);
        else if (key == "gw-priority")
            attachment.priority = read_priority(flag, value);
        else
            throw invalid_flag(flag, "--network", key + " is not supported yet");
    }
    if (attachment.name.empty()) throw invalid_flag(flag, "--network", "network name/id is not specified");
    return attachment;
}

bool is_ipv4(const std::string& text) {
    unsigned char bytes[4];
    return ::inet_pton(AF_INET, text.c_str(), bytes) == 1;
}

bool is_address(const std::string& text) {
    unsigned char bytes[16];
    return is_ipv4(text) || ::inet_pton(AF_INET6, text.c_str(), bytes) == 1;
}

void check(const Attachment& attachment, size_t count) {
    if (count > 1 && !attachment.user_defined()) {
        throw invalid("conflicting options: cannot attach both user-defined and non-user-defined network-modes");
    }
    if (!attachment.aliases.empty() && !attachment.user_defined()) {
        throw invalid("network-scoped aliases are only supported for user-defined networks");
    }
    if (!(attachment.ip.empty() && attachment.ip6.empty()) && !attachment.user_defined()) {
        throw invalid("user specified IP address is supported on user defined networks only");
    }
    if (!attachment.mac.empty() && !attachment.user_defined() && !attachment.is_default())
        throw invalid("conflicting options: mac-address and the network mode");
    if (!attachment.ip.empty() && !is_ipv4(attachment.ip)) throw invalid("invalid IPv4 address: " + attachment.ip);
    const bool ipv6 = is_address(attachment.ip6) && !is_ipv4(attachment.ip6);
    if (!attachment.ip6.empty() && !ipv6) throw invalid("invalid IPv6 address: " + attachment.ip6);
}

}  // namespace

void put_networks(const RunOptions& options, json& body) {
    std::vector<Attachment> attachments;
    for (const std::string& flag : options.networks) attachments.push_back(read_attachment(flag));
    if (attachments.empty()) attachments.emplace_back().name = "default";
    Attachment& first = attachments.front();
    first.aliases.insert(first.aliases.end(), options.network_aliases.begin(), options.network_aliases.end());
    if (!options.ip.empty()) first.ip = options.ip;
    if (!options.ip6.empty()) first.ip6 = options.ip6;
    if (!options.mac_address.empty() && !first.mac.empty())
        throw invalid("conflicting options: cannot specify both --mac-address and per-network MAC address");
    if (!options.mac_address.empty()) first.mac = options.mac_address;
    body["HostConfig"]["NetworkMode"] = first.name;
    for (const Attachment& attachment : attachments) {
        check(attachment, attachments.size());
        json endpoint = json::object();
        if (!attachment.mac.empty()) endpoint["MacAddress"] = attachment.mac;
        for (const std::string& option : attachment.options) {
            auto [key, value] = key_and_value(option, "--network");
            endpoint["DriverOpts"][key] = value;
        }
        if (!attachment.user_defined() && endpoint.empty()) continue;
        if (attachment.priority != 0) endpoint["GwPriority"] = attachment.priority;
        if (!attachment.aliases.empty()) endpoint["Aliases"] = attachment.aliases;
        if (!attachment.ip.empty()) endpoint["IPAMConfig"]["IPv4Address"] = attachment.ip;
        if (!attachment.ip6.empty()) endpoint["IPAMConfig"]["IPv6Address"] = attachment.ip6;
        body["NetworkingConfig"]["EndpointsConfig"][attachment.name] = endpoint;
    }
}

std::string read_extra_host(const std::string& flag) {
    size_t end = flag.find('=') != std::string::npos ? flag.find('=') : flag.find(':');
    if (end == std::string::npos || end == 0)
        throw invalid_flag(flag, "--add-host", "bad format for add-host: \"" + flag + "\"");
    std::string address = flag.substr(end + 1);
    if (address.starts_with('[') && address.ends_with(']')) address = address.substr(1, address.size() - 2);
    if (address != "host-gateway" && !is_address(address)) {
        throw invalid_flag(flag, "--add-host", "invalid IP address in add-host: \"" + address + "\"");
    }
    return flag.substr(0, end) + ":" + address;
}

std::string read_dns(const std::string& flag) {
    if (!is_address(flag)) throw invalid_flag(flag, "--dns", "IP address is not correctly formatted: " + flag);
    return flag;
}

}  // namespace kedge::cli
