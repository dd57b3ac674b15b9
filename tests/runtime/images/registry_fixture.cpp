#include "registry_fixture.h"

#include "base/durable.h"
#include "base/error.h"

#include <archive.h>
#include <archive_entry.h>
#include <arpa/inet.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include <nlohmann/json.hpp>

#include <chrono>
#include <csignal>
#include <cstdlib>
#include <stdexcept>

namespace kedge::runtime::test {

namespace {

pid_t spawn(const std::vector<std::string>& arguments, int output) {
    std::vector<char*> argv;
    for (const std::string& argument : arguments) argv.push_back(const_cast<char*>(argument.c_str()));
    argv.push_back(nullptr);
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&actions, output, 1);
    posix_spawn_file_actions_adddup2(&actions, output, 2);
    pid_t pid = -1;
    int error = ::posix_spawnp(&pid, argv[0], &actions, nullptr, argv.data(), environ);
    posix_spawn_file_actions_destroy(&actions);
    if (error != 0) throw errno_error(arguments[0], error);
    return pid;
}

struct Pipe {
    Fd read, write;
    Pipe() {
        int fds[2];
        if (::pipe2(fds, O_CLOEXEC) != 0) throw_errno("pipe");
        read = Fd(fds[0]);
        write = Fd(fds[1]);
    }
};

void write_file(const std::string& path, std::string_view data) {
    write_all(open_at(AT_FDCWD, path, O_WRONLY | O_CREAT | O_TRUNC, 0644).get(), data);
}

std::string pack(const Files& files, bool gzip) {
    std::string data(1u << 20, '\0');
    for (const auto& file : files) data.resize(data.size() + file.second.size() + 4096);
    size_t used = 0;
    archive* out = archive_write_new();
    archive_write_set_format_pax_restricted(out);
    if (gzip) archive_write_add_filter_gzip(out);
    if (gzip) archive_write_set_options(out, "gzip:!timestamp");
    archive_write_open_memory(out, data.data(), data.size(), &used);
    for (const auto& [name, content] : files) {
        archive_entry* entry = archive_entry_new();
        archive_entry_set_pathname(entry, name.c_str());
        archive_entry_set_filetype(entry, AE_IFREG);
        archive_entry_set_perm(entry, 0644);
        archive_entry_set_size(entry, static_cast<la_int64_t>(content.size()));
        archive_write_header(out, entry);
        archive_write_data(out, content.data(), content.size());
        archive_entry_free(entry);
    }
    archive_write_close(out);
    archive_write_free(out);
    data.resize(used);
    return data;
}

nlohmann::json descriptor(const std::string& type, const std::string& body) {
    return {{"mediaType", type}, {"digest", Digest::of(body).str()}, {"size", body.size()}};
}

}  // namespace

TemporaryFolder::TemporaryFolder() {
    if (!::mkdtemp(path_.data())) throw_errno("mkdtemp");
}

TemporaryFolder::~TemporaryFolder() {
    try {
        remove_tree(AT_FDCWD, path_);
    } catch (const Error& e) {
        ADD_FAILURE() << e.what();
    }
}

bool run(const std::vector<std::string>& arguments) {
    Pipe pipe;
    pid_t pid = spawn(arguments, pipe.write.get());
    pipe.write.reset();
    std::string said = read_all(pipe.read.get(), 16u << 20);
    int status = 0;
    if (::waitpid(pid, &status, 0) != pid) throw_errno("waitpid");
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
        fmt::print("{}: {}\n", arguments[0], said);
        return false;
    }
    return true;
}

int free_port() {
    Fd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    if (::bind(fd.get(), reinterpret_cast<sockaddr*>(&address), size) != 0) throw_errno("bind");
    if (::getsockname(fd.get(), reinterpret_cast<sockaddr*>(&address), &size) != 0) throw_errno("getsockname");
    return ntohs(address.sin_port);
}

const std::string& TestImage::blob(const Digest& digest) const {
    if (Digest::of(config) == digest) return config;
    for (const Layer& layer : layers) {
        if (Digest::of(layer.blob) == digest) return layer.blob;
    }
    throw std::out_of_range(digest.str());
}

TestImage make_image(const std::vector<Files>& layers, const std::string& architecture, const std::string& variant) {
    TestImage image;
    nlohmann::json config = {{"os", "linux"},
                             {"architecture", architecture},
                             {"config", {{"Cmd", {"/run"}}}},
                             {"rootfs", {{"type", "layers"}}}};
    if (!variant.empty()) config["variant"] = variant;
    nlohmann::json diff_ids = nlohmann::json::array(), descriptors = nlohmann::json::array();
    for (const Files& files : layers) {
        image.layers.push_back({pack(files, true), Digest::of(pack(files, false))});
        diff_ids.push_back(image.layers.back().diff_id.str());
        descriptors.push_back(descriptor("application/vnd.oci.image.layer.v1.tar+gzip", image.layers.back().blob));
    }
    config["rootfs"]["diff_ids"] = diff_ids;
    image.config = config.dump();
    image.manifest = nlohmann::json{
        {"schemaVersion", 2},
        {"mediaType", "application/vnd.oci.image.manifest.v1+json"},
        {"config", descriptor("application/vnd.oci.image.config.v1+json", image.config)},
        {"layers",
         descriptors}}.dump();
    return image;
}

void write_layout(const std::string& folder, const TestImage& image, const std::string& tag) {
    make_folders(AT_FDCWD, folder + "/blobs/sha256");
    auto put = [&](const std::string& body) { write_file(folder + "/blobs/sha256/" + Digest::of(body).hex(), body); };
    for (const TestImage::Layer& layer : image.layers) put(layer.blob);
    put(image.config);
    put(image.manifest);
    nlohmann::json entry = descriptor("application/vnd.oci.image.manifest.v1+json", image.manifest);
    entry["annotations"] = {{"org.opencontainers.image.ref.name", tag}};
    write_file(folder + "/oci-layout", R"({"imageLayoutVersion":"1.0.0"})");
    write_file(folder + "/index.json", nlohmann::json{{"schemaVersion", 2}, {"manifests", {entry}}}.dump());
}

RealRegistry::RealRegistry(const std::string& certificate, const std::string& key)
    : port_(free_port()), tls_(!certificate.empty()) {
    std::string config = fmt::format(
        "version: 0.1\nlog: {{level: info}}\nstorage: {{filesystem: {{rootdirectory: {}/data}}}}\nhttp:\n  addr: "
        "127.0.0.1:{}\n",
        folder_.path(), port_);
    if (tls_) config += fmt::format("  tls: {{certificate: {}, key: {}}}\n", certificate, key);
    write_file(folder_.path() + "/config.yml", config);
    Pipe pipe;
    pid_ = spawn({"docker-registry", "serve", folder_.path() + "/config.yml"}, pipe.write.get());
    pipe.write.reset();
    log_ = std::move(pipe.read);
    std::string said;
    auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while (said.find("listening on") == std::string::npos) {
        pollfd waiting{log_.get(), POLLIN, 0};
        auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now()).count();
        char buffer[4096];
        ssize_t n = left > 0 && ::poll(&waiting, 1, static_cast<int>(left)) == 1
                        ? ::read(log_.get(), buffer, sizeof buffer)
                        : 0;
        if (n <= 0) throw std::runtime_error("the registry did not start: " + said);
        said.append(buffer, static_cast<size_t>(n));
    }
    // Nobody reads its log any more; it must neither block on a full pipe nor die of a closed one.
    if (::fcntl(log_.get(), F_SETPIPE_SZ, 1 << 20) < 0) throw_errno("pipe size");
}

RealRegistry::~RealRegistry() {
    (void)::kill(pid_, SIGKILL);
    (void)::waitpid(pid_, nullptr, 0);
}

std::string RealRegistry::host() const {
    return "localhost:" + std::to_string(port_);
}

void RealRegistry::push(const TestImage& image, const std::string& name, const std::string& format) {
    TemporaryFolder layout;
    write_layout(layout.path(), image, "image");
    bool pushed = run({"skopeo", "--insecure-policy", "copy", "-q", "--format", format, "--dest-tls-verify=false",
                       "oci:" + layout.path() + ":image", "docker://" + host() + "/" + name});
    if (!pushed) throw std::runtime_error("skopeo could not push " + name);
}

void make_certificates(const std::string& folder) {
    auto at = [&](const char* name) { return folder + "/" + name; };
    write_file(at("extensions"), "subjectAltName=DNS:localhost,IP:127.0.0.1\n");
    bool made = run({"openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                     "-days", "2", "-subj", "/CN=test authority", "-keyout", at("ca.key"), "-out", at("ca.pem")}) &&
                run({"openssl", "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-subj",
                     "/CN=localhost", "-keyout", at("server.key"), "-out", at("server.csr")}) &&
                run({"openssl", "x509", "-req", "-in", at("server.csr"), "-CA", at("ca.pem"), "-CAkey", at("ca.key"),
                     "-CAcreateserial", "-days", "2", "-extfile", at("extensions"), "-out", at("server.pem")});
    if (!made) throw std::runtime_error("openssl could not make certificates");
}

}  // namespace kedge::runtime::test
