#include "image_fixture.h"

#include "base/error.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <thread>

using namespace kedge;
using namespace kedge::runtime;

namespace {

/// What is wrong; empty if all is as it should be. Runs on a file system of 8 MiB.
std::string fill(const std::string& root) {
    Database database(root + "/kedge.db");
    Events events;
    ImageStore store(root, RegistrySettings{}, 3, int64_t{1} << 30, database, events,
                     [] { return std::set<Digest>{}; });
    std::string noise;
    while (noise.size() < (5u << 20)) noise += random_hex(512);
    auto import_failure = [&](const std::string& tar) -> std::string {
        try {
            ImportOptions options;
            options.reference = "app";
            (void)store.import(file_with(tar).get(), options, {}, {});
            return "nothing was refused";
        } catch (const Error& e) {
            if (e.code() != Code::resource_exhausted || !e.transient()) return std::string("wrong error: ") + e.what();
            if (std::string(e.what()).find("no space left on device") == std::string::npos) return e.what();
        }
        if (!store.blobs().list().empty()) return "a blob is left";
        if (!names_in(root + "/layers").empty()) return "a layer is left";
        if (names_in(root + "/images/blobs/sha256").size() != 0) return "a part of a blob is left";
        if (!store.list().empty()) return "an image is left";
        return {};
    };
    // The unpacked layer does not fit; then not even the blob.
    std::string wrong = import_failure(make_tar({{"zeros", file(std::string(20 << 20, '\0'))}}, Pack::gzip));
    if (wrong.empty()) wrong = import_failure(make_tar({{"a", file(noise + noise)}}));
    if (!wrong.empty()) return wrong;
    ImportOptions options;
    options.reference = "app";
    const ImageInfo image = store.import(file_with(make_tar({{"a", file("small")}})).get(), options, {}, {});
    return read_text(store.layer_folders(image.id)[0] + "/a") == "small" ? "" : "what fits does not work afterwards";
}

}  // namespace

using FullDisk = TemporaryFolder;

TEST_F(FullDisk, IsAClearErrorThatLeavesNothingBehind) {
    // A child with mounts of its own, so that the machine's mount table stays as it is.
    pid_t child = ::fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
        std::string wrong;
        try {
            if (::unshare(CLONE_NEWNS) != 0 || ::mount("", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
                ::mount("tmpfs", path.c_str(), "tmpfs", 0, "size=8m") != 0) {
                wrong = "no small file system";
            } else {
                wrong = fill(path);
            }
        } catch (const std::exception& e) {
            wrong = e.what();
        }
        if (!wrong.empty()) (void)!::write(2, (wrong + "\n").c_str(), wrong.size() + 1);
        ::_exit(wrong.empty() ? 0 : 1);
    }
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}
