#include "runtime/containers/folder_watch.h"

#include "base/error.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace kedge::runtime {

class FolderWatch::Watch {
public:
    using Entry = std::multimap<int, std::function<void()>>::iterator;
    Watch(FolderWatch& owner, Entry entry) : owner_(owner), entry_(entry) {}
    Watch(const Watch&) = delete;
    Watch& operator=(const Watch&) = delete;
    ~Watch() {
        std::lock_guard lock(owner_.mutex_);
        int number = entry_->first;
        owner_.watches_.erase(entry_);
        // Fails only where the folder is gone, and the kernel's watch with it.
        if (!owner_.watches_.contains(number)) (void)::inotify_rm_watch(owner_.inotify_.get(), number);
    }

private:
    FolderWatch& owner_;
    Entry entry_;
};

FolderWatch::~FolderWatch() {
    if (!thread_.joinable()) return;
    uint64_t one = 1;
    (void)!::write(wake_.get(), &one, sizeof one);  // an eventfd at 0 takes a 1
    thread_.join();
}

void FolderWatch::begin() {
    inotify_.reset(::inotify_init1(IN_CLOEXEC | IN_NONBLOCK));
    wake_.reset(::eventfd(0, EFD_CLOEXEC));
    if (!inotify_ || !wake_) throw_errno("watch folders");
    thread_ = std::thread([this] { run(); });
}

std::shared_ptr<FolderWatch::Watch> FolderWatch::add(const std::string& folder, std::function<void()> changed) {
    std::lock_guard lock(mutex_);
    if (!thread_.joinable()) begin();
    // The same folder has the same number, however often it is asked for.
    int number = ::inotify_add_watch(inotify_.get(), folder.c_str(),
                                     IN_MODIFY | IN_CREATE | IN_MOVED_TO | IN_DELETE_SELF | IN_ONLYDIR);
    if (number < 0) throw_errno("watch " + folder);
    return std::make_shared<Watch>(*this, watches_.emplace(number, std::move(changed)));
}

void FolderWatch::tell(int number) {
    std::lock_guard lock(mutex_);
    auto [begin, end] = watches_.equal_range(number);
    if (number < 0) begin = watches_.begin(), end = watches_.end();
    for (auto it = begin; it != end; ++it) it->second();
}

void FolderWatch::run() {
    (void)::pthread_setname_np(::pthread_self(), "folders");
    pollfd entries[] = {{inotify_.get(), POLLIN, 0}, {wake_.get(), POLLIN, 0}};
    while (true) {
        if (::poll(entries, 2, -1) < 0 && errno != EINTR) return;
        if (entries[1].revents) return;
        alignas(inotify_event) char buffer[4096];
        ssize_t size = ::read(inotify_.get(), buffer, sizeof buffer);
        int last = -2;
        for (ssize_t at = 0; at < size;) {
            inotify_event event{};
            std::memcpy(&event, buffer + at, sizeof event);
            // The descriptor of an overflow is -1: anything may have changed.
            if (event.wd != last) tell(event.wd);
            last = event.wd;
            at += static_cast<ssize_t>(sizeof event + event.len);
        }
    }
}

}  // namespace kedge::runtime
