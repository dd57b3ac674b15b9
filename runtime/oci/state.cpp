#include "runtime/oci/state.h"

#include "base/durable.h"
#include "base/error.h"
#include "base/folder.h"
#include "runtime/containers/launch_process.h"
#include "runtime/oci/json_field.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace kedge::oci {

namespace {

constexpr size_t kLongestId = 255;  // it is the name of a folder
constexpr size_t kConfigLimit = 32u << 20;
constexpr const char* kListener = "start";

Json to_json(const runtime::ProcessId& process) {
    return {{"pid", process.pid}, {"startTime", process.start_time}};
}

runtime::ProcessId parse_process_id(const Field& object) {
    return {object["pid"].number_or<int>(0), object["startTime"].number_or<uint64_t>(0)};
}

/// Paths of sockets are short; a descriptor's isn't.
sockaddr_un listener_address(int folder) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::string path = "/proc/self/fd/" + std::to_string(folder) + "/" + kListener;
    std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
    return address;
}

Fd make_socket() {
    Fd socket(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
    if (!socket) throw_errno("make a socket");
    return socket;
}

bool waits_for_start(const State& state) {
    const std::string folder = "/proc/" + std::to_string(state.init.pid);
    if (file_identity(folder + "/exe") != state.program) return false;
    try {
        return read_file_at(AT_FDCWD, folder + "/comm", 256) == "kedge-created\n";
    } catch (const Error&) {
        return false;  // it has just ended
    }
}

}  // namespace

const char* to_string(Status status) {
    switch (status) {
        case Status::creating: return "creating";
        case Status::created: return "created";
        case Status::running: return "running";
        case Status::paused: return "paused";
        case Status::stopped: return "stopped";
    }
    return "stopped";
}

std::string file_identity(const std::string& path) {
    struct stat info {};
    if (::stat(path.c_str(), &info) != 0) return {};
    return std::to_string(info.st_dev) + ":" + std::to_string(info.st_ino);
}

void check_id(const std::string& id) {
    const bool known = std::all_of(id.begin(), id.end(), [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '+' ||
               c == '-' || c == '.';
    });
    if (id.empty() || !known || id == "." || id == ".." || id.size() > kLongestId)
        throw Error(Code::invalid_argument, "invalid container id \"" + id + "\"");
}

StateFolder StateFolder::make(const std::string& root, const std::string& id) {
    check_id(id);
    make_private_folder(root);
    const std::string path = root + "/" + id;
    if (::mkdir(path.c_str(), 0700) != 0) {
        if (errno == EEXIST) throw Error(Code::conflict, "container with given ID already exists: " + id);
        throw_errno(path);
    }
    return StateFolder(root, id, open_at(AT_FDCWD, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW));
}

StateFolder StateFolder::open(const std::string& root, const std::string& id) {
    check_id(id);
    try {
        return StateFolder(root, id, open_at(AT_FDCWD, root + "/" + id, O_RDONLY | O_DIRECTORY | O_NOFOLLOW));
    } catch (const Error& e) {
        if (e.code() != Code::not_found) throw;
        throw Error(Code::not_found, "container does not exist: " + id);
    }
}

std::vector<std::string> StateFolder::ids(const std::string& root) {
    try {
        return names_in(open_at(AT_FDCWD, root, O_RDONLY | O_DIRECTORY).get());
    } catch (const Error& e) {
        if (e.code() == Code::not_found) return {};
        throw;
    }
}

void StateFolder::lock() const {
    while (::flock(folder_.get(), LOCK_EX) != 0)
        if (errno != EINTR) throw_errno("lock " + root_ + "/" + id_);
    struct stat info {};
    if (::fstat(folder_.get(), &info) != 0 || info.st_nlink == 0)
        throw Error(Code::not_found, "container does not exist: " + id_);
}

State StateFolder::load() const {
    const std::string name = root_ + "/" + id_ + "/state.json";
    State state;
    std::string text;
    try {
        text = read_file_at(folder_.get(), "state.json", kConfigLimit);
    } catch (const Error& e) {
        if (e.code() != Code::not_found) throw;
        // Whoever made it ended before it had written anything: there is only the folder.
        state.id = id_;
        return state;
    }
    const Json json = parse_json(text, name);
    const Field top(json, name + ": ");
    state.id = top.need("id").text();
    state.bundle = top.need("bundle").text();
    state.root = top.need("rootfs").text();
    for (const auto& [key, value] : top["annotations"].members()) state.annotations[key] = value.text();
    state.created = top.need("created").text();
    state.creator = parse_process_id(top["creator"]);
    state.init = parse_process_id(top["init"]);
    state.program = top["program"].text_or("");
    state.cgroup = top["cgroup"].text_or("");
    state.cgroup_was_there = top["cgroupWasThere"].flag();
    state.made_parents = top["madeParents"].texts();
    return state;
}

void StateFolder::save(const State& state) const {
    const Json json = {{"id", state.id},
                       {"bundle", state.bundle},
                       {"rootfs", state.root},
                       {"annotations", state.annotations},
                       {"created", state.created},
                       {"creator", to_json(state.creator)},
                       {"init", to_json(state.init)},
                       {"program", state.program},
                       {"cgroup", state.cgroup},
                       {"cgroupWasThere", state.cgroup_was_there},
                       {"madeParents", state.made_parents}};
    write_file_durably(folder_.get(), "state.json", json.dump() + "\n", 0600);
}

std::string StateFolder::config() const {
    return read_file_at(folder_.get(), "config.json", kConfigLimit);
}

void StateFolder::save_config(const std::string& text) const {
    write_file_durably(folder_.get(), "config.json", text, 0600);
}

Fd StateFolder::listen() const {
    Fd socket = make_socket();
    const sockaddr_un address = listener_address(folder_.get());
    if (::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 ||
        ::listen(socket.get(), 1) != 0)
        throw_errno("listen for the start of " + id_);
    return socket;
}

Fd StateFolder::connect() const {
    Fd socket = make_socket();
    const sockaddr_un address = listener_address(folder_.get());
    if (::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
        throw Error(Code::conflict, "cannot start a container that does not wait for it: " + id_);
    return socket;
}

void StateFolder::forget_listener() const {
    (void)::unlinkat(folder_.get(), kListener, 0);
}

void StateFolder::remove() const {
    remove_tree(AT_FDCWD, root_ + "/" + id_);
}

Status status_of(const State& state, const runtime::Cgroups& cgroups) {
    if (state.creator.pid != 0 && runtime::open_process(state.creator)) return Status::creating;
    if (!runtime::open_process(state.init)) return Status::stopped;
    if (waits_for_start(state)) return Status::created;
    return cgroups.is_frozen(state.cgroup) ? Status::paused : Status::running;
}

Json state_json(const State& state, Status status, int pid) {
    Json json = {{"ociVersion", kSpecVersion},
                 {"id", state.id},
                 {"pid", pid},
                 {"status", to_string(status)},
                 {"bundle", state.bundle},
                 {"rootfs", state.root},
                 {"created", state.created},
                 {"owner", ""}};
    if (!state.annotations.empty()) json["annotations"] = state.annotations;
    return json;
}

}  // namespace kedge::oci
