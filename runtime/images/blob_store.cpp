#include "runtime/images/blob_store.h"

#include "base/clock.h"
#include "base/durable.h"
#include "base/error.h"
#include "base/fault.h"
#include "base/folder.h"
#include "runtime/images/index_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

namespace kedge::runtime {

namespace {

constexpr std::string_view kPartial = ".partial";
constexpr std::string_view kUnknown = ".import-";
constexpr const char* kLayout = "{\"imageLayoutVersion\":\"1.0.0\"}";
constexpr size_t kIndexLimit = 64u << 20;

WallTime modified(const struct stat& info) {
    return WallTime(std::chrono::seconds(info.st_mtim.tv_sec) + Nanoseconds(info.st_mtim.tv_nsec));
}

}  // namespace

BlobStore::BlobStore(const std::string& folder) : folder_(folder) {
    make_folders(AT_FDCWD, folder + "/blobs/sha256");
    root_ = open_at(AT_FDCWD, folder, O_RDONLY | O_DIRECTORY);
    blobs_ = open_at(root_.get(), "blobs/sha256", O_RDONLY | O_DIRECTORY);
    // Only a download can be resumed; what an import left behind has no name to find it by.
    for (const std::string& name : names_in(blobs_.get())) {
        if (name.starts_with(kUnknown)) (void)::unlinkat(blobs_.get(), name.c_str(), 0);
    }
    if (::faccessat(root_.get(), "oci-layout", F_OK, 0) != 0) write_file_durably(root_.get(), "oci-layout", kLayout);
    read_index();
}

void BlobStore::read_index() {
    std::string text;
    try {
        text = read_file_at(root_.get(), "index.json", kIndexLimit);
        names_ = parse_index(text);
        return;
    } catch (const Error& e) {
        if (e.code() != Code::not_found) {
            if (e.code() != Code::invalid_argument && e.code() != Code::resource_exhausted) throw;
            damaged_ = "index.json.damaged-" + format_time(wall_now());
            rename_durably(root_.get(), "index.json", root_.get(), damaged_);
            damaged_.insert(0, folder_ + "/");
        }
    }
    names_.clear();
    write_index();
}

void BlobStore::write_index() {
    fault_point("image.tag.before_write");
    write_file_durably(root_.get(), "index.json", index_text(names_));
    fault_point("image.tag.after_write");
}

bool BlobStore::has(const Digest& digest) const {
    if (digest.empty()) return false;
    std::lock_guard lock(mutex_);
    if (::faccessat(blobs_.get(), digest.hex().c_str(), F_OK, 0) != 0) return false;
    leases_.touch(digest);
    return true;
}

int64_t BlobStore::size(const Digest& digest) const {
    struct stat info {};
    if (::fstatat(blobs_.get(), digest.hex().c_str(), &info, 0) != 0) throw_errno("blob " + digest.str());
    return info.st_size;
}

Fd BlobStore::open(const Digest& digest) const {
    if (!has(digest)) throw Error(Code::not_found, "blob " + digest.str() + " is not stored");
    return open_at(blobs_.get(), digest.hex(), O_RDONLY);
}

std::string BlobStore::read(const Digest& digest, size_t limit) const {
    std::string data = read_all(open(digest).get(), limit);
    if (Digest::of(data) != digest) {
        (void)::unlinkat(blobs_.get(), digest.hex().c_str(), 0);
        throw Error(Code::not_found, "blob " + digest.str() + " is damaged");
    }
    return data;
}

Digest BlobStore::put(std::string_view data) {
    Digest digest = Digest::of(data);
    if (has(digest) && size(digest) == static_cast<int64_t>(data.size())) return digest;
    {
        std::lock_guard lock(mutex_);
        leases_.touch(digest);
    }
    write_file_durably(blobs_.get(), digest.hex(), data);
    return digest;
}

int64_t BlobStore::remove(const Digest& digest) {
    std::lock_guard lock(mutex_);
    if (leases_.protect(digest)) return 0;
    struct stat info {};
    const char* name = digest.hex().c_str();
    if (::fstatat(blobs_.get(), name, &info, AT_SYMLINK_NOFOLLOW) != 0 || ::unlinkat(blobs_.get(), name, 0) != 0) {
        if (errno == ENOENT) return 0;
        throw_errno("remove " + digest.str());
    }
    return info.st_size;
}

std::vector<Digest> BlobStore::list(WallTime before) const {
    std::vector<Digest> digests;
    for (const std::string& name : names_in(blobs_.get())) {
        struct stat info {};
        if (name.size() != 64 || name.find_first_not_of("0123456789abcdef") != std::string::npos) continue;
        if (::fstatat(blobs_.get(), name.c_str(), &info, AT_SYMLINK_NOFOLLOW) != 0 || modified(info) >= before)
            continue;
        digests.push_back(Digest::from_hex(name));
    }
    return digests;
}

int64_t BlobStore::remove_partials(WallTime before) {
    int64_t freed = 0;
    for (const std::string& name : names_in(blobs_.get())) {
        std::lock_guard lock(mutex_);
        struct stat info {};
        if (!name.ends_with(kPartial) || writing_.contains(name)) continue;
        if (::fstatat(blobs_.get(), name.c_str(), &info, AT_SYMLINK_NOFOLLOW) != 0) continue;
        if (modified(info) < before && ::unlinkat(blobs_.get(), name.c_str(), 0) == 0) freed += info.st_size;
    }
    return freed;
}

std::vector<BlobStore::Named> BlobStore::names() const {
    std::lock_guard lock(mutex_);
    return names_;
}

void BlobStore::replace_names(std::vector<Named> names) {
    if (names == names_) return;
    std::swap(names, names_);
    try {
        write_index();
    } catch (...) {
        std::swap(names, names_);
        throw;
    }
}

void BlobStore::set_names(std::vector<Named> names) {
    std::lock_guard lock(mutex_);
    replace_names(std::move(names));
}

void BlobStore::set_name(const Named& named) {
    std::lock_guard lock(mutex_);
    std::vector<Named> changed = names_;
    std::erase_if(changed, [&](const Named& old) {
        return old.name == named.name && (!named.name.empty() || old.manifest == named.manifest);
    });
    changed.push_back(named);
    replace_names(std::move(changed));
}

bool BlobStore::remove_name(const std::string& name) {
    std::lock_guard lock(mutex_);
    std::vector<Named> changed = names_;
    if (std::erase_if(changed, [&](const Named& old) { return old.name == name; }) == 0) return false;
    replace_names(std::move(changed));
    return true;
}

BlobStore::Lease::Lease(BlobStore& store) : store_(store) {
    std::lock_guard lock(store_.mutex_);
    store_.leases_.begin();
}

BlobStore::Lease::~Lease() {
    std::lock_guard lock(store_.mutex_);
    store_.leases_.end();
}

BlobStore::Writer::Writer(BlobStore& store, const Digest& expected) : store_(store), expected_(expected) {
    name_ = expected.empty() ? std::string(kUnknown) + random_hex(8) : expected.hex() + std::string(kPartial);
    {
        std::unique_lock lock(store_.mutex_);
        store_.writer_ended_.wait(lock, [&] { return !store_.writing_.contains(name_); });
        store_.writing_.insert(name_);
    }
    try {
        file_ = open_at(store_.blobs_.get(), name_, O_RDWR | O_CREAT | O_NOFOLLOW, 0644);
        resume();
    } catch (...) {
        std::lock_guard lock(store_.mutex_);
        store_.writing_.erase(name_);
        store_.writer_ended_.notify_all();
        throw;
    }
}

void BlobStore::Writer::resume() {
    std::string buffer(1u << 18, '\0');
    while (true) {
        ssize_t n = ::read(file_.get(), buffer.data(), buffer.size());
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) throw_errno("read " + name_);
        if (n == 0) return;
        hasher_.update({buffer.data(), static_cast<size_t>(n)});
        offset_ += n;
    }
}

BlobStore::Writer::~Writer() {
    if (!committed_ && expected_.empty()) (void)::unlinkat(store_.blobs_.get(), name_.c_str(), 0);
    std::lock_guard lock(store_.mutex_);
    store_.writing_.erase(name_);
    store_.writer_ended_.notify_all();
}

void BlobStore::Writer::write(std::string_view data) {
    try {
        write_all(file_.get(), data);
    } catch (const Error& e) {
        // Part of it may have been written: the file must not run ahead of the hash.
        if (::ftruncate(file_.get(), offset_) == 0) (void)::lseek(file_.get(), offset_, SEEK_SET);
        throw e.with_context("store " + (expected_.empty() ? "blob" : expected_.str()));
    }
    hasher_.update(data);
    offset_ += static_cast<int64_t>(data.size());
}

void BlobStore::Writer::restart() {
    if (::ftruncate(file_.get(), 0) != 0 || ::lseek(file_.get(), 0, SEEK_SET) < 0) throw_errno("truncate " + name_);
    hasher_ = Hasher();
    offset_ = 0;
}

Digest BlobStore::Writer::commit() {
    Digest digest = hasher_.finish();
    if (!expected_.empty() && digest != expected_) {
        (void)::unlinkat(store_.blobs_.get(), name_.c_str(), 0);
        throw Error(Code::invalid_argument,
                    "blob " + expected_.str() + " has the wrong content: its digest is " + digest.str())
            .set_transient(true);
    }
    {
        std::lock_guard lock(store_.mutex_);
        store_.leases_.touch(digest);
    }
    sync_fd(file_.get());
    fault_point("pull.blob.before_rename");
    rename_durably(store_.blobs_.get(), name_, store_.blobs_.get(), digest.hex());
    fault_point("pull.blob.after_rename");
    committed_ = true;
    return digest;
}

}  // namespace kedge::runtime
