#pragma once

#include "base/clock.h"
#include "sources/yaml_tree.h"

#include <cstdint>
#include <initializer_list>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace kedge::sources {

// Readers of single values. Each throws `file:line: path: what is wrong` for anything else. Where a value comes from a
// variable it is text, so booleans and numbers are also read from strings, as Compose does.

std::string read_string(const yaml::Node& node);
/// A string or number as text: ports, groups.
std::string read_text(const yaml::Node& node);
std::string read_one_of(const yaml::Node& node, std::initializer_list<std::string_view> allowed);
bool read_bool(const yaml::Node& node);
int64_t read_integer(const yaml::Node& node, int64_t least, int64_t most);
double read_number(const yaml::Node& node, double least, double most);
Nanoseconds read_duration(const yaml::Node& node);
/// Bytes: `512m`, `1.5g`, `64kb`, 1024.
int64_t read_size(const yaml::Node& node);
/// Permissions: 0440 and "0440" are octal, 288 is what it says.
uint32_t read_mode(const yaml::Node& node);

/// A list of strings; `numbers`: numbers too.
std::vector<std::string> read_strings(const yaml::Node& node, bool numbers = false);
/// A map (lists of `K=V` were rewritten into one) of scalars; null becomes empty.
std::map<std::string, std::string> read_map(const yaml::Node& node);
/// A list as it is; a string is split into words as a shell would.
std::vector<std::string> read_command(const yaml::Node& node);

/// What services, networks, volumes, secrets and configs are called (compose-spec.json): up to 200 of `[a-zA-Z0-9._-]`.
bool is_entry_name(const std::string& text);
bool is_ipv4(const std::string& text);
bool is_ipv6(const std::string& text);
/// Whether a host of this subnet (`172.28.0.0/16`, `fd00:5::/64`) may have the address; false for malformed ones.
bool subnet_holds(const std::string& subnet, const std::string& address);
/// IPv4 or IPv6.
bool is_ip(const std::string& text);
/// What the kernel takes for a link's name.
bool is_link_name(const std::string& text);

/// Calls `use` with the value of `key` if it is there and not null.
template <typename Use>
void with(const yaml::Node& node, std::string_view key, Use&& use) {
    if (const yaml::Node* value = node.find(key); value && !value->is_null()) use(*value);
}

}  // namespace kedge::sources
