#include "cli/copy/remote.h"

#include "base/error.h"

#include <openssl/evp.h>
#include <nlohmann/json.hpp>

namespace kedge::cli {

namespace {

std::string decode_base64(const std::string& text) {
    std::string result(text.size(), '\0');
    int size = EVP_DecodeBlock(reinterpret_cast<unsigned char*>(result.data()),
                               reinterpret_cast<const unsigned char*>(text.data()), static_cast<int>(text.size()));
    if (size < 0) throw Error(Code::internal, "the agent's answer is not base64");
    for (size_t end = text.size(); end > 0 && text[end - 1] == '='; --end) --size;  // it counts the padding too
    result.resize(static_cast<size_t>(size));
    return result;
}

}  // namespace

bool RemoteStat::is_file() const {
    constexpr uint32_t kTypes = 1u << 31 | 1u << 27 | 1u << 26 | 1u << 25 | 1u << 24 | 1u << 21 | 1u << 19;
    return (mode & kTypes) == 0;
}

std::string archive_url(const std::string& container, const std::string& path) {
    // As a segment and as a value: what could be read otherwise is escaped.
    return "/containers/" + escape(container) + "/archive" + query({{"path", path}});
}

std::optional<RemoteStat> remote_stat(const Client& client, const std::string& container, const std::string& path) {
    std::string header;
    try {
        header = client.header(archive_url(container, path), "x-docker-container-path-stat");
    } catch (const Error& e) {
        if (e.code() == Code::unavailable) throw;
        return std::nullopt;
    }
    auto value = nlohmann::json::parse(decode_base64(header), nullptr, false);
    if (!value.is_object()) throw Error(Code::internal, "the agent's answer is not JSON");
    return RemoteStat{value.value("mode", 0u), value.value("linkTarget", "")};
}

}  // namespace kedge::cli
