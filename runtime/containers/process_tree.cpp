#include "runtime/containers/process_tree.h"

#include "base/error.h"
#include "base/fd.h"
#include "base/folder.h"

#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <csignal>
#include <map>
#include <optional>
#include <set>
#include <sstream>
#include <string>

namespace kedge::runtime {

namespace {

struct Process {
    char state = 0;
    int parent = 0;
    int session = 0;
};

std::optional<Process> look_at(const std::string& pid) {
    try {
        std::string text = read_file_at(AT_FDCWD, "/proc/" + pid + "/stat", 4096);
        size_t name_end = text.rfind(')');  // the name before it may contain anything
        if (name_end == std::string::npos) return std::nullopt;
        std::istringstream fields(text.substr(name_end + 1));
        Process process;
        int group = 0;
        fields >> process.state >> process.parent >> group >> process.session;
        if (!fields || process.state == 'Z' || process.state == 'X') return std::nullopt;
        return process;
    } catch (const Error&) {
        return std::nullopt;  // it has ended
    }
}

std::map<int, Process> all_processes() {
    std::map<int, Process> all;
    for (const std::string& name : names_in(open_at(AT_FDCWD, "/proc", O_RDONLY | O_DIRECTORY).get())) {
        if (name.find_first_not_of("0123456789") != std::string::npos) continue;
        if (auto process = look_at(name)) all[std::stoi(name)] = *process;
    }
    return all;
}

std::set<int> tree_of(int root, const std::map<int, Process>& all) {
    std::set<int> tree = {root};
    for (size_t before = 0; before != tree.size();) {
        before = tree.size();
        for (const auto& [pid, process] : all) {
            if (process.session == root || tree.contains(process.parent)) tree.insert(pid);
        }
    }
    return tree;
}

/// Only if it is still the process that was looked at: its number may have been given to another.
void kill_one(int pid, const Process& seen) {
    Fd pidfd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
    auto now = look_at(std::to_string(pid));
    if (!pidfd || !now || now->session != seen.session) return;
    (void)::syscall(SYS_pidfd_send_signal, pidfd.get(), SIGKILL, nullptr, 0);  // it may have ended
}

}  // namespace

void kill_tree(int pid) {
    // Again, as those that are killed may have started others meanwhile; children come before their number is out of
    // use.
    constexpr int kRounds = 20;
    for (int round = 0; round < kRounds; ++round) {
        std::map<int, Process> all = all_processes();
        bool any = false;
        for (int member : tree_of(pid, all)) {
            auto found = all.find(member);
            if (found == all.end()) continue;
            kill_one(member, found->second);
            any = true;
        }
        if (!any) return;
    }
}

}  // namespace kedge::runtime
