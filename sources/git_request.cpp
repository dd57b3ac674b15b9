#include "sources/git_request.h"

#include <nlohmann/json.hpp>

namespace kedge::sources {

using nlohmann::json;

NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(GitAuth, username, password_file, ca_file, ssh_key_file, known_hosts_file)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(GitSettings, name, url, branch, tag, commit, semver, auth, allow_http, size_limit)
NLOHMANN_JSON_SERIALIZE_ENUM(GitRequest::Kind,
                             {{GitRequest::Kind::fetch, "fetch"}, {GitRequest::Kind::checkout, "checkout"}})
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(GitRequest, kind, settings, folder, commit)

namespace {

constexpr Code kCodes[] = {
    Code::invalid_argument,  Code::not_found,          Code::conflict,    Code::not_modified, Code::unauthenticated,
    Code::permission_denied, Code::resource_exhausted, Code::unavailable, Code::cancelled,    Code::internal};

Code code_named(const std::string& name) {
    for (Code code : kCodes) {
        if (to_string(code) == name) return code;
    }
    return Code::internal;
}

std::string dump(const json& value) {
    return value.dump(-1, ' ', false, json::error_handler_t::replace);
}

template <typename T>
T parse(const std::string& text) {
    try {
        return json::parse(text).get<T>();
    } catch (const json::exception& e) {
        throw Error(Code::internal, std::string("kedge-git: ") + e.what());
    }
}

}  // namespace

std::string to_json_text(const GitRequest& request) {
    return dump(request);
}

GitRequest git_request_from_json(const std::string& text) {
    return parse<GitRequest>(text);
}

std::string to_json_text(const Commit& commit) {
    return dump({{"id", commit.id},
                 {"ref", commit.ref},
                 {"author", commit.author},
                 {"subject", commit.subject},
                 {"time", commit.time.time_since_epoch().count()}});
}

Commit commit_from_json(const std::string& text) {
    json value = parse<json>(text);
    try {
        return {value.at("id"), value.at("ref"), value.at("author"), value.at("subject"),
                WallTime(Nanoseconds(value.at("time").get<int64_t>()))};
    } catch (const json::exception& e) {
        throw Error(Code::internal, std::string("commit record: ") + e.what());
    }
}

std::string alive_line(uint64_t count) {
    return dump({{"alive", count}}) + "\n";
}

std::string result_line(const std::string& result) {
    return dump({{"result", result}}) + "\n";
}

std::string error_line(const Error& error) {
    return dump({{"error", error.what()},
                 {"code", to_string(error.code())},
                 {"transient", error.transient()},
                 {"hint", error.hint()}}) +
           "\n";
}

std::optional<std::string> read_answer_line(const std::string& line) {
    json value = parse<json>(line);
    if (value.contains("error")) {
        Error error(code_named(value.value("code", "")), value.value("error", ""), value.value("hint", ""));
        throw error.set_transient(value.value("transient", false));
    }
    if (value.contains("result")) return value["result"].get<std::string>();
    return {};
}

}  // namespace kedge::sources
