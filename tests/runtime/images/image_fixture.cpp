#include "image_fixture.h"

#include "base/error.h"
#include "base/folder.h"

#include <archive.h>
#include <archive_entry.h>
#include <fcntl.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>

extern char** environ;

namespace kedge::runtime {

std::ostream& operator<<(std::ostream& out, const Node& node) {
    out << node.type << " mode " << std::oct << node.mode << std::dec << " owner " << node.uid << ':' << node.gid
        << " mtime " << node.mtime << " device " << node.major << ':' << node.minor << " content "
        << testing::PrintToString(node.content.substr(0, 60));
    for (const auto& [key, value] : node.xattrs) out << ' ' << key << '=' << testing::PrintToString(value);
    return out;
}

Node file(std::string content, unsigned mode) {
    Node node;
    node.content = std::move(content);
    node.mode = mode;
    return node;
}

Node folder(unsigned mode) {
    Node node;
    node.type = 'd';
    node.mode = mode;
    return node;
}

Node symlink_to(std::string target) {
    Node node;
    node.type = 'l';
    node.content = std::move(target);
    node.mode = 0777;
    return node;
}

Node hardlink_to(std::string target) {
    Node node;
    node.type = 'h';
    node.content = std::move(target);
    return node;
}

namespace {

unsigned file_type(char type) {
    switch (type) {
        case 'd': return AE_IFDIR;
        case 'l': return AE_IFLNK;
        case 'p': return AE_IFIFO;
        case 'c': return AE_IFCHR;
        case 'b': return AE_IFBLK;
        default: return AE_IFREG;
    }
}

void add_filter(archive* a, Pack pack) {
    switch (pack) {
        case Pack::none: archive_write_add_filter_none(a); break;
        case Pack::gzip: archive_write_add_filter_gzip(a); break;
        case Pack::zstd: archive_write_add_filter_zstd(a); break;
        case Pack::xz: archive_write_add_filter_xz(a); break;
        case Pack::bzip2: archive_write_add_filter_bzip2(a); break;
    }
}

la_ssize_t append(archive*, void* to, const void* data, size_t size) {
    static_cast<std::string*>(to)->append(static_cast<const char*>(data), size);
    return static_cast<la_ssize_t>(size);
}

void add_entry(archive* a, const std::string& name, const Node& node) {
    std::unique_ptr<archive_entry, void (*)(archive_entry*)> entry(archive_entry_new(), archive_entry_free);
    archive_entry_copy_pathname(entry.get(), name.c_str());
    archive_entry_set_filetype(entry.get(), file_type(node.type));
    archive_entry_set_perm(entry.get(), node.mode);
    archive_entry_set_uid(entry.get(), node.uid);
    archive_entry_set_gid(entry.get(), node.gid);
    archive_entry_set_mtime(entry.get(), node.mtime, 0);
    if (node.type == 'l') archive_entry_copy_symlink(entry.get(), node.content.c_str());
    if (node.type == 'h') archive_entry_copy_hardlink(entry.get(), node.content.c_str());
    if (node.type == 'c' || node.type == 'b') {
        archive_entry_set_rdevmajor(entry.get(), node.major);
        archive_entry_set_rdevminor(entry.get(), node.minor);
    }
    for (const auto& [key, value] : node.xattrs)
        archive_entry_xattr_add_entry(entry.get(), key.c_str(), value.data(), value.size());
    archive_entry_set_size(entry.get(), node.type == 'f' ? static_cast<int64_t>(node.content.size()) : 0);
    if (archive_write_header(a, entry.get()) < ARCHIVE_WARN) throw std::runtime_error(archive_error_string(a));
    if (node.type == 'f') archive_write_data(a, node.content.data(), node.content.size());
}

}  // namespace

std::string make_tar(const Entries& entries, Pack pack) {
    std::string out;
    std::unique_ptr<archive, int (*)(archive*)> a(archive_write_new(), archive_write_free);
    archive_write_set_format_pax(a.get());
    add_filter(a.get(), pack);
    archive_write_set_bytes_in_last_block(a.get(), 1);
    if (archive_write_open(a.get(), &out, nullptr, append, nullptr) != ARCHIVE_OK) throw std::runtime_error("tar");
    for (const auto& [name, node] : entries) add_entry(a.get(), name, node);
    archive_write_close(a.get());
    return out;
}

std::string raw_header(const std::string& name, char type, const std::string& size_field, const std::string& link) {
    std::string block(512, '\0');
    auto put = [&](size_t at, const std::string& text) { block.replace(at, text.size(), text); };
    put(0, name.substr(0, 100));
    put(100, "0000644");
    put(108, "0000000");
    put(116, "0000000");
    put(124, size_field.substr(0, 12));
    put(136, "00000000000");
    put(148, "        ");
    block[156] = type;
    put(157, link.substr(0, 100));
    put(257, std::string("ustar\0"
                         "00",
                         8));
    unsigned sum = 0;
    for (char c : block) sum += static_cast<unsigned char>(c);
    char text[8];
    std::snprintf(text, sizeof text, "%06o", sum);
    block.replace(148, 7, text, 7);
    return block;
}

std::string tar_end() {
    return std::string(1024, '\0');
}

namespace {

std::map<std::string, std::string> read_xattrs(const std::string& path) {
    std::map<std::string, std::string> found;
    std::string names(65536, '\0');
    ssize_t size = ::llistxattr(path.c_str(), names.data(), names.size());
    for (ssize_t at = 0; at < size;) {
        std::string key = names.c_str() + at;
        at += static_cast<ssize_t>(key.size()) + 1;
        std::string value(65536, '\0');
        ssize_t n = ::lgetxattr(path.c_str(), key.c_str(), value.data(), value.size());
        value.resize(n < 0 ? 0 : static_cast<size_t>(n));
        found[key] = value;
    }
    return found;
}

Node read_node(const std::string& path, const struct stat& info) {
    Node node;
    node.mode = info.st_mode & 07777;
    node.uid = info.st_uid;
    node.gid = info.st_gid;
    node.mtime = info.st_mtime;
    node.xattrs = read_xattrs(path);
    if (S_ISDIR(info.st_mode)) node.type = 'd';
    if (S_ISREG(info.st_mode)) node.content = read_text(path);
    if (S_ISFIFO(info.st_mode)) node.type = 'p';
    if (S_ISLNK(info.st_mode)) {
        node.type = 'l';
        node.content.resize(4096);
        node.content.resize(static_cast<size_t>(::readlink(path.c_str(), node.content.data(), node.content.size())));
    }
    if (S_ISCHR(info.st_mode) || S_ISBLK(info.st_mode)) {
        node.type = S_ISCHR(info.st_mode) ? 'c' : 'b';
        node.major = major(info.st_rdev);
        node.minor = minor(info.st_rdev);
    }
    return node;
}

void read_into(const std::string& root, const std::string& relative, std::map<std::string, Node>& tree) {
    const std::string base = relative.empty() ? root : root + "/" + relative;
    for (const std::string& name : names_in(base)) {
        const std::string path = relative.empty() ? name : relative + "/" + name;
        struct stat info {};
        if (::lstat((root + "/" + path).c_str(), &info) != 0) throw std::runtime_error("lstat " + path);
        tree[path] = read_node(root + "/" + path, info);
        if (S_ISDIR(info.st_mode)) read_into(root, path, tree);
    }
}

}  // namespace

std::map<std::string, Node> read_tree(const std::string& path) {
    std::map<std::string, Node> tree;
    read_into(path, "", tree);
    return tree;
}

std::string read_text(const std::string& path) {
    return read_file_at(AT_FDCWD, path, 1u << 30);
}

void write_text(const std::string& path, const std::string& text) {
    write_all(open_at(AT_FDCWD, path, O_WRONLY | O_CREAT | O_TRUNC, 0644).get(), text);
}

std::vector<std::string> names_in(const std::string& folder) {
    return kedge::names_in(open_at(AT_FDCWD, folder, O_RDONLY | O_DIRECTORY).get());
}

Fd file_with(const std::string& content) {
    Fd fd(::memfd_create("test", MFD_CLOEXEC));
    if (!fd) throw_errno("memfd_create");
    write_all(fd.get(), content);
    if (::lseek(fd.get(), 0, SEEK_SET) != 0) throw_errno("lseek");
    return fd;
}

int run(const std::vector<std::string>& arguments, std::string* output) {
    std::vector<char*> argv;
    for (const std::string& argument : arguments) argv.push_back(const_cast<char*>(argument.c_str()));
    argv.push_back(nullptr);
    Fd out(::memfd_create("output", MFD_CLOEXEC));
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, out.get(), 1);
    posix_spawn_file_actions_adddup2(&actions, out.get(), 2);
    pid_t pid = 0;
    int error = ::posix_spawnp(&pid, argv[0], &actions, nullptr, argv.data(), environ);
    posix_spawn_file_actions_destroy(&actions);
    if (error != 0) throw errno_error(arguments[0], error);
    int status = 0;
    if (::waitpid(pid, &status, 0) != pid) throw_errno("waitpid");
    if (output) {
        (void)::lseek(out.get(), 0, SEEK_SET);
        *output = read_all(out.get(), 1u << 20);
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

void TemporaryFolder::SetUp() {
    ASSERT_NE(::mkdtemp(path.data()), nullptr);
}

void TemporaryFolder::TearDown() {
    remove_tree(AT_FDCWD, path);
}

void StoreTest::SetUp() {
    TemporaryFolder::SetUp();
    reopen();
}

void StoreTest::TearDown() {
    store.reset();
    database.reset();
    TemporaryFolder::TearDown();
}

void StoreTest::reopen(int64_t layer_limit) {
    store.reset();
    database.reset();
    events = std::make_unique<Events>();
    database = std::make_unique<Database>(path + "/kedge.db");
    store = std::make_unique<ImageStore>(path, RegistrySettings{}, 3, layer_limit, *database, *events,
                                         [this] { return used; });
}

ImageInfo StoreTest::import_tar(const std::string& tar, const std::string& reference,
                                std::vector<std::string> changes) {
    ImportOptions options;
    options.reference = reference;
    options.changes = std::move(changes);
    return store->import(file_with(tar).get(), options, {}, {});
}

ImageInfo StoreTest::load_file(const std::string& file_path) {
    auto images = store->load(open_at(AT_FDCWD, file_path, O_RDONLY).get(), {}, {});
    if (images.size() != 1) throw std::runtime_error("not one image but " + std::to_string(images.size()));
    return images[0];
}

std::vector<std::string> StoreTest::actions() const {
    std::vector<std::string> found;
    if (events->next() > 0) (void)events->read(0, [&](const Event& event) { found.push_back(event.action); }, {});
    return found;
}

}  // namespace kedge::runtime
