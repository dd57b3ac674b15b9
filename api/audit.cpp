#include "api/audit.h"

#include "api/reply.h"
#include "base/error.h"
#include "base/log.h"
#include "base/text.h"

#include <nlohmann/json.hpp>

#include <fcntl.h>
#include <pwd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>

namespace kedge::api {

using nlohmann::json;

namespace {

std::string user_name(uid_t uid) {
    static std::mutex mutex;
    static std::map<uid_t, std::string> known;
    std::lock_guard lock(mutex);
    auto found = known.find(uid);
    if (found != known.end()) return found->second;
    if (known.size() > 1000) known.clear();
    std::array<char, 4096> buffer;
    passwd entry{};
    passwd* result = nullptr;
    (void)::getpwuid_r(uid, &entry, buffer.data(), buffer.size(), &result);  // who has no name has a number
    return known[uid] = result ? result->pw_name : "";
}

std::string program_of(pid_t pid) {
    try {
        std::string name = read_file_at(AT_FDCWD, "/proc/" + std::to_string(pid) + "/comm", 64);
        return name.substr(0, name.find('\n'));
    } catch (const Error&) {
        return {};  // it is gone already
    }
}

Change change_of(const json& line) {
    Change change;
    change.time = parse_time(line.at("time").get<std::string>());
    change.peer = {line.value("user", ""), line.value("uid", int64_t{-1}), line.value("pid", int64_t{0}),
                   line.value("program", "")};
    change.method = line.value("method", "");
    change.path = line.value("path", "");
    change.status = line.value("status", 0);
    change.object = line.value("object", "");
    change.project = line.value("project", "");
    return change;
}

}  // namespace

Peer peer_of(int socket) {
    Peer peer;
    ucred credentials{};
    socklen_t size = sizeof credentials;
    if (::getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &credentials, &size) != 0 || credentials.pid <= 0) return peer;
    peer.uid = credentials.uid;
    peer.pid = credentials.pid;
    peer.name = user_name(credentials.uid);
    peer.program = program_of(credentials.pid);
    return peer;
}

json change_json(const Change& change) {
    return {{"time", format_time(change.time)},
            {"user", change.peer.name},
            {"uid", change.peer.uid},
            {"pid", change.peer.pid},
            {"program", change.peer.program},
            {"method", change.method},
            {"path", change.path},
            {"status", change.status},
            {"object", change.object},
            {"project", change.project}};
}

AuditLog::AuditLog(const std::string& folder) : folder_(folder) {
    std::string text;
    try {
        text = read_file_at(AT_FDCWD, folder_ + "/audit.log", 2 * kLargest);
    } catch (const Error& e) {
        if (e.code() != Code::not_found) log(LogLevel::warning, std::string("audit log: ") + e.what());
    }
    for (const std::string& line : split(text, '\n')) {
        json entry = json::parse(line, nullptr, false);
        try {
            if (entry.is_object()) remember(change_of(entry));
        } catch (const std::exception&) {
            // Half a line that a power cut left says nothing.
        }
    }
}

void AuditLog::remember(Change change) {
    changes_.push_back(std::move(change));
    if (changes_.size() > kKept) changes_.pop_front();
}

void AuditLog::open() {
    const std::string path = folder_ + "/audit.log";
    struct stat info {};
    if (file_ && (::fstat(file_.get(), &info) != 0 || info.st_size >= kLargest)) {
        file_.reset();
        if (::rename(path.c_str(), (path + ".1").c_str()) != 0) throw_errno("set aside " + path);
    }
    if (!file_) file_ = open_at(AT_FDCWD, path, O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW, 0600);
}

void AuditLog::add(Change change) {
    std::lock_guard lock(mutex_);
    try {
        open();
        write_all(file_.get(), to_text(change_json(change)) + "\n");
    } catch (const Error& e) {
        log(LogLevel::warning, std::string("audit log: ") + e.what());
    }
    remember(std::move(change));
}

std::vector<Change> AuditLog::list() const {
    std::lock_guard lock(mutex_);
    return {changes_.begin(), changes_.end()};
}

}  // namespace kedge::api
