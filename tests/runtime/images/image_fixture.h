#pragma once

#include "base/database.h"
#include "base/digest.h"
#include "base/durable.h"
#include "base/fd.h"
#include "runtime/events.h"
#include "runtime/images/image_store.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace kedge::runtime {

/// What one entry of a tar, or one file of a folder, is.
struct Node {
    char type = 'f';  ///< f file, d folder, l symbolic link, h hard link, p fifo, c character device, b block device
    std::string content;  ///< a file's bytes, a link's target
    unsigned mode = 0644;
    unsigned uid = 0;
    unsigned gid = 0;
    int64_t mtime = 1'000'000'000;
    unsigned major = 0;
    unsigned minor = 0;
    std::map<std::string, std::string> xattrs;
    bool operator==(const Node&) const = default;
};
std::ostream& operator<<(std::ostream& out, const Node& node);

/// Entries in order: what a tar says, hostile or not.
using Entries = std::vector<std::pair<std::string, Node>>;

Node file(std::string content, unsigned mode = 0644);
Node folder(unsigned mode = 0755);
Node symlink_to(std::string target);
Node hardlink_to(std::string target);

enum class Pack { none, gzip, zstd, xz, bzip2 };
/// A pax archive made by libarchive.
std::string make_tar(const Entries& entries, Pack pack = Pack::none);

/// One 512-byte ustar header, as crafted as the test wants it.
std::string raw_header(const std::string& name, char type, const std::string& size_field, const std::string& link = {});
/// The two zero blocks at an archive's end.
std::string tar_end();

/// Everything in a folder, by relative path; hard links are files.
std::map<std::string, Node> read_tree(const std::string& path);

std::string read_text(const std::string& path);
void write_text(const std::string& path, const std::string& text);
std::vector<std::string> names_in(const std::string& folder);

/// An open file with this content, at its beginning, that has no name.
Fd file_with(const std::string& content);

/// Runs a program to its end; its exit code. `output` gets standard output and error.
int run(const std::vector<std::string>& arguments, std::string* output = nullptr);

/// A folder of the test's own, gone afterwards.
struct TemporaryFolder : testing::Test {
    std::string path = "/tmp/kedge-images-XXXXXX";
    void SetUp() override;
    void TearDown() override;
};

/// An image store in a folder of its own.
struct StoreTest : TemporaryFolder {
    std::unique_ptr<Database> database;
    std::unique_ptr<Events> events;
    std::unique_ptr<ImageStore> store;
    std::set<Digest> used;  ///< by containers

    void SetUp() override;
    void TearDown() override;
    void reopen(int64_t layer_limit = int64_t{1} << 30);
    ImageInfo import_tar(const std::string& tar, const std::string& reference, std::vector<std::string> changes = {});
    ImageInfo load_file(const std::string& file);
    std::vector<std::string> actions() const;  ///< of the events so far: `import`, `tag`, ...
};

}  // namespace kedge::runtime
