#pragma once

#include <cstdio>
#include <cstring>
#include <string>
#include <string_view>

namespace kedge::test {

/// A ustar archive in memory, for images made by tests.
class TarWriter {
public:
    void folder(const std::string& path, unsigned mode = 0755, unsigned uid = 0, unsigned gid = 0) {
        header(path + "/", '5', mode, uid, gid, 0, "");
    }
    void file(const std::string& path, std::string_view data, unsigned mode = 0644, unsigned uid = 0,
              unsigned gid = 0) {
        header(path, '0', mode, uid, gid, data.size(), "");
        tar_.append(data);
        tar_.append((512 - data.size() % 512) % 512, '\0');
    }
    void link(const std::string& path, const std::string& target) { header(path, '2', 0777, 0, 0, 0, target); }
    /// A pipe ('6'), for one.
    void special(const std::string& path, char type) { header(path, type, 0644, 0, 0, 0, ""); }
    void hard_link(const std::string& path, const std::string& target) { header(path, '1', 0644, 0, 0, 0, target); }

    std::string finish() const { return tar_ + std::string(1024, '\0'); }

private:
    void header(const std::string& path, char type, unsigned mode, unsigned uid, unsigned gid, size_t size,
                const std::string& target) {
        char block[512] = {};
        std::strncpy(block, path.c_str(), 100);
        (void)std::snprintf(block + 100, 8, "%07o", mode);
        (void)std::snprintf(block + 108, 8, "%07o", uid);
        (void)std::snprintf(block + 116, 8, "%07o", gid);
        (void)std::snprintf(block + 124, 12, "%011zo", size);
        (void)std::snprintf(block + 136, 12, "%011o", 1700000000u);
        block[156] = type;
        std::strncpy(block + 157, target.c_str(), 100);
        std::memcpy(block + 257, "ustar", 6);  // with its end
        std::memcpy(block + 263, "00", 2);  // NOLINT(bugprone-not-null-terminated-result): the format has no end here
        std::memset(block + 148, ' ', 8);
        unsigned sum = 0;
        for (char c : block) sum += static_cast<unsigned char>(c);
        (void)std::snprintf(block + 148, 8, "%06o", sum);
        tar_.append(block, sizeof block);
    }

    std::string tar_;
};

}  // namespace kedge::test
