#include "runtime/containers/launch_words.h"

#include "base/errno_text.h"

#include <cerrno>

namespace kedge::runtime {

namespace {

std::string stage_words(shim::Stage stage, const std::string& subject) {
    using shim::Stage;
    switch (stage) {
        case Stage::none:
        case Stage::plan: return "prepare the start";
        case Stage::log: return "open the log in " + subject;
        case Stage::pipe: return "make the streams";
        case Stage::clone: return "make the namespaces";
        case Stage::cgroup: return subject.empty() ? "make the cgroup namespace" : "join the cgroup " + subject;
        case Stage::join: return "join a namespace";
        case Stage::hostname: return "set the hostname " + subject;
        case Stage::root: return "mount the root file system";
        case Stage::source: return "mount source " + subject;
        case Stage::target: return "mount target " + subject;
        case Stage::mount: return "mount " + subject;
        case Stage::device: return "make the device " + subject;
        case Stage::sysctl: return "set the sysctl " + subject;
        case Stage::pivot: return "change to the root file system";
        case Stage::limit: return "set a ulimit";
        case Stage::oom_score: return "set oom_score_adj";
        case Stage::terminal: return "make the terminal";
        case Stage::working_dir: return "chdir to cwd (\"" + subject + "\") set in config.json failed";
        case Stage::user: return "become the user";
        case Stage::capabilities: return "set the capabilities";
        case Stage::seccomp: return "load the seccomp filter";
        case Stage::network: return "wait for the network";
        case Stage::time: return "make the time namespace";
        case Stage::apparmor: return "change to the AppArmor profile " + subject;
        case Stage::listen: return "wait for the start";
        case Stage::exec:
        case Stage::exec_path: return "exec";
    }
    return "start";
}

}  // namespace

Error launch_error(const shim::Message& message, const std::string& subject, const LaunchSpec& spec) {
    std::string program = spec.arguments.empty() ? std::string() : spec.arguments.front();
    if (message.stage == shim::Stage::exec_path) {
        return Error(Code::invalid_argument, "exec: \"" + program + "\": executable file not found in $PATH");
    }
    if (message.stage == shim::Stage::exec) {
        std::string reason = errno_text(message.error);
        if (message.error == EISDIR) reason += ": " + errno_text(EACCES);  // scripts look for one or the other
        return Error(Code::invalid_argument, "exec: \"" + program + "\": " + reason);
    }
    if (message.stage == shim::Stage::plan && message.error == EINVAL) {
        std::string version;
        for (int shift = 56; shift >= 0; shift -= 8) version += static_cast<char>(shim::kPlanMagic >> shift & 0xff);
        return Error(Code::unavailable,
                     "kedge-shim is of another version than the agent: it can't read launch plans of " + version,
                     "install both together");
    }
    std::string text = stage_words(message.stage, subject) + ": " + errno_text(message.error);
    if (message.stage == shim::Stage::target && message.error == EPERM)
        text = "mount target " + subject + " lies in /proc: not allowed";
    if (message.stage == shim::Stage::target && message.error == ELOOP)
        text = "mount target " + subject + " is a symbolic link in the image: not allowed";
    Code code = errno_error("", message.error).code();
    return Error(
        code == Code::internal || code == Code::not_found || code == Code::conflict ? Code::invalid_argument : code,
        text);
}

std::string launch_warning(const shim::Message& message, const std::string& subject) {
    return stage_words(message.stage, subject) + ": " + errno_text(message.error);
}

int launch_exit_code(const shim::Message& message) {
    if (message.stage != shim::Stage::exec && message.stage != shim::Stage::exec_path) return shim::kCannotStart;
    return message.error == ENOENT || message.error == ENOTDIR ? shim::kNotFound : shim::kCannotExecute;
}

}  // namespace kedge::runtime
