#include "reconciler/files.h"

#include "base/durable.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/folder.h"
#include "reconciler/render.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <charconv>
#include <cstdint>
#include <memory>

namespace kedge::reconciler {

namespace {

constexpr size_t kFileLimit = 16u << 20;

struct Use {
    const char* kind;
    const sources::FileUse* use;
    const sources::FileSource* source;
};

std::vector<Use> uses_of(const sources::Project& project) {
    std::vector<Use> result;
    auto add = [&](const char* kind, const auto& uses, const auto& sources) {
        for (const sources::FileUse& use : uses) {
            auto found = sources.find(use.source);
            if (found != sources.end()) result.push_back({kind, &use, &found->second});
        }
    };
    for (const auto& [name, service] : project.services) {
        add("secrets", service.secrets, project.secrets);
        add("configs", service.configs, project.configs);
    }
    return result;
}

/// Of a user or group; none is root's. The highest means `as it is` to chown(2).
uint32_t number_of(const std::string& text) {
    uint32_t number = 0;
    auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    bool good = text.empty() || (error == std::errc() && end == text.data() + text.size() && number != UINT32_MAX);
    if (!good) throw Error(Code::invalid_argument, "\"" + text.substr(0, 40) + "\" is not a number of a user or group");
    return number;
}

void write_one(int folder, const Use& use) {
    uid_t uid = number_of(use.use->uid);
    gid_t gid = number_of(use.use->gid);
    std::string name = file_name(*use.source, *use.use);
    if (::faccessat(folder, name.c_str(), F_OK, AT_SYMLINK_NOFOLLOW) == 0) return;
    const sources::FileSource& source = *use.source;
    std::string bytes = source.path.empty() ? source.content : read_file_at(AT_FDCWD, source.path, kFileLimit);
    std::string digest = Digest::of(bytes).hex();
    if (!source.content_digest.empty() && !source.content_digest.ends_with(digest)) {
        throw Error(Code::conflict, "its content changed since the project was loaded");
    }
    // Under another name first, so that a file that is there has its owner and mode.
    std::string unfinished = name + ".unfinished";
    write_file_durably(folder, unfinished, bytes, 0600);
    Fd file = open_at(folder, unfinished, O_RDONLY | O_NOFOLLOW);
    if (::fchown(file.get(), uid, gid) != 0) throw_errno("chown");
    if (::fchmod(file.get(), use.use->mode.value_or(0444) & 07777u) != 0) throw_errno("chmod");
    sync_fd(file.get());
    rename_durably(folder, unfinished, folder, name);
}

}  // namespace

void write_files(const Target& target) {
    std::vector<Use> uses = uses_of(target.project);
    if (uses.empty()) return;
    make_folders(AT_FDCWD, target.files, 0700);
    Fd folder = open_at(AT_FDCWD, target.files, O_RDONLY | O_DIRECTORY);
    for (const Use& use : uses) {
        try {
            write_one(folder.get(), use);
        } catch (const Error& e) {
            throw e.with_context(std::string(use.kind) + "." + use.use->source);
        }
    }
}

void remove_other_files(const std::string& folder, const std::vector<Target>& targets) {
    std::set<std::string> used;
    for (const Target& target : targets) {
        for (const Use& use : uses_of(target.project)) used.insert(file_name(*use.source, *use.use));
    }
    if (::access(folder.c_str(), F_OK) != 0) return;  // no secrets, no folder
    Fd dir = open_at(AT_FDCWD, folder, O_RDONLY | O_DIRECTORY);
    for (const std::string& name : names_in(dir.get())) {
        if (!used.contains(name)) (void)::unlinkat(dir.get(), name.c_str(), 0);  // tried again after the next release
    }
}

}  // namespace kedge::reconciler
